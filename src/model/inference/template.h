// The model's chat template, its tool-call format and the grammar that holds it to well-formed
// calls. The only file pair that includes llama.cpp's common/ headers, which change without notice;
// nothing of theirs appears in this header, and no exception of theirs leaves it.
//
// Two ways to call tools. Tagged JSON (<tool_call>{"name": ..., "arguments": ...}</tool_call>, the
// form of Qwen and Hermes) is read by ReplyReader, also for models whose template knows no tools.
// Any other form is the template's own and is parsed by llama.cpp.
//
// Used by one thread at a time; several of one model may be used at the same time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/model.h"

struct llama_model;
struct llama_vocab;
struct common_chat_params;

namespace keel::local {

using Token = std::int32_t;

// The grammar's rule for the call of one tool.
std::string tool_rule(std::size_t index);

struct NativeParser;  // what llama.cpp needs to parse an answer in the template's own format

struct Prompt {
  std::vector<Token> tokens;
  // How many of them stand before the mark that opens the answer. Whoever speaks next, these come
  // first: what is read ahead ends there, and a model that cannot go back anywhere goes back there.
  std::size_t turn_end = 0;
  std::string text;  // rendered, for logs and tests
  bool tagged_json = true;
  bool starts_thinking = false;
  std::vector<std::string> tool_names;  // empty when no tool may be called
  bool call_required = false;
  // Tagged JSON: what may follow kCallHead. Native: the whole answer, from the first trigger on if
  // lazy.
  std::string grammar;
  bool grammar_lazy = false;
  std::vector<Token> grammar_prefill;
  std::vector<std::string> trigger_patterns;
  std::vector<Token> trigger_tokens;
  std::vector<std::string> stops;
  std::shared_ptr<NativeParser> native;
  std::vector<std::string> degraded;  // "name: why its arguments are only known to be an object"
};

class ChatTemplate {
 public:
  static Result<std::unique_ptr<ChatTemplate>> create(const llama_model* model);
  ~ChatTemplate();

  // The same request gives the same tokens, and appending items only appends tokens as far as the
  // template allows it.
  Result<Prompt> render(const model::Request& request);
  // How many tokens render() would give, without what only an answer needs.
  Result<std::int64_t> count(const model::Request& request);
  std::vector<Token> tokenize(const std::string& text, bool special) const;
  // The token's bytes; control tokens are empty unless they are markup that a reader wants to see.
  const std::string& piece(Token token);

  // For answers in the template's own format. Partial answers give what is certain so far.
  Result<msg::Item> parse_native(const Prompt& prompt, const std::string& raw, bool partial) const;

 private:
  struct State;
  explicit ChatTemplate(std::unique_ptr<State> state);
  Result<common_chat_params> fill(const model::Request& request, Prompt& prompt);
  Result<Prompt> with_native(Prompt prompt, const common_chat_params& params) const;
  std::unique_ptr<State> state_;
};

}  // namespace keel::local
