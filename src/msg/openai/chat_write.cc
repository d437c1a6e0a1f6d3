#include <algorithm>

#include "base/limits.h"
#include "base/text.h"
#include "msg/openai/chat_request.h"
#include "msg/openai/part.h"

namespace keel::msg::chat {
namespace {

constexpr Dialect to = Dialect::chat;

class RequestWriter {
 public:
  RequestWriter(Conversation conversation, const Target& target)
      : c_(std::move(conversation)), target_(target) {}

  bool prepare() {
    return openai::prepare(
        c_, target_, to, target_.short_ids ? IdForm::nine : IdForm::chat,
        [this](const Thinking& thinking, bool own) { return judge(thinking, own); }, written_);
  }

  Written write(std::string_view same) {
    if (!same.empty()) {
      written_.body = same;
      return std::move(written_);
    }
    Writer w;
    w.object().text("model", c_.params.model).key("messages").array();
    for (std::size_t i = 0; i < c_.items.size(); ++i) {
      write_item(w, i);
      const bool results_go_on = i + 1 < c_.items.size() && c_.items[i + 1].role == Role::tool;
      if (!lifted_.empty() && !results_go_on) write_lifted(w);
    }
    w.end_array();
    write_tools(w);
    write_params(w);
    write_extras(w, c_.params.extras, to, written_.losses, "params");
    written_.body = w.end_object().take();
    return std::move(written_);
  }

 private:
  void lose(Lost what, std::string where, std::string why) {
    written_.losses.push_back({what, std::move(where), std::move(why)});
  }

  std::optional<Loss> judge(const Thinking& thinking, bool own) const {
    const bool words = thinking.kind != ThinkingKind::redacted && !thinking.text.empty();
    const bool foreign =
        thinking.dialect == Dialect::anthropic || thinking.dialect == Dialect::responses;
    if (!target_.reasoning_key.empty() && own && words && !foreign) return std::nullopt;
    return Loss{Lost::thinking, {}, "a thought has no place in this conversation"};
  }

  void write_item(Writer& w, std::size_t i) {
    const Item& item = c_.items[i];
    const std::string where = "items." + std::to_string(i);
    if (item.role == Role::tool) return write_results(w, i);
    if (item.role == Role::assistant) return write_answer(w, item, where);
    std::vector<const Block*> blocks;
    for (const Block& block : item.blocks) blocks.push_back(&block);
    w.object().text("role", item.role != Role::system ? "user"
                            : item.developer          ? "developer"
                                                      : "system");
    w.key("content");
    write_content(w, blocks, where);
    write_extras(w, item.extras, to, written_.losses, where);
    w.end_object();
  }

  void write_answer(Writer& w, const Item& item, const std::string& where) {
    std::vector<const Block*> content;
    std::vector<const ToolCall*> calls;
    std::string thoughts;
    for (std::size_t b = 0; b < item.blocks.size(); ++b) {
      const Block& block = item.blocks[b];
      if (const auto* call = std::get_if<ToolCall>(&block)) {
        calls.push_back(call);
        continue;
      }
      const auto* thinking = std::get_if<Thinking>(&block);
      if (!calls.empty() || (thinking != nullptr && !content.empty())) {
        lose(Lost::order, where, "thoughts come first here, then text, then calls");
      }
      if (thinking != nullptr) {
        if (!thoughts.empty()) {
          thoughts += "\n";
          lose(Lost::boundary, where, "there is one thought in an answer here");
        }
        thoughts += thinking->text;
        if (!thinking->signature.empty()) {
          lose(Lost::signature, where, "a thought has no signature here");
        }
      } else {
        content.push_back(&block);
      }
    }
    w.object().text("role", "assistant");
    if (!thoughts.empty()) w.text(target_.reasoning_key, thoughts);
    w.key("content");
    const auto* refusal = content.size() == 1 ? std::get_if<Refusal>(content[0]) : nullptr;
    if (content.empty() || refusal != nullptr) {
      w.null();
    } else {
      write_content(w, content, where);
    }
    if (refusal != nullptr) w.text("refusal", refusal->text);
    if (!calls.empty()) {
      w.key("tool_calls").array();
      for (const ToolCall* call : calls) write_call(w, *call, where);
      w.end_array();
    }
    write_extras(w, item.extras, to, written_.losses, where);
    w.end_object();
  }

  void write_call(Writer& w, const ToolCall& call, const std::string& where) {
    if (const std::string_view same = passes(call, to, target_); !same.empty()) {
      w.raw(same);
      return;
    }
    const bool custom = call.kind == CallKind::custom;
    const bool none = call.arguments.find_first_not_of(" \n\r\t") == std::string::npos;
    w.object().text("id", call.id).text("type", custom ? "custom" : "function");
    w.key(custom ? "custom" : "function").object().text("name", call.name);
    w.text(custom ? "input" : "arguments", none && !custom ? "{}" : call.arguments).end_object();
    write_extras(w, call.extras, to, written_.losses, where);
    w.end_object();
  }

  // Tool messages hold text; their images follow in a user message that says whose they are. That
  // comes after all results: services refuse anything else between them.
  void write_results(Writer& w, std::size_t i) {
    const Item& item = c_.items[i];
    const std::string where = "items." + std::to_string(i);
    for (const Block& block : item.blocks) {
      const auto* result = std::get_if<ToolResult>(&block);
      if (result == nullptr) continue;
      if (const std::string_view same = passes(*result, to, target_); !same.empty()) {
        w.raw(same);
        continue;
      }
      std::vector<Block> texts;
      for (const auto& part : result->parts) {
        if (std::holds_alternative<Image>(part) || std::holds_alternative<Document>(part)) {
          lifted_.push_back({result->call_id, &part, where});
          lose(Lost::order, where, "what a tool showed moved to a user message");
        } else if (const auto* text = std::get_if<Text>(&part)) {
          texts.emplace_back(*text);
        } else {
          const auto* opaque = std::get_if<Opaque>(&part);
          if (opaque != nullptr) texts.emplace_back(*opaque);
        }
      }
      if (result->parts.empty()) texts.emplace_back(Text{result->text});
      write_result(w, *result, std::move(texts), where);
    }
    write_extras(w, item.extras, to, written_.losses, where);
  }

  void write_lifted(Writer& w) {
    w.object().text("role", "user").key("content").array();
    for (const auto& [id, part, where] : lifted_) {
      w.object().text("type", "text");
      w.text("text", "[From the result of the tool call " + json_quoted(id) + ":]").end_object();
      write_part(w, std::visit([](const auto& p) { return Block(p); }, *part), where);
    }
    w.end_array().end_object();
    lifted_.clear();
  }

  void write_result(Writer& w, const ToolResult& result, std::vector<Block> texts,
                    const std::string& where) {
    if (texts.empty()) texts.emplace_back(Text{"[The result follows.]"});
    if (result.is_error) {
      lose(Lost::error_mark, where, "that the tool failed is said in words");
      auto* first = std::get_if<Text>(&texts[0]);
      if (first != nullptr) {
        first->text = "[The tool failed.] " + first->text;
      } else {
        texts.insert(texts.begin(), Text{"[The tool failed.]"});
      }
    }
    w.object().text("role", "tool").text("tool_call_id", result.call_id).key("content");
    std::vector<const Block*> blocks;
    for (const Block& block : texts) blocks.push_back(&block);
    write_content(w, blocks, where);
    write_extras(w, result.extras, to, written_.losses, where);
    w.end_object();
  }

  void write_content(Writer& w, const std::vector<const Block*>& blocks, const std::string& where) {
    const auto is_text = [](const Block* block) { return std::holds_alternative<Text>(*block); };
    const bool texts = std::all_of(blocks.begin(), blocks.end(), is_text);
    const auto* only = blocks.size() == 1 && texts ? std::get_if<Text>(blocks[0]) : nullptr;
    if (only != nullptr) {
      const std::string_view same = passes(*only, to, target_);
      if (!same.empty() && same[0] == '"') {
        w.raw(same);
        return;
      }
      if (same.empty() && own_extras(only->extras) == 0) {
        lose_extras(only->extras, where);
        w.string(only->text);
        return;
      }
    }
    if (texts && target_.plain_content) {
      std::vector<std::string> parts;
      for (const Block* block : blocks) {
        parts.push_back(std::get<Text>(*block).text);
        lose_extras(std::get<Text>(*block).extras, where);
      }
      if (parts.size() > 1) lose(Lost::boundary, where, "several texts are one string here");
      w.string(join(parts, "\n\n"));
      return;
    }
    w.array();
    for (const Block* block : blocks) write_part(w, *block, where);
    w.end_array();
  }

  static std::size_t own_extras(const Extras& extras) {
    return static_cast<std::size_t>(std::count_if(extras.begin(), extras.end(),
                                                  [](const Extra& e) { return e.dialect == to; }));
  }
  void lose_extras(const Extras& extras, const std::string& where) {
    Writer nowhere;
    write_extras(nowhere, extras, to, written_.losses, where);
  }

  void write_part(Writer& w, const Block& block, const std::string& where) {
    const auto finish = [&](const Extras& extras) {
      write_extras(w, extras, to, written_.losses, where);
      w.end_object();
    };
    if (const auto* opaque = std::get_if<Opaque>(&block)) {
      w.raw(opaque->json);
    } else if (const auto* text = std::get_if<Text>(&block)) {
      const std::string_view same = passes(*text, to, target_);
      if (!same.empty() && same[0] == '{') return void(w.raw(same));
      w.object().text("type", "text").text("text", text->text);
      finish(text->extras);
    } else if (const auto* refusal = std::get_if<Refusal>(&block)) {
      w.object().text("type", "refusal").text("refusal", refusal->text);
      finish(refusal->extras);
    } else if (const auto* image = std::get_if<Image>(&block)) {
      const std::string_view same = passes(*image, to, target_);
      if (!same.empty()) return void(w.raw(same));
      w.object().text("type", "image_url").key("image_url").object();
      w.text("url", openai::data_url(image->source));
      if (!image->detail.empty()) w.text("detail", image->detail);
      w.end_object();
      finish(image->extras);
    } else if (const auto* document = std::get_if<Document>(&block)) {
      const std::string_view same = passes(*document, to, target_);
      if (!same.empty()) return void(w.raw(same));
      w.object().text("type", "file").key("file").object();
      if (document->source.from == Media::From::file_id) {
        w.text("file_id", document->source.data);
        if (!document->title.empty()) w.text("filename", document->title);
      } else {
        w.text("filename", document->title.empty() ? "document" : document->title);
        w.text("file_data", openai::data_url(document->source));
      }
      w.end_object();
      finish(document->extras);
    }
  }

  void write_tools(Writer& w) {
    for (std::size_t t = 0; t < c_.tools.size(); ++t) {
      const Tool& tool = c_.tools[t];
      const std::string where = "tools." + std::to_string(t);
      const std::string_view same = passes(tool, to, target_);
      if (tool.kind == ToolKind::server && same.empty()) {
        lose(Lost::tool, where, "the server tool " + json_quoted(tool.type) + " is unknown here");
        continue;
      }
      if (!has_tools_) w.key("tools").array();
      has_tools_ = true;
      if (!same.empty()) {
        w.raw(same);
        continue;
      }
      const std::string_view kind = tool.kind == ToolKind::custom ? "custom" : "function";
      w.object().text("type", kind).key(kind).object().text("name", tool.name);
      if (!tool.description.empty()) w.text("description", tool.description);
      if (tool.kind == ToolKind::function) w.member("parameters", tool.schema.text());
      if (tool.strict) w.key("strict").boolean(*tool.strict);
      write_extras(w, tool.extras, to, written_.losses, where, kind);
      w.end_object();
      write_extras(w, tool.extras, to, written_.losses, where);
      w.end_object();
    }
    if (has_tools_) w.end_array();
  }

  void write_params(Writer& w) {
    const Params& p = c_.params;
    write_choice(w);
    if (p.parallel && has_tools_) w.key("parallel_tool_calls").boolean(*p.parallel);
    if (p.max_tokens)
      w.count(target_.old_max_tokens ? "max_tokens" : "max_completion_tokens", *p.max_tokens);
    if (!p.stops.empty()) {
      const std::size_t most = limits::chat_stops;
      if (p.stops.size() > most) lose(Lost::parameter, "params.stops", "only four are allowed");
      w.key("stop").array();
      for (std::size_t s = 0; s < std::min(most, p.stops.size()); ++s) w.string(p.stops[s]);
      w.end_array();
    }
    if (p.temperature) w.key("temperature").number(*p.temperature);
    if (p.top_p) w.key("top_p").number(*p.top_p);
    if (p.top_k) lose(Lost::parameter, "params.top_k", "there is no top_k here");
    if (p.seed) w.count("seed", *p.seed);
    const std::string effort = openai::effort_word(p.thinking, written_.losses);
    if (!effort.empty()) w.text("reasoning_effort", effort);
    if (!p.thinking.display.empty()) {
      lose(Lost::parameter, "params.thinking.display", "thoughts are not shown here");
    }
    write_format(w);
    if (!p.user.empty()) w.text("user", p.user);
    if (!p.affinity.empty()) w.text("prompt_cache_key", p.affinity);
    if (p.stream) w.key("stream").boolean(true);
    if (p.stream_usage || has_extras(p.extras, to, "stream_options")) {
      w.key("stream_options").object();
      if (p.stream_usage) w.key("include_usage").boolean(*p.stream_usage);
      write_extras(w, p.extras, to, written_.losses, "params", "stream_options");
      w.end_object();
    }
  }

  void write_choice(Writer& w) {
    const ToolChoice& choice = c_.params.tool_choice;
    using Kind = ToolChoice::Kind;
    if (choice.kind == Kind::unset) return;
    if (!has_tools_) {
      return lose(Lost::tool_choice, "params.tool_choice", "there are no tools to choose from");
    }
    w.key("tool_choice");
    if (choice.kind == Kind::named) {
      const std::string_view kind = choice.call == CallKind::custom ? "custom" : "function";
      w.object().text("type", kind).key(kind).object().text("name", choice.name);
      w.end_object().end_object();
    } else {
      w.string(choice.kind == Kind::none ? "none" : choice.kind == Kind::any ? "required" : "auto");
    }
  }

  void write_format(Writer& w) {
    const AnswerFormat& format = c_.params.format;
    using Kind = AnswerFormat::Kind;
    if (format.kind == Kind::unset) return;
    w.key("response_format").object();
    if (format.kind != Kind::json_schema) {
      w.text("type", format.kind == Kind::text ? "text" : "json_object").end_object();
      return;
    }
    w.text("type", "json_schema").key("json_schema").object();
    w.text("name", format.name.empty() ? "answer" : format.name).member("schema", format.schema);
    if (format.strict) w.key("strict").boolean(*format.strict);
    write_extras(w, c_.params.extras, to, written_.losses, "params", "response_format");
    w.end_object().end_object();
  }

  struct Lifted {
    std::string id;  // of the call
    const ToolResult::Part* part;
    std::string where;
  };

  Conversation c_;
  const Target& target_;
  std::vector<Lifted> lifted_;  // from results, for the user message behind them
  Written written_;
  bool has_tools_ = false;
};

}  // namespace

Written write_request(const Conversation& conversation, const Target& target) {
  RequestWriter writer(conversation, target);
  const bool untouched = writer.prepare();
  return writer.write(untouched ? passes(conversation, to, target) : "");
}

}  // namespace keel::msg::chat
