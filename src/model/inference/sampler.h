// Chooses the next token.
//
// Inference thread only. No exception of llama.cpp's leaves this file.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "model/inference/template.h"
#include "model/model.h"

struct llama_sampler;
struct llama_vocab;

namespace keel::local {

// Of each printable ASCII character and the newline: the token that is nothing else, or -1.
using Characters = std::array<Token, 128>;
Characters characters_of(ChatTemplate& chat);

// The next token from the logits: greedy without sorting at temperature 0; a grammar is asked about
// the chosen token first and about others only if it refuses that one.
class Sampler {
 public:
  Sampler(const llama_vocab* vocab, const model::Sampling& sampling);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  // From now on tokens must fit; lazy: from the first trigger on. With `tool` only that one may be
  // called.
  Status set_grammar(const Prompt& prompt, bool lazy, const std::string& tool = {});
  void drop_grammar();
  bool has_grammar() const { return grammar_ != nullptr; }
  // For the next choice only: no token for which `banned` is true.
  void ban(std::function<bool(Token)> banned) { banned_ = std::move(banned); }
  Result<Token> choose(const float* logits);
  // What comes next because the grammar leaves no choice but where to put spaces, which are put
  // where models like them; at most limits::draft_characters. `last`: the answer's last character.
  std::string expected(const Characters& characters, char last) const;
  Status accept(Token token);

 private:
  bool fits(Token token);
  Token choose_free(const float* logits);
  Token choose_fitting(const float* logits);

  const llama_vocab* vocab_;
  std::int32_t n_vocab_;
  bool greedy_;
  llama_sampler* chain_ = nullptr;
  llama_sampler* grammar_ = nullptr;
  std::function<bool(Token)> banned_;
  struct Candidates;
  std::unique_ptr<Candidates> candidates_;
};

}  // namespace keel::local
