#include "model/inference/template.h"

#include <chat.h>
#include <json-schema-to-grammar.h>
#include <llama.h>
#include <log.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <set>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "model/local/guard.h"
#include "model/local/reply.h"

namespace keel::local {

struct NativeParser {
  common_chat_parser_params params;
};

namespace {

constexpr std::string_view kToolsHead =
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are "
    "provided with "
    "function signatures within <tools></tools> XML tags:\n<tools>";
constexpr std::string_view kToolsTail =
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments "
    "within "
    "<tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": "
    "<args-json-object>}\n</tool_call>";
// Small models repeat the call whose result they were just given unless they are told what to do
// with it. It follows every group of results, also in the history, so that the prompt stays a
// prefix of the next one.
constexpr std::string_view kAfterResults =
    "If this answers the request, answer it in words. Otherwise call the next tool.";
constexpr std::string_view kAfterError =
    "That call failed. Call again with other arguments, or tell the owner in words what is wrong.";
constexpr std::string_view kNoResult = "(no result: the call was interrupted)";

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

bool is_tagged_json(const std::string& source) {
  return contains(source, kCallOpen) && contains(source, "\"name\"") &&
         contains(source, "\"arguments\"") && !contains(source, "<function=") &&
         !contains(source, "<arg_key>");
}

// The date inside a prompt must not change while the program runs, or the whole prompt would be
// read again at midnight.
std::string pinned_time(const std::string& format) {
  static const std::time_t start = std::time(nullptr);
  std::tm parts{};
  localtime_r(&start, &parts);
  std::string out(256, '\0');
  out.resize(std::strftime(out.data(), out.size(), format.c_str(), &parts));
  return out;
}

// Where the mark that opens an answer begins. Without a mark that is known: before the last token,
// whose logits are wanted.
std::size_t before_mark(const std::vector<Token>& tokens, const std::vector<Token>& mark) {
  const bool ends_with_it = !mark.empty() && mark.size() < tokens.size() &&
                            std::equal(mark.rbegin(), mark.rend(), tokens.rbegin());
  return tokens.size() - std::min(tokens.size(), ends_with_it ? mark.size() : 1);
}

// Whether the template has opened a thinking block that the answer goes on in.
bool ends_with_open_thinking(std::string_view prompt) {
  constexpr std::string_view open = "<think>";
  prompt = trim(prompt);
  return prompt.size() >= open.size() && prompt.substr(prompt.size() - open.size()) == open;
}

// The template of Qwen2.5-Coder shows its call format with doubled braces, a slip of its authors:
// the model then writes stray braces around its calls.
std::string mend_call_format(std::string source) {
  source = replace_all(std::move(source), R"({{\"name\": <function-name>)",
                       R"({\"name\": <function-name>)");
  return replace_all(std::move(source), "<args-json-object>}}", "<args-json-object>}");
}

std::string pin_dates(std::string source) {
  constexpr std::string_view call = "strftime_now(";
  for (std::size_t at = source.find(call); at != std::string::npos;
       at = source.find(call, at + 1)) {
    const std::size_t from = at + call.size();
    const char quote = from < source.size() ? source[from] : '\0';
    if (quote != '"' && quote != '\'') continue;
    const std::size_t end = source.find(quote, from + 1);
    if (end == std::string::npos || end + 1 >= source.size() || source[end + 1] != ')') continue;
    const std::string time = pinned_time(source.substr(from + 1, end - from - 1));
    source.replace(at, end + 2 - at, "\"" + replace_all(time, "\"", "") + "\"");
  }
  return source;
}

// The texts a tokenizer turns into special tokens. Those that are plain runs of spaces or letters
// are left alone: some vocabularies list such, and breaking them would only change how ordinary
// text is cut.
std::vector<std::string> special_texts(const llama_vocab* vocab) {
  std::vector<std::string> texts;
  const int count = llama_vocab_n_tokens(vocab);
  for (Token token = 0; token < count; ++token) {
    const int attr = llama_vocab_get_attr(vocab, token);
    const std::string text = llama_vocab_get_text(vocab, token);
    const bool control = (attr & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0;
    const bool markup = (attr & LLAMA_TOKEN_ATTR_USER_DEFINED) != 0 && text.size() > 2 &&
                        (text[0] == '<' || text[0] == '[');
    if (control || markup) texts.push_back(text);
  }
  return texts;
}

}  // namespace

struct ChatTemplate::State {
  struct ToolGrammar {
    std::string schema;  // what is compiled
    std::string reason;  // why it is not the tool's own schema, if so
  };

  const llama_model* model = nullptr;
  const llama_vocab* vocab = nullptr;
  common_chat_templates_ptr templates;
  std::string source;
  bool knows_tools = false;
  bool tagged_json = true;
  bool breaking = false;  // special texts are broken up instead of tokenised apart
  SpecialTexts specials{{}};
  std::vector<std::string> pieces;
  std::vector<bool> piece_known;
  std::map<std::string, ToolGrammar> tool_grammars;  // by the schema's text
  std::string grammar_key;                           // the tools of `grammar`
  std::string grammar;
  std::vector<std::string> degraded;

  bool compiles(const std::string& grammar_text) const;
  const ToolGrammar& tool_grammar(const msg::Tool& tool);
  void build_grammar_for(const std::vector<msg::Tool>& tools);
  std::vector<common_chat_msg> messages(const model::Request& request, SpecialGuard& guard) const;
  common_chat_templates_inputs inputs(const model::Request& request, SpecialGuard& guard);
  common_chat_params apply(const model::Request& request, SpecialGuard& guard);
  std::vector<Token> tokenize_parts(const std::vector<SpecialGuard::Part>& parts) const;
  void tokenize_into(std::vector<Token>& out, const std::string& text, bool first,
                     bool special) const;
};

// --- grammar

bool ChatTemplate::State::compiles(const std::string& grammar_text) const {
  if (grammar_text.size() > limits::tool_grammar_bytes) return false;
  llama_sampler* sampler = llama_sampler_init_grammar(vocab, grammar_text.c_str(), "root");
  if (sampler == nullptr) return false;
  llama_sampler_free(sampler);
  return true;
}

// Each tool is compiled alone, so that one that cannot be compiled takes no other with it.
const ChatTemplate::State::ToolGrammar& ChatTemplate::State::tool_grammar(const msg::Tool& tool) {
  const std::string key = dump_json(tool.schema.json());
  const auto known = tool_grammars.find(key);
  if (known != tool_grammars.end()) return known->second;
  ToolGrammar result{"{\"type\": \"object\"}", "its schema could not be turned into a grammar"};
  for (const Json& schema : {tool.schema.json(), loosen_schema(tool.schema.json())}) {
    const Status checked = check_schema(schema);
    if (!checked) {
      result.reason = checked.error().message;
      continue;
    }
    try {
      const std::string text = dump_json(schema);
      if (!compiles(json_schema_to_grammar(common_json::parse(text)))) continue;
      result.schema = text;
      if (text == key) result.reason.clear();
      break;
    } catch (const std::exception& e) {
      result.reason = printable(e.what());
    }
  }
  if (tool_grammars.size() > limits::tools) tool_grammars.clear();
  return tool_grammars.emplace(key, std::move(result)).first->second;
}

// What may follow kCallHead: the rest of one call. More than one call in an answer is not offered:
// small models then go on calling whatever there is, and the next call is only one step of the turn
// away.
void ChatTemplate::State::build_grammar_for(const std::vector<msg::Tool>& tools) {
  std::string key;
  for (const msg::Tool& tool : tools) key += tool.name + dump_json(tool.schema.json()) + "\n";
  if (key == grammar_key) return;
  degraded.clear();
  std::vector<common_chat_schema_document> documents;
  documents.reserve(tools.size());
  grammar = build_grammar([&](const common_grammar_builder& builder) {
    std::string calls;
    for (std::size_t i = 0; i < tools.size(); ++i) {
      const ToolGrammar& compiled = tool_grammar(tools[i]);
      if (!compiled.reason.empty()) degraded.push_back(tools[i].name + ": " + compiled.reason);
      documents.push_back(common_chat_schema_from_json(common_json::parse(compiled.schema)));
      const std::string label = tool_rule(i);
      const std::string arguments = builder.add_schema(label + "-args", *documents.back().root);
      const std::string head = tools[i].name + std::string(kCallMiddle);
      calls += calls.empty() ? "" : " | ";
      calls += builder.add_rule(label, gbnf_format_literal(head) + " " + arguments + " " +
                                           gbnf_format_literal(std::string(kCallTail)));
    }
    builder.add_rule("root", calls);
  });
  grammar_key = std::move(key);
}

// --- rendering

namespace {

void add_text(std::string& content, const std::string& text) {
  if (!content.empty() && !text.empty()) content += "\n\n";
  content += text;
}

common_chat_msg assistant_message(const msg::Item& item, SpecialGuard& guard, bool tagged_json) {
  common_chat_msg message;
  message.role = "assistant";
  for (const msg::Block& block : item.blocks) {
    if (const auto* text = std::get_if<msg::Text>(&block))
      message.content += guard.protect(text->text);
    const auto* call = std::get_if<msg::ToolCall>(&block);
    if (call == nullptr || !call->complete) continue;
    if (tagged_json) {
      if (!message.content.empty() && message.content.back() != '\n') message.content += '\n';
      message.content += call_markup(call->name, guard.protect(call->arguments));
    } else {
      message.tool_calls.push_back({call->name, guard.protect(call->arguments), call->id});
    }
  }
  return message;
}

common_chat_msg result_message(const std::string& name, const std::string& id,
                               const std::string& text) {
  common_chat_msg message;
  message.role = "tool";
  message.content = text;
  message.tool_name = name;
  message.tool_call_id = id;
  return message;
}

}  // namespace

std::vector<common_chat_msg> ChatTemplate::State::messages(const model::Request& request,
                                                           SpecialGuard& guard) const {
  std::vector<common_chat_msg> out;
  // Templates that insist on alternating roles refuse two user messages in a row, and the others do
  // not mind one.
  const auto add_user = [&](const std::string& text) {
    if (text.empty()) return;
    if (!out.empty() && out.back().role == "user") return add_text(out.back().content, text);
    common_chat_msg message;
    message.role = "user";
    message.content = text;
    out.push_back(std::move(message));
  };
  std::set<std::string> open;  // calls that have no result yet
  const auto add_result = [&](const std::string& name, const std::string& id,
                              const std::string& text) {
    if (!tagged_json) return out.push_back(result_message(name, id, text));
    // As the templates of this format write it themselves.
    add_user("<tool_response>\n" + text + "\n</tool_response>");
  };
  const auto close_calls = [&] {
    for (const std::string& id : open) add_result("", id, std::string(kNoResult));
    open.clear();
  };
  for (const msg::Item& item : request.items) {
    if (item.role != msg::Role::tool) close_calls();
    const std::string text = guard.protect(msg::plain_text(item));
    if (item.role == msg::Role::system && out.empty()) {
      common_chat_msg message;
      message.role = "system";
      message.content = text;
      out.push_back(std::move(message));
    } else if (item.role == msg::Role::system) {
      add_user("<system-reminder>\n" + text + "\n</system-reminder>");
    } else if (item.role == msg::Role::user) {
      add_user(text);
    } else if (item.role == msg::Role::assistant) {
      common_chat_msg message = assistant_message(item, guard, tagged_json);
      if (message.content.empty() && message.tool_calls.empty()) continue;
      for (const msg::ToolCall& call : msg::tool_calls(item)) {
        if (call.complete) open.insert(call.id);
      }
      out.push_back(std::move(message));
    } else {
      bool added = false;
      bool failed = false;
      for (const msg::Block& block : item.blocks) {
        const auto* result = std::get_if<msg::ToolResult>(&block);
        if (result == nullptr) continue;
        open.erase(result->call_id);
        failed = failed || result->is_error;
        const std::string shown = guard.protect((result->is_error ? "Error: " : "") + result->text);
        add_result(result->name, result->call_id, shown);
        added = true;
      }
      if (tagged_json && added && open.empty())
        add_text(out.back().content, std::string(failed ? kAfterError : kAfterResults));
    }
  }
  return out;
}

common_chat_templates_inputs ChatTemplate::State::inputs(const model::Request& request,
                                                         SpecialGuard& guard) {
  common_chat_templates_inputs in;
  in.messages = messages(request, guard);
  in.enable_thinking = false;
  in.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
  in.parallel_tool_calls = true;
  in.force_pure_content = tagged_json;
  in.add_bos = llama_vocab_get_add_bos(vocab);
  in.chat_template_kwargs["date_string"] = dump_json(Json(pinned_time("%d %b %Y")));
  in.chat_template_kwargs["datetime"] = dump_json(Json(pinned_time("%b %d %Y")));
  switch (request.tool_choice) {
    case model::ToolChoice::automatic:
      in.tool_choice = COMMON_CHAT_TOOL_CHOICE_AUTO;
      break;
    case model::ToolChoice::none:
      in.tool_choice = COMMON_CHAT_TOOL_CHOICE_NONE;
      break;
    case model::ToolChoice::required:
      in.tool_choice = COMMON_CHAT_TOOL_CHOICE_REQUIRED;
      break;
  }
  // The native parser finds calls only of the tools it was given.
  const bool as_before = tagged_json && !request.shown_tools.empty();
  const std::vector<msg::Tool>& listed = as_before ? request.shown_tools : request.tools;
  if (listed.empty()) return in;
  if (tagged_json && !knows_tools) {
    std::string text(kToolsHead);
    for (const msg::Tool& tool : listed) {
      const Json function = {{"type", "function"},
                             {"function",
                              {{"name", tool.name},
                               {"description", tool.description},
                               {"parameters", tool.schema.json()}}}};
      text += "\n" + guard.protect(dump_json(function));
    }
    text += kToolsTail;
    if (in.messages.empty() || in.messages.front().role != "system") {
      common_chat_msg message;
      message.role = "system";
      in.messages.insert(in.messages.begin(), std::move(message));
    }
    add_text(in.messages.front().content, text);
    return in;
  }
  const bool one = request.tool_choice == model::ToolChoice::required && !request.tool.empty();
  for (const msg::Tool& tool : listed) {
    // A call in the template's own format cannot be held to one tool but by showing no other.
    if (one && !tagged_json && tool.name != request.tool) continue;
    // The native parser compiles the schemas itself, so it is given those that compile.
    const std::string schema =
        tagged_json ? dump_json(tool.schema.json()) : tool_grammar(tool).schema;
    in.tools.push_back({tool.name, guard.protect(tool.description), guard.protect(schema)});
  }
  return in;
}

common_chat_params ChatTemplate::State::apply(const model::Request& request, SpecialGuard& guard) {
  return common_chat_templates_apply(templates.get(), inputs(request, guard));
}

void ChatTemplate::State::tokenize_into(std::vector<Token>& out, const std::string& text,
                                        bool first, bool special) const {
  const auto length = static_cast<std::int32_t>(text.size());
  const std::size_t from = out.size();
  out.resize(from + text.size() + 2);
  const std::int32_t count =
      llama_tokenize(vocab, text.data(), length, out.data() + from,
                     static_cast<std::int32_t>(out.size() - from), first, special);
  KEEL_ASSERT(count >=
              0);  // no text has more tokens than bytes, but for the two that begin and end it
  out.resize(from + static_cast<std::size_t>(count));
}

std::vector<Token> ChatTemplate::State::tokenize_parts(
    const std::vector<SpecialGuard::Part>& parts) const {
  std::vector<Token> tokens;
  bool first = true;
  for (const SpecialGuard::Part& part : parts) {
    tokenize_into(tokens, part.text, first, !part.literal);
    first = false;
  }
  return tokens;
}

std::string tool_rule(std::size_t index) {
  return "t" + std::to_string(index);
}

// --- the public face

ChatTemplate::ChatTemplate(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChatTemplate::~ChatTemplate() = default;

Result<std::unique_ptr<ChatTemplate>> ChatTemplate::create(const llama_model* model) {
  common_log_pause(common_log_main());
  auto state = std::make_unique<State>();
  state->model = model;
  state->vocab = llama_model_get_vocab(model);
  if (llama_vocab_type(state->vocab) == LLAMA_VOCAB_TYPE_NONE) {
    return fail(Code::unsupported, "the model has no vocabulary", "choose a model for chatting");
  }
  const char* text = llama_model_chat_template(model, nullptr);
  state->source = text == nullptr ? "" : text;
  try {
    const std::string changed = mend_call_format(pin_dates(state->source));
    state->templates = common_chat_templates_init(model, changed == state->source ? "" : changed);
    state->knows_tools = common_chat_templates_get_caps(state->templates.get())["supports_tools"];
    state->source = common_chat_templates_source(state->templates.get());
  } catch (const std::exception& e) {
    return fail(Code::unsupported,
                "the model's chat template cannot be used: " + printable(e.what()),
                "choose another model file; a newer conversion of the same model may do");
  }
  state->tagged_json = is_tagged_json(state->source) || !state->knows_tools;
  const auto type = llama_vocab_type(state->vocab);
  // These tokenizers put a space before every text they are given, so a text may not be tokenised
  // in parts.
  state->breaking = type == LLAMA_VOCAB_TYPE_SPM || type == LLAMA_VOCAB_TYPE_UGM;
  state->specials = SpecialTexts(special_texts(state->vocab));
  return std::unique_ptr<ChatTemplate>(new ChatTemplate(std::move(state)));
}

// The prompt's text and tokens.
Result<common_chat_params> ChatTemplate::fill(const model::Request& request, Prompt& prompt) {
  if (request.items.empty()) return fail(Code::invalid_argument, "there is nothing to answer");
  const std::size_t most = std::max(request.tools.size(), request.shown_tools.size());
  if (most > limits::tools) {
    return fail(Code::limit, "there are " + std::to_string(most) + " tools, more than " +
                                 std::to_string(limits::tools));
  }
  common_chat_params params;
  try {
    auto guard = std::make_unique<SpecialGuard>(state_->specials, state_->breaking);
    params = state_->apply(request, *guard);
    if (guard->lost(params.prompt)) {
      guard = std::make_unique<SpecialGuard>(state_->specials, true);
      params = state_->apply(request, *guard);
    }
    prompt.tokens = state_->tokenize_parts(guard->split(params.prompt));
  } catch (const std::exception& e) {
    return fail(Code::unsupported,
                "the model's chat template refused the conversation: " + printable(e.what()));
  }
  return params;
}

Result<std::int64_t> ChatTemplate::count(const model::Request& request) {
  Prompt prompt;
  TRY(fill(request, prompt));
  return static_cast<std::int64_t>(prompt.tokens.size());
}

Result<Prompt> ChatTemplate::render(const model::Request& request) {
  Prompt prompt;
  const common_chat_params params = TRY(fill(request, prompt));
  prompt.tagged_json = state_->tagged_json;
  prompt.text = params.prompt;
  prompt.turn_end = before_mark(prompt.tokens, tokenize(params.generation_prompt, true));
  const bool may_call = !request.tools.empty() && request.tool_choice != model::ToolChoice::none;
  for (const msg::Tool& tool : request.tools) prompt.tool_names.push_back(tool.name);
  prompt.call_required = may_call && request.tool_choice == model::ToolChoice::required;
  prompt.starts_thinking = ends_with_open_thinking(prompt.text);
  if (!state_->tagged_json) return with_native(std::move(prompt), params);
  if (!may_call) return prompt;
  try {
    state_->build_grammar_for(request.tools);
  } catch (const std::exception& e) {
    return fail(Code::unsupported,
                "the model's chat template refused the conversation: " + printable(e.what()));
  }
  prompt.grammar = state_->grammar;
  prompt.degraded = state_->degraded;
  return prompt;
}

std::vector<Token> ChatTemplate::tokenize(const std::string& text, bool special) const {
  std::vector<Token> tokens;
  state_->tokenize_into(tokens, text, false, special);
  return tokens;
}

const std::string& ChatTemplate::piece(Token token) {
  static const std::string none;
  // Who only counts needs none of them.
  if (state_->pieces.empty()) {
    state_->pieces.resize(static_cast<std::size_t>(llama_vocab_n_tokens(state_->vocab)));
    state_->piece_known.resize(state_->pieces.size());
  }
  const auto index = static_cast<std::size_t>(token);
  if (token < 0 || index >= state_->pieces.size()) return none;
  std::string& piece = state_->pieces[index];
  if (state_->piece_known[index]) return piece;
  const bool control = (llama_vocab_get_attr(state_->vocab, token) & LLAMA_TOKEN_ATTR_CONTROL) != 0;
  const std::string text = llama_vocab_get_text(state_->vocab, token);
  // Control tokens are never text, but some vocabularies mark the tags that a reader looks for as
  // control tokens.
  const bool wanted = !control || !state_->tagged_json || text == kCallOpen ||
                      text == "</tool_call>" || text == "<think>" || text == "</think>";
  piece.resize(64);
  std::int32_t size = llama_token_to_piece(state_->vocab, token, piece.data(), 64, 0, wanted);
  if (size < 0) {
    piece.resize(static_cast<std::size_t>(-size));
    size = llama_token_to_piece(state_->vocab, token, piece.data(), -size, 0, wanted);
  }
  piece.resize(static_cast<std::size_t>(std::max(size, 0)));
  state_->piece_known[index] = true;
  return piece;
}

Result<Prompt> ChatTemplate::with_native(Prompt prompt, const common_chat_params& params) const {
  try {
    prompt.native = std::make_shared<NativeParser>();
    prompt.native->params = common_chat_parser_params(params);
    prompt.native->params.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
    if (!params.parser.empty()) prompt.native->params.parser.load(params.parser);
    prompt.grammar = params.grammar;
    prompt.grammar_lazy = params.grammar_lazy;
    prompt.stops = params.additional_stops;
    // A grammar that holds from the start begins with what the template has already written of the
    // answer.
    if (!prompt.grammar_lazy) prompt.grammar_prefill = tokenize(params.generation_prompt, true);
    for (const common_grammar_trigger& trigger : params.grammar_triggers) {
      switch (trigger.type) {
        case COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN:
          prompt.trigger_tokens.push_back(trigger.token);
          break;
        case COMMON_GRAMMAR_TRIGGER_TYPE_WORD: {
          const std::vector<Token> tokens = tokenize(trigger.value, true);
          if (tokens.size() == 1)
            prompt.trigger_tokens.push_back(tokens.front());
          else
            prompt.trigger_patterns.push_back(regex_escape(trigger.value));
          break;
        }
        case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN:
          prompt.trigger_patterns.push_back(trigger.value);
          break;
        case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL:
          prompt.trigger_patterns.push_back("^" + trigger.value + "$");
          break;
      }
    }
  } catch (const std::exception& e) {
    return fail(Code::unsupported,
                "the model's tool-call format cannot be read: " + printable(e.what()));
  }
  return prompt;
}

Result<msg::Item> ChatTemplate::parse_native(const Prompt& prompt, const std::string& raw,
                                             bool partial) const {
  msg::Item item{msg::Role::assistant, {}};
  try {
    const common_chat_msg message = common_chat_parse(raw, partial, prompt.native->params);
    if (!message.reasoning_content.empty())
      item.blocks.push_back(msg::Thinking{message.reasoning_content, ""});
    if (!message.content.empty()) item.blocks.push_back(msg::Text{message.content});
    for (const common_chat_tool_call& call : message.tool_calls) {
      item.blocks.push_back(msg::ToolCall{call.id, call.name, call.arguments, !partial});
    }
  } catch (const std::exception& e) {
    return fail(Code::invalid_argument,
                "the answer is not in the template's format: " + printable(e.what()));
  }
  return item;
}

}  // namespace keel::local
