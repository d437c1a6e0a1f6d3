// Answers: renders the conversation, reads it, writes token by token and reports what became
// certain. Holds a model that begins a tool call, in whatever form, to a well-formed call of a
// registered tool.
//
// Inference thread only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/inference/context.h"
#include "model/inference/sampler.h"
#include "model/inference/template.h"
#include "model/local/protocol.h"
#include "model/local/reply.h"

namespace keel::local {

class Generator {
 public:
  using Emit = std::function<void(const EngineEvent&)>;
  Generator(Context& context, ChatTemplate& chat, Emit emit)
      : context_(context), chat_(chat), emit_(std::move(emit)) {}

  // Events go out while it runs, but for the last: the response.
  Result<model::Response> run(const GenerateRequest& request);

 private:
  struct Run;
  enum class Next { more, end, full, stopped, cancelled };
  Status begin(Run& run);
  Status replay(Run& run);
  Status replay_call(Run& run, std::size_t& index, std::size_t call_at);
  static bool judges_tools(const Run& run);
  Result<std::vector<Token>> bare_prompt(const Run& run);
  Result<Next> judge_tools(Run& run);
  Result<Next> reread(Run& run);
  Result<Next> read(Run& run, const std::vector<Token>& tokens);
  Result<Next> step(Run& run);
  Result<Next> append(Run& run, Token token, const std::string& raw);
  Result<Next> after_call_found(Run& run, std::size_t at);
  Result<Next> after_call(Run& run);
  Result<Next> write_words(Run& run, std::size_t index);
  Status start_call(Run& run, std::size_t at, const std::string& tool = {});
  Result<bool> start_announced_call(Run& run);
  void push(Run& run, Token token, std::size_t offset);
  void report(Run& run, const ReplyStep& step, bool all);
  Result<Next> exact_step(Run& run);
  Result<Next> native_step(Run& run, Token token);
  void native_report(Run& run, bool partial);
  static void cut_text(msg::Item& item, std::size_t count);
  model::Response finish(Run& run, Next why);

  Context& context_;
  ChatTemplate& chat_;
  Emit emit_;
  std::optional<Characters> characters_;  // of the vocabulary, once a grammar was asked
};

}  // namespace keel::local
