#include "msg/conversation.h"

#include <functional>
#include <mutex>
#include <utility>

#include "msg/raw.h"

namespace keel::msg {
namespace {

// Members are written only where they say something, so that what older versions stored and what
// this one stores of the same item are the same bytes.
struct Fields {
  Json value;
  void text(const char* key, const std::string& text) {
    if (!text.empty()) value[key] = text;
  }
  void extras(const Extras& extras) {
    if (extras.empty()) return;
    Json list = Json::array();
    for (const Extra& e : extras) list.push_back({dialect_name(e.dialect), e.key, e.json});
    value["extras"] = std::move(list);
  }
  void media(const Media& media) {
    constexpr const char* names[] = {"base64", "url", "file_id", "text"};
    value["from"] = names[static_cast<std::size_t>(media.from)];
    value["data"] = media.data;
    text("mime", media.mime);
  }
};

Json part_to_json(const ToolResult::Part& part);

struct BlockToJson {
  Json operator()(const Text& b) const {
    Fields f{{{"type", "text"}, {"text", b.text}}};
    f.text("id", b.id);
    f.extras(b.extras);
    return std::move(f.value);
  }
  Json operator()(const Thinking& b) const {
    Fields f{{{"type", "thinking"}, {"text", b.text}, {"origin", b.origin}}};
    if (b.kind == ThinkingKind::summary) f.value["kind"] = "summary";
    if (b.kind == ThinkingKind::redacted) f.value["kind"] = "redacted";
    f.text("signature", b.signature);
    if (b.dialect != Dialect::none) f.value["dialect"] = dialect_name(b.dialect);
    f.text("id", b.id);
    f.extras(b.extras);
    return std::move(f.value);
  }
  Json operator()(const ToolCall& b) const {
    Fields f{{{"type", "tool_call"},
              {"id", b.id},
              {"name", b.name},
              {"arguments", b.arguments},
              {"complete", b.complete}}};
    if (b.kind == CallKind::custom) f.value["custom"] = true;
    f.text("space", b.space);
    f.text("item_id", b.item_id);
    f.extras(b.extras);
    return std::move(f.value);
  }
  Json operator()(const ToolResult& b) const {
    Fields f{{{"type", "tool_result"},
              {"call_id", b.call_id},
              {"name", b.name},
              {"text", b.text},
              {"is_error", b.is_error}}};
    if (!b.parts.empty()) {
      Json parts = Json::array();
      for (const auto& part : b.parts) parts.push_back(part_to_json(part));
      f.value["parts"] = std::move(parts);
    }
    if (b.kind == CallKind::custom) f.value["custom"] = true;
    f.text("item_id", b.item_id);
    f.extras(b.extras);
    return std::move(f.value);
  }
  Json operator()(const Image& b) const {
    Fields f{{{"type", "image"}}};
    f.media(b.source);
    f.text("detail", b.detail);
    f.extras(b.extras);
    return std::move(f.value);
  }
  Json operator()(const Document& b) const {
    Fields f{{{"type", "document"}}};
    f.media(b.source);
    f.text("title", b.title);
    f.text("context", b.context);
    f.extras(b.extras);
    return std::move(f.value);
  }
  Json operator()(const Refusal& b) const {
    Fields f{{{"type", "refusal"}, {"text", b.text}}};
    f.text("id", b.id);
    f.extras(b.extras);
    return std::move(f.value);
  }
  Json operator()(const Opaque& b) const {
    Fields f{{{"type", "opaque"},
              {"dialect", dialect_name(b.dialect)},
              {"kind", b.type},
              {"json", b.json}}};
    f.text("text", b.text);
    return std::move(f.value);
  }
};

Json part_to_json(const ToolResult::Part& part) {
  return std::visit(BlockToJson{}, part);
}

Result<Dialect> dialect_from_name(const std::string& name) {
  for (const Dialect dialect :
       {Dialect::none, Dialect::anthropic, Dialect::chat, Dialect::responses}) {
    if (dialect_name(dialect) == name) return dialect;
  }
  return fail(Code::invalid_argument, "unknown dialect \"" + name + "\"");
}

Result<Extras> extras_from_json(const Json& value) {
  Extras extras;
  if (!value.contains("extras")) return extras;
  if (!value["extras"].is_array()) {
    return fail(Code::invalid_argument, "\"extras\" must be an array");
  }
  for (const Json& e : value["extras"]) {
    if (!e.is_array() || e.size() != 3 || !e[0].is_string() || !e[1].is_string() ||
        !e[2].is_string()) {
      return fail(Code::invalid_argument, "an element of \"extras\" must be three strings");
    }
    TRY(parse_json(e[2].get<std::string>(), "a member that was kept as it came"));
    extras.push_back({TRY(dialect_from_name(e[0].get<std::string>())), e[1].get<std::string>(),
                      e[2].get<std::string>()});
  }
  return extras;
}

Result<Media> media_from_json(const Json& value) {
  Media media;
  const std::string from = TRY(json_string(value, "from"));
  media.data = TRY(json_string(value, "data"));
  media.mime = json_string_or(value, "mime", "");
  if (from == "base64") {
    media.from = Media::From::base64;
  } else if (from == "url") {
    media.from = Media::From::url;
  } else if (from == "file_id") {
    media.from = Media::From::file_id;
  } else if (from == "text") {
    media.from = Media::From::text;
  } else {
    return fail(Code::invalid_argument, "unknown source \"" + from + "\"");
  }
  return media;
}

Result<Thinking> thinking_from_json(const Json& value) {
  Thinking b{TRY(json_string(value, "text")), json_string_or(value, "origin", "")};
  const std::string kind = json_string_or(value, "kind", "full");
  b.kind = kind == "summary"    ? ThinkingKind::summary
           : kind == "redacted" ? ThinkingKind::redacted
                                : ThinkingKind::full;
  b.signature = json_string_or(value, "signature", "");
  b.dialect = TRY(dialect_from_name(json_string_or(value, "dialect", "none")));
  b.id = json_string_or(value, "id", "");
  b.extras = TRY(extras_from_json(value));
  return b;
}

Result<ToolCall> call_from_json(const Json& value) {
  ToolCall b{TRY(json_string(value, "id")), TRY(json_string(value, "name")),
             TRY(json_string(value, "arguments")), json_bool_or(value, "complete", true)};
  if (json_bool_or(value, "custom", false)) b.kind = CallKind::custom;
  b.space = json_string_or(value, "space", "");
  b.item_id = json_string_or(value, "item_id", "");
  b.extras = TRY(extras_from_json(value));
  return b;
}

Result<Opaque> opaque_from_json(const Json& value) {
  Opaque b{TRY(dialect_from_name(TRY(json_string(value, "dialect")))),
           TRY(json_string(value, "kind")), TRY(json_string(value, "json")),
           json_string_or(value, "text", "")};
  TRY(parse_json(b.json, "a block that was kept as it came"));
  return b;
}

Result<Block> block_from_json(const Json& value);

Result<ToolResult> result_from_json(const Json& value) {
  ToolResult b{TRY(json_string(value, "call_id")), json_string_or(value, "name", ""),
               TRY(json_string(value, "text")), json_bool_or(value, "is_error", false)};
  if (json_bool_or(value, "custom", false)) b.kind = CallKind::custom;
  b.item_id = json_string_or(value, "item_id", "");
  b.extras = TRY(extras_from_json(value));
  if (!value.contains("parts")) return b;
  if (!value["parts"].is_array()) return fail(Code::invalid_argument, "\"parts\" must be an array");
  for (const Json& part : value["parts"]) {
    // A result inside a result would let stored bytes set the depth of this recursion.
    const std::string type = TRY(json_string(part, "type"));
    if (type == "tool_result") return fail(Code::invalid_argument, "a result within a result");
    Block block = TRY(block_from_json(part));
    if (auto* text = std::get_if<Text>(&block)) {
      b.parts.emplace_back(std::move(*text));
    } else if (auto* image = std::get_if<Image>(&block)) {
      b.parts.emplace_back(std::move(*image));
    } else if (auto* document = std::get_if<Document>(&block)) {
      b.parts.emplace_back(std::move(*document));
    } else if (auto* opaque = std::get_if<Opaque>(&block)) {
      b.parts.emplace_back(std::move(*opaque));
    } else {
      return fail(Code::invalid_argument, "a tool result cannot hold a " + type);
    }
  }
  return b;
}

Result<Block> block_from_json(const Json& value) {
  const std::string type = TRY(json_string(value, "type"));
  if (type == "thinking") return TRY(thinking_from_json(value));
  if (type == "tool_call") return TRY(call_from_json(value));
  if (type == "tool_result") return TRY(result_from_json(value));
  if (type == "opaque") return TRY(opaque_from_json(value));
  const Extras extras = TRY(extras_from_json(value));
  const std::string id = json_string_or(value, "id", "");
  if (type == "text") return Text{TRY(json_string(value, "text")), id, extras};
  if (type == "refusal") return Refusal{TRY(json_string(value, "text")), id, extras};
  if (type == "image") {
    return Image{TRY(media_from_json(value)), json_string_or(value, "detail", ""), extras};
  }
  if (type == "document") {
    return Document{TRY(media_from_json(value)), json_string_or(value, "title", ""),
                    json_string_or(value, "context", ""), extras};
  }
  return fail(Code::invalid_argument, "unknown block type \"" + type + "\"");
}

Result<Role> role_from_name(const std::string& name) {
  for (const Role role : {Role::system, Role::user, Role::assistant, Role::tool}) {
    if (role_name(role) == name) return role;
  }
  return fail(Code::invalid_argument, "unknown role \"" + name + "\"");
}

class Marker {
 public:
  Marker& operator<<(std::string_view text) {
    add(std::hash<std::string_view>{}(text));
    return *this;
  }
  Marker& operator<<(std::uint64_t number) {
    add(number);
    return *this;
  }
  Marker& operator<<(const Extras& extras) {
    for (const Extra& e : extras) *this << std::uint64_t(e.dialect) << e.key << e.json;
    return *this << std::uint64_t(extras.size());
  }
  Marker& operator<<(const Media& media) {
    return *this << std::uint64_t(media.from) << media.data << media.mime;
  }
  std::uint64_t value() const { return value_; }

  void operator()(const Text& b) { *this << b.text << b.id << b.extras; }
  void operator()(const Thinking& b) {
    *this << b.text << b.origin << std::uint64_t(b.kind) << b.signature << std::uint64_t(b.dialect)
          << b.id << b.extras;
  }
  void operator()(const ToolCall& b) {
    *this << b.id << b.name << b.arguments << std::uint64_t(b.complete) << std::uint64_t(b.kind)
          << b.space << b.item_id << b.extras;
  }
  void operator()(const ToolResult& b) {
    *this << b.call_id << b.text << std::uint64_t(b.is_error) << std::uint64_t(b.kind) << b.item_id
          << b.extras;
    for (const auto& part : b.parts) {
      *this << std::uint64_t(part.index());
      std::visit(*this, part);
    }
  }
  void operator()(const Image& b) { *this << b.source << b.detail << b.extras; }
  void operator()(const Document& b) { *this << b.source << b.title << b.context << b.extras; }
  void operator()(const Refusal& b) { *this << b.text << b.id << b.extras; }
  void operator()(const Opaque& b) {
    *this << std::uint64_t(b.dialect) << b.type << b.json << b.text;
  }

 private:
  void add(std::uint64_t part) {
    value_ ^= part + 0x9e3779b97f4a7c15ULL + (value_ << 6) + (value_ >> 2);
  }
  std::uint64_t value_ = 0;
};

Marker head_of(const Item& item) {
  Marker marker;
  marker << std::uint64_t(item.role) << std::uint64_t(item.developer)
         << std::uint64_t(item.same_message) << item.extras << std::uint64_t(item.blocks.size());
  return marker;
}

const Wire* wire_of(const Block& block) {
  return std::visit(
      [](const auto& one) -> const Wire* {
        if constexpr (requires { one.wire; }) return &one.wire;
        return nullptr;
      },
      block);
}

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
    case Role::tool:
      return "tool";
  }
  return "user";
}

std::string_view dialect_name(Dialect dialect) {
  switch (dialect) {
    case Dialect::none:
      return "none";
    case Dialect::anthropic:
      return "anthropic";
    case Dialect::chat:
      return "chat";
    case Dialect::responses:
      return "responses";
  }
  return "none";
}

std::string plain_text(const Item& item) {
  std::string out;
  for (const Block& block : item.blocks) {
    if (const auto* text = std::get_if<Text>(&block)) out += text->text;
  }
  return out;
}

std::vector<ToolCall> tool_calls(const Item& item) {
  std::vector<ToolCall> calls;
  for (const Block& block : item.blocks) {
    if (const auto* call = std::get_if<ToolCall>(&block)) calls.push_back(*call);
  }
  return calls;
}

struct Schema::State {
  std::string text;  // empty: it came as a value
  std::once_flag read;
  Json value;
};

Schema::Schema() {
  static const auto empty = std::make_shared<State>();
  static const bool made = [] {
    empty->value = Json::object();
    return true;
  }();
  (void)made;
  state_ = empty;
}

Schema::Schema(Json value) : state_(std::make_shared<State>()) {
  state_->value = std::move(value);
}

Schema Schema::from_text(std::string text) {
  auto state = std::make_shared<State>();
  state->text = std::move(text);
  return Schema(std::move(state));
}

const Json& Schema::json() const {
  if (!state_->text.empty()) {
    // By the reader that let the text in: another one would refuse half a character, or a number
    // that no double holds.
    std::call_once(state_->read, [this] {
      const Result<Doc> doc = Doc::parse(state_->text, "a schema");
      state_->value = doc ? json_of(doc->root()) : Json::object();
    });
  }
  return state_->value;
}

std::string Schema::text() const {
  return state_->text.empty() ? dump_json(state_->value) : state_->text;
}

std::uint64_t Schema::mark() const {
  return state_->text.empty() ? std::hash<Json>{}(state_->value)
                              : std::hash<std::string>{}(state_->text);
}

Item text_item(Role role, std::string text) {
  return Item{role, {Text{std::move(text)}}};
}

std::uint64_t mark_of(const Block& block) {
  Marker marker;
  marker << std::uint64_t(block.index());
  std::visit(marker, block);
  return marker.value();
}

std::uint64_t mark_of(const Item& item) {
  Marker marker = head_of(item);
  for (const Block& block : item.blocks) marker << mark_of(block);
  return marker.value();
}

std::uint64_t mark_as_read(const Item& item) {
  Marker marker = head_of(item);
  for (const Block& block : item.blocks) {
    const Wire* wire = wire_of(block);
    marker << (wire != nullptr && wire->dialect != Dialect::none ? wire->mark : mark_of(block));
  }
  return marker.value();
}

std::uint64_t mark_as_read(const Tool& tool) {
  return tool.wire.dialect != Dialect::none ? tool.wire.mark : mark_of(tool);
}

std::uint64_t mark_of(const Tool& tool) {
  Marker marker;
  marker << tool.name << tool.description << std::uint64_t(tool.kind) << tool.space << tool.type
         << std::uint64_t(tool.strict ? 1 + int(*tool.strict) : 0) << tool.extras
         << tool.schema.mark();
  return marker.value();
}

Json to_json(const Item& item) {
  Json blocks = Json::array();
  for (const Block& block : item.blocks) blocks.push_back(std::visit(BlockToJson{}, block));
  Fields f{{{"role", role_name(item.role)}, {"blocks", std::move(blocks)}}};
  if (item.developer) f.value["developer"] = true;
  if (item.same_message) f.value["same_message"] = true;
  f.extras(item.extras);
  return std::move(f.value);
}

Result<Item> item_from_json(const Json& value) {
  Item item;
  item.role = TRY(role_from_name(TRY(json_string(value, "role"))));
  if (!value.contains("blocks") || !value["blocks"].is_array()) {
    return fail(Code::invalid_argument, "\"blocks\" must be an array");
  }
  for (const Json& block : value["blocks"]) item.blocks.push_back(TRY(block_from_json(block)));
  item.developer = json_bool_or(value, "developer", false);
  item.same_message = json_bool_or(value, "same_message", false);
  item.extras = TRY(extras_from_json(value));
  return item;
}

// Without what only a tool's own dialect needs: the model is shown these three.
Json to_json(const Tool& tool) {
  return {{"name", tool.name}, {"description", tool.description}, {"schema", tool.schema.json()}};
}

Result<Tool> tool_from_json(const Json& value) {
  Tool tool;
  tool.name = TRY(json_string(value, "name"));
  tool.description = json_string_or(value, "description", "");
  if (!value.contains("schema") || !value["schema"].is_object()) {
    return fail(Code::invalid_argument, "\"schema\" must be an object");
  }
  tool.schema = value["schema"];
  return tool;
}

}  // namespace keel::msg
