#include "msg/anthropic/block.h"

#include <algorithm>

#include "msg/stream/event.h"

namespace keel::msg::anthropic {
namespace {

Result<Media> read_source(const Value& source, const std::string& where) {
  if (!source.is_object()) return wrong(where + ".source", "must be an object");
  const std::string type = source["type"].string();
  Media media;
  media.mime = source["media_type"].string();
  if (type == "url") {
    media.from = Media::From::url;
    media.data = source["url"].string();
  } else if (type == "file") {
    media.from = Media::From::file_id;
    media.data = source["file_id"].string();
  } else if (type == "text") {
    media.from = Media::From::text;
    media.data = source["data"].string();
  } else if (type == "base64") {
    media.data = source["data"].string();
  } else {
    return wrong(where + ".source.type", "unknown: " + json_quoted(type));
  }
  if (media.data.empty()) return wrong(where + ".source", "has no data");
  return media;
}

Result<Block> read_image(const Value& value, const std::string& where) {
  Image image{TRY(read_source(value["source"], where))};
  read_extras(image.extras, value, here, {"type", "source"});
  return image;
}

// Documents made of content blocks are text to everyone else.
std::string texts_of(const Value& content) {
  if (content.is_string()) return content.string();
  std::string out;
  for (const Value part : content) {
    if (!part["text"].is_string()) continue;
    if (!out.empty()) out += "\n";
    out += part["text"].string();
  }
  return out;
}

Result<Block> read_document(const Value& value, const std::string& where) {
  if (value["source"]["type"].string_equals("content")) {
    const Document text{{Media::From::text, texts_of(value["source"]["content"]), "text/plain"},
                        value["title"].string(),
                        value["context"].string()};
    return Opaque{here, "document", std::string(value.raw()), described(text)};
  }
  Document document{TRY(read_source(value["source"], where)), value["title"].string(),
                    value["context"].string()};
  read_extras(document.extras, value, here, {"type", "source", "title", "context"});
  return document;
}

Opaque read_opaque(const Value& value) {
  Opaque opaque{here, value["type"].string(), std::string(value.raw())};
  if (opaque.type == "search_result") {
    opaque.text = "[Search result " + json_quoted(value["title"].string()) + ", source " +
                  json_quoted(value["source"].string()) + "]\n" + texts_of(value["content"]);
  }
  return opaque;
}

Result<Block> read_result(const Value& value, const std::string& where, Losses& losses) {
  ToolResult result{value["tool_use_id"].string(), "", ""};
  if (!value["tool_use_id"].is_string()) return wrong(where + ".tool_use_id", "Field required");
  result.is_error = value["is_error"].boolean().value_or(false);
  read_extras(result.extras, value, here, {"type", "tool_use_id", "content", "is_error"});
  const Value content = value["content"];
  if (content.is_string()) {
    result.text = read_text(content, where, losses);
    return result;
  }
  if (!content.empty() && !content.is_array()) {
    return wrong(where + ".content", "must be a string or an array");
  }
  std::size_t at = 0;
  for (const Value part : content) {
    const std::string path = where + ".content." + std::to_string(at++);
    Block block = TRY(read_block(part, path, "", losses));
    if (auto* text = std::get_if<Text>(&block)) {
      result.parts.emplace_back(std::move(*text));
    } else if (auto* image = std::get_if<Image>(&block)) {
      result.parts.emplace_back(std::move(*image));
    } else if (auto* document = std::get_if<Document>(&block)) {
      result.parts.emplace_back(std::move(*document));
    } else if (auto* opaque = std::get_if<Opaque>(&block)) {
      result.parts.emplace_back(std::move(*opaque));
    } else {
      return wrong(path + ".type", "cannot stand in a tool result");
    }
  }
  result.text = joined_text(result.parts);
  return result;
}

Result<Block> read_typed(const Value& value, const std::string& where, const std::string& model,
                         Losses& losses) {
  const std::string type = value["type"].string();
  if (type == "text") {
    if (!value["text"].is_string()) return wrong(where + ".text", "Field required");
    Text text{read_text(value["text"], where, losses)};
    read_extras(text.extras, value, here, {"type", "text"});
    return text;
  }
  if (type == "thinking") {
    Thinking thinking{read_text(value["thinking"], where, losses), model};
    thinking.signature = value["signature"].string();
    thinking.dialect = here;
    read_extras(thinking.extras, value, here, {"type", "thinking", "signature"});
    return thinking;
  }
  if (type == "redacted_thinking") {
    Thinking thinking{"", model, ThinkingKind::redacted, value["data"].string(), here};
    read_extras(thinking.extras, value, here, {"type", "data"});
    return thinking;
  }
  if (type == "tool_use") {
    ToolCall call{value["id"].string(), value["name"].string(), "{}"};
    if (call.id.empty()) return wrong(where + ".id", "Field required");
    if (call.name.empty()) return wrong(where + ".name", "Field required");
    if (value["input"]) call.arguments = value["input"].raw();
    if (value["input"] && !value["input"].is_object()) {
      return wrong(where + ".input", "Input should be a valid dictionary");
    }
    read_extras(call.extras, value, here, {"type", "id", "name", "input"});
    return call;
  }
  if (type == "tool_result") return read_result(value, where, losses);
  if (type == "image") return read_image(value, where);
  if (type == "document") return read_document(value, where);
  return read_opaque(value);
}

void write_source(Writer& w, const Media& media) {
  w.key("source").object();
  switch (media.from) {
    case Media::From::url:
      w.text("type", "url").text("url", media.data);
      break;
    case Media::From::file_id:
      w.text("type", "file").text("file_id", media.data);
      break;
    case Media::From::text:
      w.text("type", "text").text("media_type", "text/plain").text("data", media.data);
      break;
    case Media::From::base64:
      w.text("type", "base64").text("media_type", media.mime).text("data", media.data);
      break;
  }
  w.end_object();
}

class BlockWriter {
 public:
  BlockWriter(Writer& w, const Target& target, const std::string& where, Losses& losses)
      : w_(w), target_(target), where_(where), losses_(losses) {}

  void operator()(const Text& b) { text(b.text, b.extras); }
  void operator()(const Refusal& b) {
    lose(Lost::refusal, "a refusal is written as text");
    text(b.text, b.extras);
  }
  void operator()(const Thinking& b) {
    if (b.kind == ThinkingKind::redacted) {
      w_.object().text("type", "redacted_thinking").text("data", b.signature);
    } else {
      // The key is due even where the thought itself was not shown.
      w_.object().text("type", "thinking").text("thinking", b.text);
      w_.text("signature", b.signature);
    }
    finish(b.extras);
  }
  void operator()(const ToolCall& b) {
    w_.object().text("type", "tool_use").text("id", b.id).text("name", b.name).key("input");
    if (b.kind == CallKind::custom) {
      lose(Lost::call_kind, "a freeform call is a function call with one text");
      w_.object().text("input", b.arguments).end_object();
    } else if (b.arguments.find_first_not_of(" \n\r\t") == std::string::npos) {
      w_.raw("{}");
    } else if (whole_arguments(b.arguments)) {
      w_.raw(b.arguments);
    } else {
      lose(Lost::call_kind, "arguments that are no JSON object are one text");
      w_.object().text("arguments", b.arguments).end_object();
    }
    finish(b.extras);
  }
  void operator()(const ToolResult& b) {
    w_.object().text("type", "tool_result").text("tool_use_id", b.call_id).key("content");
    if (b.parts.empty()) {
      w_.string(b.text);
    } else {
      w_.array();
      std::size_t at = 0;
      for (const auto& part : b.parts) {
        const std::string path = where_ + ".parts." + std::to_string(at++);
        const Block block = std::visit([](const auto& p) { return Block(p); }, part);
        write_block(w_, block, target_, path, losses_);
      }
      w_.end_array();
    }
    if (b.is_error) w_.key("is_error").boolean(true);
    finish(b.extras);
  }
  void operator()(const Image& b) {
    if (!b.detail.empty()) lose(Lost::extra, "the wish for image detail is left out");
    if (b.source.from == Media::From::text) return text(described(b), b.extras);
    w_.object().text("type", "image");
    write_source(w_, b.source);
    finish(b.extras);
  }
  void operator()(const Document& b) {
    w_.object().text("type", "document");
    write_source(w_, b.source);
    if (!b.title.empty()) w_.text("title", b.title);
    if (!b.context.empty()) w_.text("context", b.context);
    finish(b.extras);
  }
  void operator()(const Opaque& b) {
    KEEL_ASSERT(b.dialect == here);  // settle_opaque took the others away
    w_.raw(b.json);
  }

 private:
  void lose(Lost what, std::string why) { losses_.push_back({what, where_, std::move(why)}); }
  void text(const std::string& text, const Extras& extras) {
    w_.object().text("type", "text").text("text", text);
    finish(extras);
  }
  void finish(const Extras& extras) {
    write_extras(w_, extras, here, losses_, where_);
    w_.end_object();
  }
  Writer& w_;
  const Target& target_;
  const std::string& where_;
  Losses& losses_;
};

const Wire* wire_of(const Block& block) {
  return std::visit(
      [](const auto& b) -> const Wire* {
        if constexpr (requires { b.wire; }) return &b.wire;
        return nullptr;
      },
      block);
}

bool unchanged(const Block& block, const Wire* wire, const Target& target) {
  return target.pass_through && wire != nullptr && wire->dialect == here && !wire->bytes.empty() &&
         wire->mark == mark_of(block);
}

}  // namespace

Result<Block> read_block(const Value& value, const std::string& where, const std::string& model,
                         Losses& losses) {
  if (!value.is_object()) return wrong(where, "must be an object");
  if (!value["type"].is_string()) return wrong(where + ".type", "Field required");
  Block block = TRY(read_typed(value, where, model, losses));
  const std::uint64_t mark = mark_of(block);
  std::visit(
      [&](auto& b) {
        if constexpr (requires { b.wire; }) b.wire = {here, std::string(value.raw()), mark};
      },
      block);
  return block;
}

void write_block(Writer& w, const Block& block, const Target& target, const std::string& where,
                 Losses& losses) {
  const Wire* wire = wire_of(block);
  if (unchanged(block, wire, target) && wire->bytes[0] == '{') {
    w.raw(wire->bytes);
    return;
  }
  BlockWriter writer(w, target, where, losses);
  std::visit(writer, block);
}

void write_content(Writer& w, const std::vector<const Block*>& blocks, const Target& target,
                   const std::string& where, Losses& losses) {
  const auto* only = blocks.size() == 1 ? std::get_if<Text>(blocks[0]) : nullptr;
  if (only != nullptr) {
    const bool own = std::any_of(only->extras.begin(), only->extras.end(),
                                 [](const Extra& e) { return e.dialect == here; });
    const bool same = unchanged(*blocks[0], &only->wire, target);
    if (same && only->wire.bytes[0] == '"') return void(w.raw(only->wire.bytes));
    if (!same && !own) {
      Writer nowhere;
      write_extras(nowhere, only->extras, here, losses, where);
      return void(w.string(only->text));
    }
  }
  w.array();
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    write_block(w, *blocks[b], target, where + ".blocks." + std::to_string(b), losses);
  }
  w.end_array();
}

bool sendable(const Thinking& thinking, const std::string& client_model, const std::string& model) {
  if (thinking.dialect != here || thinking.signature.empty()) return false;
  if (thinking.signature.starts_with(keel_signature)) return false;
  return (thinking.origin.empty() ? client_model : thinking.origin) == model;
}

}  // namespace keel::msg::anthropic
