#include <algorithm>
#include <deque>

#include "base/text.h"
#include "msg/openai/part.h"
#include "msg/openai/responses_request.h"

namespace keel::msg::responses {
namespace {

constexpr Dialect to = Dialect::responses;

class RequestWriter {
 public:
  RequestWriter(Conversation conversation, const Target& target)
      : c_(std::move(conversation)), target_(target) {
    written_.names = ToolNames(false);  // namespaces stay what they are
  }

  bool prepare() { return openai::prepare(c_, target_, to, IdForm::responses, judge, written_); }

  Written write(std::string_view same) {
    if (!same.empty()) {
      written_.body = same;
      return std::move(written_);
    }
    Writer w;
    w.object().text("model", c_.params.model);
    const std::size_t first = write_instructions(w);
    w.key("input").array();
    for (std::size_t i = first; i < c_.items.size(); ++i) {
      const std::string where = "items." + std::to_string(i);
      if (c_.items[i].role == Role::assistant) {
        write_answer(w, c_.items[i], where);
      } else if (c_.items[i].role == Role::tool) {
        write_results(w, c_.items[i], where);
      } else {
        write_message(w, c_.items[i], where);
      }
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

  static std::optional<Loss> judge(const Thinking& thinking, bool own) {
    const bool keels = thinking.signature.starts_with(keel_signature);
    if (own && !keels && thinking.dialect == to) return std::nullopt;
    return Loss{thinking.signature.empty() ? Lost::thinking : Lost::signature,
                {},
                "a thought that this model did not have would be refused"};
  }

  // The first system item. Returns the index after it.
  std::size_t write_instructions(Writer& w) {
    if (c_.items.empty() || c_.items[0].role != Role::system || c_.items[0].developer) return 0;
    std::vector<std::string> texts;
    for (const Block& block : c_.items[0].blocks) {
      const auto* text = std::get_if<Text>(&block);
      if (text == nullptr) return 0;
      texts.push_back(text->text);
      Writer nowhere;
      write_extras(nowhere, text->extras, Dialect::none, written_.losses, "items.0");
    }
    if (texts.size() > 1) lose(Lost::boundary, "items.0", "instructions are one text here");
    w.text("instructions", join(texts, "\n\n"));
    return 1;
  }

  void write_message(Writer& w, const Item& item, const std::string& where) {
    w.object().text("type", "message");
    w.text("role", item.role != Role::system ? "user" : item.developer ? "developer" : "system");
    w.key("content");
    std::vector<const Block*> blocks;
    std::deque<Block> said;  // in place of refusals
    for (const Block& block : item.blocks) {
      const auto* refusal = std::get_if<Refusal>(&block);
      if (refusal != nullptr) {
        lose(Lost::refusal, where, "only an answer can hold a refusal");
        said.emplace_back(Text{refusal->text, {}, refusal->extras});
      }
      blocks.push_back(refusal != nullptr ? &said.back() : &block);
    }
    write_content(w, blocks, where, false);
    write_extras(w, item.extras, to, written_.losses, where);
    w.end_object();
  }

  void write_answer(Writer& w, const Item& item, const std::string& where) {
    for (std::size_t b = 0; b < item.blocks.size();) {
      const Block& block = item.blocks[b];
      if (const auto* call = std::get_if<ToolCall>(&block)) {
        write_call(w, *call, where);
        ++b;
      } else if (const auto* thinking = std::get_if<Thinking>(&block)) {
        write_thinking(w, *thinking, where);
        ++b;
      } else if (const auto* opaque = std::get_if<Opaque>(&block)) {
        w.raw(opaque->json);
        ++b;
      } else {
        std::vector<const Block*> parts;
        const std::string id = id_of(block);
        while (b < item.blocks.size() && is_words(item.blocks[b]) &&
               (parts.empty() || id_of(item.blocks[b]) == id)) {
          parts.push_back(&item.blocks[b++]);
        }
        w.object().text("type", "message").text("role", "assistant");
        if (!id.empty()) w.text("id", id);
        w.key("content");
        write_content(w, parts, where, true);
        write_extras(w, extras_of(*parts[0]), to, written_.losses, where, "message");
        w.end_object();
      }
    }
    Writer nowhere;
    write_extras(nowhere, item.extras, Dialect::none, written_.losses, where);
  }

  // What is not text or a refusal was made words before (settle_media).
  static bool is_words(const Block& block) {
    return std::holds_alternative<Text>(block) || std::holds_alternative<Refusal>(block);
  }
  static std::string id_of(const Block& block) {
    const auto* text = std::get_if<Text>(&block);
    const auto* refusal = std::get_if<Refusal>(&block);
    return text != nullptr ? text->id : refusal != nullptr ? refusal->id : "";
  }

  static const Extras& extras_of(const Block& block) {
    const auto* text = std::get_if<Text>(&block);
    return text != nullptr ? text->extras : std::get<Refusal>(block).extras;
  }

  void write_content(Writer& w, const std::vector<const Block*>& blocks, const std::string& where,
                     bool answer) {
    const auto* only = blocks.size() == 1 ? std::get_if<Text>(blocks[0]) : nullptr;
    if (only != nullptr) {
      const std::string_view same = passes(*only, to, target_);
      if (!same.empty() && same[0] == '"') return void(w.raw(same));
      const bool plain = std::none_of(only->extras.begin(), only->extras.end(),
                                      [](const Extra& e) { return e.dialect == to; });
      if (same.empty() && plain && !answer) {
        Writer nowhere;
        write_extras(nowhere, only->extras, to, written_.losses, where);
        return void(w.string(only->text));
      }
    }
    w.array();
    for (const Block* block : blocks) write_part(w, *block, where, answer);
    w.end_array();
  }

  void write_part(Writer& w, const Block& block, const std::string& where, bool answer) {
    const auto finish = [&](const Extras& extras) {
      write_extras(w, extras, to, written_.losses, where);
      w.end_object();
    };
    if (const auto* opaque = std::get_if<Opaque>(&block)) {
      w.raw(opaque->json);
    } else if (const auto* text = std::get_if<Text>(&block)) {
      const std::string_view same = passes(*text, to, target_);
      if (!same.empty() && same[0] == '{') return void(w.raw(same));
      w.object().text("type", answer ? "output_text" : "input_text").text("text", text->text);
      finish(text->extras);
    } else if (const auto* refusal = std::get_if<Refusal>(&block)) {
      w.object().text("type", "refusal").text("refusal", refusal->text);
      finish(refusal->extras);
    } else if (const auto* image = std::get_if<Image>(&block)) {
      const std::string_view same = passes(*image, to, target_);
      if (!same.empty()) return void(w.raw(same));
      w.object().text("type", "input_image");
      const bool file = image->source.from == Media::From::file_id;
      w.text(file ? "file_id" : "image_url", openai::data_url(image->source));
      if (!image->detail.empty()) w.text("detail", image->detail);
      finish(image->extras);
    } else if (const auto* document = std::get_if<Document>(&block)) {
      const std::string_view same = passes(*document, to, target_);
      if (!same.empty()) return void(w.raw(same));
      w.object().text("type", "input_file");
      using From = Media::From;
      const From from = document->source.from;
      if (!document->title.empty()) w.text("filename", document->title);
      if (document->title.empty() && from == From::base64) w.text("filename", "document");
      w.text(from == From::file_id ? "file_id"
             : from == From::url   ? "file_url"
                                   : "file_data",
             openai::data_url(document->source));
      finish(document->extras);
    }
  }

  void write_thinking(Writer& w, const Thinking& thinking, const std::string& where) {
    if (const auto same = passes(thinking, to, target_); !same.empty()) return void(w.raw(same));
    w.object().text("type", "reasoning");
    if (!thinking.id.empty()) w.text("id", thinking.id);
    w.key("summary").array();
    const bool full = thinking.kind == ThinkingKind::full;
    if (!full && !thinking.text.empty()) {
      w.object().text("type", "summary_text").text("text", thinking.text).end_object();
    }
    w.end_array();
    if (full && !thinking.text.empty()) {
      w.key("content").array().object().text("type", "reasoning_text").text("text", thinking.text);
      w.end_object().end_array();
    }
    if (!thinking.signature.empty()) w.text("encrypted_content", thinking.signature);
    write_extras(w, thinking.extras, to, written_.losses, where);
    w.end_object();
  }

  void write_call(Writer& w, const ToolCall& call, const std::string& where) {
    if (const auto same = passes(call, to, target_); !same.empty()) return void(w.raw(same));
    const bool custom = call.kind == CallKind::custom;
    const bool none = call.arguments.find_first_not_of(" \n\r\t") == std::string::npos;
    w.object().text("type", custom ? "custom_tool_call" : "function_call");
    if (!call.item_id.empty()) w.text("id", call.item_id);
    w.text("call_id", call.id).text("name", call.name);
    if (!call.space.empty()) w.text("namespace", call.space);
    w.text(custom ? "input" : "arguments", none && !custom ? "{}" : call.arguments);
    write_extras(w, call.extras, to, written_.losses, where);
    w.end_object();
  }

  void write_results(Writer& w, const Item& item, const std::string& where) {
    for (const Block& block : item.blocks) {
      const auto* result = std::get_if<ToolResult>(&block);
      if (result == nullptr) continue;
      if (const auto same = passes(*result, to, target_); !same.empty()) {
        w.raw(same);
        continue;
      }
      const bool custom = result->kind == CallKind::custom;
      w.object().text("type", custom ? "custom_tool_call_output" : "function_call_output");
      if (!result->item_id.empty()) w.text("id", result->item_id);
      w.text("call_id", result->call_id).key("output");
      std::vector<Block> parts;
      if (result->is_error && !result->parts.empty()) {
        parts.emplace_back(Text{"[The tool failed.]"});
      }
      for (const auto& part : result->parts) {
        parts.push_back(std::visit([](const auto& p) { return Block(p); }, part));
      }
      if (result->is_error) lose(Lost::error_mark, where, "that the tool failed is said in words");
      if (parts.empty()) w.string((result->is_error ? "[The tool failed.] " : "") + result->text);
      if (!parts.empty()) {
        w.array();
        for (const Block& part : parts) write_part(w, part, where, false);
        w.end_array();
      }
      write_extras(w, result->extras, to, written_.losses, where);
      w.end_object();
    }
    Writer nowhere;
    write_extras(nowhere, item.extras, Dialect::none, written_.losses, where);
  }

  void write_tools(Writer& w) {
    std::string space;
    for (std::size_t t = 0; t < c_.tools.size(); ++t) {
      const Tool& tool = c_.tools[t];
      const std::string where = "tools." + std::to_string(t);
      const std::string_view same = passes(tool, to, target_);
      if (tool.kind == ToolKind::server && same.empty() && tool.wire.dialect != to) {
        lose(Lost::tool, where, "the server tool " + json_quoted(tool.type) + " is unknown here");
        continue;
      }
      if (!has_tools_) w.key("tools").array();
      has_tools_ = true;
      if (tool.space != space) {
        if (!space.empty()) w.end_array().end_object();
        space = tool.space;
        if (!space.empty()) {
          w.object().text("type", "namespace").text("name", space);
          write_extras(w, tool.extras, to, written_.losses, where, "namespace");
          w.key("tools").array();
        }
      }
      if (!same.empty() || tool.kind == ToolKind::server) {
        w.raw(same.empty() ? std::string_view(tool.wire.bytes) : same);
        continue;
      }
      w.object().text("type", tool.kind == ToolKind::custom ? "custom" : "function");
      w.text("name", tool.name);
      if (!tool.description.empty()) w.text("description", tool.description);
      if (tool.kind == ToolKind::function) {
        w.member("parameters", tool.schema.text());
        // Strict is what the server takes silence for; other dialects' tools are not meant so.
        const bool silent = tool.wire.dialect == to && !tool.strict;
        if (!silent) w.key("strict").boolean(tool.strict.value_or(false));
      }
      write_extras(w, tool.extras, to, written_.losses, where);
      w.end_object();
    }
    if (!space.empty()) w.end_array().end_object();
    if (has_tools_) w.end_array();
  }

  void write_params(Writer& w) {
    const Params& p = c_.params;
    write_choice(w);
    if (p.parallel && has_tools_) w.key("parallel_tool_calls").boolean(*p.parallel);
    if (p.max_tokens) w.count("max_output_tokens", *p.max_tokens);
    if (!p.stops.empty()) lose(Lost::parameter, "params.stops", "there are no stop sequences here");
    if (p.temperature) w.key("temperature").number(*p.temperature);
    if (p.top_p) w.key("top_p").number(*p.top_p);
    if (p.top_k) lose(Lost::parameter, "params.top_k", "there is no top_k here");
    if (p.seed) lose(Lost::parameter, "params.seed", "there is no seed here");
    write_reasoning(w);
    write_format(w);
    if (!p.user.empty()) w.text("user", p.user);
    if (!p.affinity.empty()) w.text("prompt_cache_key", p.affinity);
    if (p.stream) w.key("stream").boolean(true);
    const auto given = [&](std::string_view key) {
      return std::any_of(p.extras.begin(), p.extras.end(),
                         [&](const Extra& e) { return e.dialect == to && e.key == key; });
    };
    // Another dialect's client does not expect its words to be kept, and can only go on with a
    // thought that comes along.
    if (c_.wire.dialect == to) return;
    if (!given("store")) w.key("store").boolean(false);
    if (p.thinking.on() && !given("include")) {
      w.key("include").array().string("reasoning.encrypted_content").end_array();
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
      w.object().text("type", choice.call == CallKind::custom ? "custom" : "function");
      w.text("name", choice.name).end_object();
    } else {
      w.string(choice.kind == Kind::none ? "none" : choice.kind == Kind::any ? "required" : "auto");
    }
  }

  void write_reasoning(Writer& w) {
    const ThinkingWish& wish = c_.params.thinking;
    const std::string effort = openai::effort_word(wish, written_.losses);
    std::string summary = wish.display == "summarized" ? "auto" : wish.display;
    if (summary == "omitted") summary.clear();
    const bool more = has_extras(c_.params.extras, to, "reasoning");
    const bool plain = wish.mode == ThinkingWish::Mode::adaptive;
    if (effort.empty() && summary.empty() && !more && !plain) return;
    w.key("reasoning").object();
    if (!effort.empty()) w.text("effort", effort);
    if (!summary.empty()) w.text("summary", summary);
    write_extras(w, c_.params.extras, to, written_.losses, "params", "reasoning");
    w.end_object();
  }

  void write_format(Writer& w) {
    const AnswerFormat& format = c_.params.format;
    using Kind = AnswerFormat::Kind;
    if (format.kind == Kind::unset && !has_extras(c_.params.extras, to, "text")) return;
    w.key("text").object();
    if (format.kind == Kind::json_schema) {
      w.key("format").object().text("type", "json_schema");
      w.text("name", format.name.empty() ? "answer" : format.name);
      w.member("schema", format.schema);
      if (format.strict) w.key("strict").boolean(*format.strict);
      write_extras(w, c_.params.extras, to, written_.losses, "params", "text.format");
      w.end_object();
    } else if (format.kind != Kind::unset) {
      w.key("format").object();
      w.text("type", format.kind == Kind::text ? "text" : "json_object");
      write_extras(w, c_.params.extras, to, written_.losses, "params", "text.format");
      w.end_object();
    }
    write_extras(w, c_.params.extras, to, written_.losses, "params", "text");
    w.end_object();
  }

  Conversation c_;
  const Target& target_;
  Written written_;
  bool has_tools_ = false;
};

}  // namespace

Written write_request(const Conversation& conversation, const Target& target) {
  RequestWriter writer(conversation, target);
  const bool untouched = writer.prepare();
  return writer.write(untouched ? passes(conversation, to, target) : "");
}

}  // namespace keel::msg::responses
