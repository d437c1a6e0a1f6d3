#include "model/inference/sampler.h"

#include <llama.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/limits.h"
#include "base/text.h"

namespace keel::local {
namespace {

constexpr std::array<std::size_t, 2> kWidening = {
    64, 4096};  // candidates asked about before the whole vocabulary

// The first of the greatest. In lanes, which the compiler turns into vector instructions: a plain
// search is 1.5% of the time that SmolLM2 takes for a token.
Token likeliest(const float* logits, std::int32_t count) {
  constexpr std::int32_t kLanes = 16;
  std::array<float, kLanes> best{};
  best.fill(-std::numeric_limits<float>::infinity());
  std::int32_t at = 0;
  for (; at + kLanes <= count; at += kLanes) {
    for (std::int32_t lane = 0; lane < kLanes; ++lane) {
      const float value = logits[at + lane];
      best[static_cast<std::size_t>(lane)] = value > best[static_cast<std::size_t>(lane)]
                                                 ? value
                                                 : best[static_cast<std::size_t>(lane)];
    }
  }
  float most = *std::max_element(best.begin(), best.end());
  for (; at < count; ++at) most = std::max(most, logits[at]);
  const float* found = std::find(logits, logits + count, most);
  return found == logits + count ? 0 : static_cast<Token>(found - logits);
}

struct Free {
  void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
};
using Owned = std::unique_ptr<llama_sampler, Free>;

// Which of these characters the grammar allows next.
std::string allowed(llama_sampler* grammar, const Characters& characters, std::string_view asked) {
  std::array<llama_token_data, std::tuple_size_v<Characters>> list{};
  std::array<char, std::tuple_size_v<Characters>> of{};
  std::size_t count = 0;
  for (const char character : asked) {
    const Token token = characters[static_cast<std::size_t>(character)];
    if (token < 0) continue;
    of[count] = character;
    list[count++] = {token, 1.0F, 0.0F};
  }
  llama_token_data_array array{list.data(), count, -1, false};
  llama_sampler_apply(grammar, &array);
  std::string found;
  for (std::size_t i = 0; i < count; ++i) {
    if (list[i].logit > -std::numeric_limits<float>::infinity()) found += of[i];
  }
  return found;
}

// The one character that may come next, or 0. Inside a text almost all may: two letters tell.
char only_next(llama_sampler* grammar, const Characters& characters, char last) {
  static const std::string visible = [] {
    std::string all;
    for (char character = '!'; character <= '~'; ++character) all += character;
    return all;
  }();
  if (allowed(grammar, characters, "ae").size() > 1) return '\0';
  const std::string choice = allowed(grammar, characters, visible);
  if (choice.size() > 1) return '\0';
  const std::string space = allowed(grammar, characters, " \n");
  if (choice.empty()) return space.size() == 1 ? space[0] : '\0';
  const bool apart = (last == ':' || last == ',') && space.find(' ') != std::string::npos;
  return apart ? ' ' : choice[0];
}

}  // namespace

Characters characters_of(ChatTemplate& chat) {
  Characters characters;
  characters.fill(-1);
  const auto look_up = [&](char character) {
    const std::string text(1, character);
    // Some tokenizers put a space before every text.
    const std::vector<Token> tokens = chat.tokenize(text, false);
    if (!tokens.empty() && chat.piece(tokens.back()) == text)
      characters[static_cast<std::size_t>(character)] = tokens.back();
  };
  look_up('\n');
  for (char character = ' '; character <= '~'; ++character) look_up(character);
  return characters;
}

struct Sampler::Candidates {
  std::vector<llama_token_data> list;
};

Sampler::Sampler(const llama_vocab* vocab, const model::Sampling& sampling)
    : vocab_(vocab),
      n_vocab_(llama_vocab_n_tokens(vocab)),
      greedy_(sampling.temperature <= 0.0),
      candidates_(std::make_unique<Candidates>()) {
  candidates_->list.resize(static_cast<std::size_t>(n_vocab_));
  if (greedy_) return;
  llama_sampler_chain_params params = llama_sampler_chain_default_params();
  params.no_perf = true;
  chain_ = llama_sampler_chain_init(params);
  // The top-k cut comes first: everything after it then works on few candidates.
  llama_sampler_chain_add(chain_,
                          llama_sampler_init_top_k(sampling.top_k > 0 ? sampling.top_k : 1024));
  if (sampling.top_p < 1.0) {
    llama_sampler_chain_add(chain_,
                            llama_sampler_init_top_p(static_cast<float>(sampling.top_p), 1));
  }
  if (sampling.min_p > 0.0) {
    llama_sampler_chain_add(chain_,
                            llama_sampler_init_min_p(static_cast<float>(sampling.min_p), 1));
  }
  llama_sampler_chain_add(chain_,
                          llama_sampler_init_temp(static_cast<float>(sampling.temperature)));
  llama_sampler_chain_add(chain_, llama_sampler_init_dist(sampling.seed));
}

Sampler::~Sampler() {
  if (chain_ != nullptr) llama_sampler_free(chain_);
  if (grammar_ != nullptr) llama_sampler_free(grammar_);
}

Status Sampler::set_grammar(const Prompt& prompt, bool lazy, const std::string& tool) {
  drop_grammar();
  try {
    if (lazy) {
      std::vector<const char*> patterns;
      for (const std::string& pattern : prompt.trigger_patterns)
        patterns.push_back(pattern.c_str());
      grammar_ = llama_sampler_init_grammar_lazy_patterns(
          vocab_, prompt.grammar.c_str(), "root", patterns.data(), patterns.size(),
          prompt.trigger_tokens.data(), prompt.trigger_tokens.size());
    } else {
      const auto named = std::find(prompt.tool_names.begin(), prompt.tool_names.end(), tool);
      const std::string root =
          tool.empty() || named == prompt.tool_names.end()
              ? "root"
              : tool_rule(static_cast<std::size_t>(named - prompt.tool_names.begin()));
      grammar_ = llama_sampler_init_grammar(vocab_, prompt.grammar.c_str(), root.c_str());
      for (const Token token : prompt.grammar_prefill) llama_sampler_accept(grammar_, token);
    }
  } catch (const std::exception& e) {
    return fail(Code::internal, "the grammar of the tools failed: " + printable(e.what()));
  }
  if (grammar_ == nullptr) return fail(Code::internal, "the grammar of the tools cannot be used");
  return {};
}

void Sampler::drop_grammar() {
  if (grammar_ != nullptr) llama_sampler_free(grammar_);
  grammar_ = nullptr;
}

bool Sampler::fits(Token token) {
  if (banned_ && banned_(token)) return false;
  if (grammar_ == nullptr) return true;
  llama_token_data one{token, 1.0F, 0.0F};
  llama_token_data_array array{&one, 1, -1, false};
  llama_sampler_apply(grammar_, &array);
  return one.logit > -std::numeric_limits<float>::infinity();
}

Token Sampler::choose_free(const float* logits) {
  if (greedy_) return likeliest(logits, n_vocab_);
  auto& list = candidates_->list;
  for (Token token = 0; token < n_vocab_; ++token) {
    list[static_cast<std::size_t>(token)] = {token, logits[token], 0.0F};
  }
  llama_token_data_array array{list.data(), list.size(), -1, false};
  llama_sampler_apply(chain_, &array);
  return array.data[array.selected].id;
}

// The free choice was refused: ask about the likeliest few first, because a grammar is slow over a
// whole vocabulary.
Token Sampler::choose_fitting(const float* logits) {
  auto& list = candidates_->list;
  for (std::size_t stage = 0; stage <= kWidening.size(); ++stage) {
    for (Token token = 0; token < n_vocab_; ++token) {
      list[static_cast<std::size_t>(token)] = {token, logits[token], 0.0F};
    }
    std::size_t count = list.size();
    if (stage < kWidening.size()) {
      count = std::min(count, kWidening[stage]);
      std::nth_element(
          list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count) - 1, list.end(),
          [](const llama_token_data& a, const llama_token_data& b) { return a.logit > b.logit; });
    }
    llama_token_data_array array{list.data(), count, -1, false};
    if (grammar_ != nullptr) llama_sampler_apply(grammar_, &array);
    const auto end =
        std::remove_if(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(array.size),
                       [&](const llama_token_data& c) {
                         return !(c.logit > -1e30F) || (banned_ && banned_(c.id));
                       });
    array.size = static_cast<std::size_t>(end - list.begin());
    if (array.size == 0) continue;
    if (greedy_) {
      return std::max_element(list.begin(), end,
                              [](const llama_token_data& a, const llama_token_data& b) {
                                return a.logit < b.logit;
                              })
          ->id;
    }
    llama_sampler_apply(chain_, &array);
    return array.data[array.selected].id;
  }
  return -1;
}

Result<Token> Sampler::choose(const float* logits) {
  try {
    Token token = choose_free(logits);
    if (!fits(token)) token = choose_fitting(logits);
    banned_ = nullptr;
    if (token < 0) return fail(Code::internal, "no token fits the grammar of the tools");
    return token;
  } catch (const std::exception& e) {
    return fail(Code::internal, "choosing a token failed: " + printable(e.what()));
  }
}

std::string Sampler::expected(const Characters& characters, char last) const {
  std::string text;
  if (grammar_ == nullptr) return text;
  try {
    Owned ahead;  // goes on where the grammar itself must stay
    while (text.size() < limits::draft_characters) {
      llama_sampler* grammar = ahead ? ahead.get() : grammar_;
      const char next = only_next(grammar, characters, text.empty() ? last : text.back());
      if (next == '\0') break;
      if (!ahead) ahead.reset(llama_sampler_clone(grammar_));
      llama_sampler_accept(ahead.get(), characters[static_cast<std::size_t>(next)]);
      text += next;
    }
  } catch (const std::exception&) {
    text.clear();  // it is only a guess
  }
  return text;
}

Status Sampler::accept(Token token) {
  try {
    if (grammar_ != nullptr) llama_sampler_accept(grammar_, token);
    if (chain_ != nullptr) llama_sampler_accept(chain_, token);
  } catch (const std::exception& e) {
    return fail(Code::internal, "the answer left the grammar of the tools: " + printable(e.what()));
  }
  return {};
}

}  // namespace keel::local
