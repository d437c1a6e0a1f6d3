// What tests with a real engine share: models, a KEEL_HOME, and a local model with what it told.
// The test program is also the engine's program: main() in engine_test.cc.
#pragma once

#include <gtest/gtest.h>
#include <llama.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "model/inference/context.h"
#include "model/inference/template.h"
#include "model/local/cpu.h"
#include "model/local/local_model.h"
#include "rt/child.h"

namespace keel::local {

namespace fs = std::filesystem;

inline constexpr const char* kTiny = "smollm2-135m-instruct-q4_1.gguf";
inline constexpr const char* kCoder = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf";

// Tokens whose logits are nearer may change places, since what is read in one piece is not added up
// in the order of what came token by token. SmolLM2's weights of 4 bits are multiplied with
// activations rounded to 8, which makes much of little: over 60 tokens the gap between the two
// likeliest was up to 0.5 another one when four were read at once, with llama.cpp's own attention
// too, and up to 0.9 with flash attention and without.
inline constexpr float kTie = 0.02F;  // random models
inline constexpr float kTinyTie = 1.0F;

// Upwards from where the program is, then from where it was started.
inline fs::path models_folder() {
  for (fs::path from : std::vector<fs::path>{*rt::own_program_path(), fs::current_path() / "x"}) {
    while (from.has_relative_path()) {
      from = from.parent_path();
      if (fs::exists(from / "deps/.cache/models")) return from / "deps/.cache/models";
    }
  }
  return "deps/.cache/models";
}
inline fs::path model_path(const std::string& name) {
  return models_folder() / name;
}

struct Heard {
  std::string text;
  std::vector<std::string> tools;
  std::vector<std::string> phases;
};

// A KEEL_HOME of this test alone, in which the CPU is chosen already: all tests of this build share
// that choice.
inline const std::string& home() {
  static const std::string folder = [] {
    const fs::path shared = fs::path(*rt::own_program_path()).parent_path() / "engine-test";
    fs::create_directories(shared);
    CpuOptions options;
    options.cache_path = (shared / "cpu.json").string();
    (void)choose_cpu(options);
    const fs::path own = shared / std::to_string(::getpid());
    fs::create_directories(own);
    std::error_code error;
    fs::copy_file(shared / "cpu.json", own / "cpu.json", error);
    return own.string();
  }();
  return folder;
}

class LocalModelTest : public ::testing::Test {
 protected:
  LocalModelTest() { fs::remove_all(home() + "/kv"); }

  // False (and the test is skipped) if the model is not there.
  bool open(const std::string& file, int context = 2048) {
    if (!fs::exists(model_path(file))) {
      std::cerr << file << " is not in deps/.cache/models: scripts/models get fetches it\n";
      return false;
    }
    options_.name = "test";
    options_.path = model_path(file).string();
    options_.home = home();
    options_.context = context;
    model_ = LocalModel::create(options_);
    return true;
  }

  model::Request ask(const std::string& text) {
    request_.conversation = "c";
    request_.items.push_back(msg::text_item(msg::Role::user, text));
    return request_;
  }

  Result<model::Response> generate(const model::Request& request, std::stop_token stop = {}) {
    heard_ = {};
    return model_->generate(
        request,
        [this](const model::StreamEvent& event) {
          const std::lock_guard lock(mutex_);
          if (const auto* text = std::get_if<model::TextDelta>(&event)) heard_.text += text->text;
          if (const auto* tool = std::get_if<model::ToolCallStarted>(&event))
            heard_.tools.push_back(tool->name);
          if (const auto* progress = std::get_if<model::Progress>(&event))
            heard_.phases.push_back(progress->phase);
          if (on_event_) on_event_(event);
        },
        stop);
  }

  msg::Tool tool(const std::string& name, const std::string& description,
                 const std::string& schema) {
    return {name, description, *parse_json(schema)};
  }

  // Whether `said` differs from what a fresh engine says only where two tokens are as likely to it.
  bool is_tie(const model::Request& request, const std::string& said, float tie) {
    CpuOptions cpu;
    cpu.cache_path = home() + "/cpu.json";
    const CpuChoice choice = MUST(choose_cpu(cpu));
    LoadRequest load{
        .path = options_.path, .library = choice.library, .attention = choice.attention};
    load.context = options_.context;
    load.threads = 1;
    load.drafts = false;
    const auto context = MUST(Context::load(load, {}));
    const auto chat = MUST(ChatTemplate::create(context->model()));
    const Prompt prompt = MUST(chat->render(request));
    MUST(context->read("fresh", prompt.tokens, prompt.turn_end, {}));
    const llama_vocab* vocab = context->vocab();
    const int vocabulary = llama_vocab_n_tokens(vocab);
    std::string rest = said;
    for (int count = 0; count < request.max_tokens; ++count) {
      const float* logits = context->logits();
      const auto best = static_cast<Token>(std::max_element(logits, logits + vocabulary) - logits);
      const std::string piece = chat->piece(best);
      const bool ends = llama_vocab_is_eog(vocab, best);
      if (rest.empty() ? ends : !ends && !piece.empty() && rest.starts_with(piece)) {
        if (ends) return true;
        rest.erase(0, piece.size());
        if (!MUST(context->append(best))) return false;
        continue;
      }
      float likeliest = -1e9F;
      for (Token token = 0; token < vocabulary; ++token) {
        const std::string other = chat->piece(token);
        if (rest.empty() ? llama_vocab_is_eog(vocab, token)
                         : !other.empty() && rest.starts_with(other))
          likeliest = std::max(likeliest, logits[token]);
      }
      std::cerr << "of two tokens one is likelier by " << logits[best] - likeliest << "\n";
      return logits[best] - likeliest < tie;
    }
    return rest.empty();
  }

  LocalOptions options_;
  std::unique_ptr<LocalModel> model_;
  model::Request request_;
  std::mutex mutex_;
  Heard heard_;
  std::function<void(const model::StreamEvent&)> on_event_;
};

#define NEED_MODEL(...) \
  if (!open(__VA_ARGS__)) GTEST_SKIP() << "the model is not there"

}  // namespace keel::local
