#include "msg/conversation.h"

namespace keel::msg {
namespace {

struct BlockToJson {
  Json operator()(const Text& b) const { return {{"type", "text"}, {"text", b.text}}; }
  Json operator()(const Thinking& b) const {
    return {{"type", "thinking"}, {"text", b.text}, {"origin", b.origin}};
  }
  Json operator()(const ToolCall& b) const {
    return {{"type", "tool_call"},
            {"id", b.id},
            {"name", b.name},
            {"arguments", b.arguments},
            {"complete", b.complete}};
  }
  Json operator()(const ToolResult& b) const {
    return {{"type", "tool_result"},
            {"call_id", b.call_id},
            {"name", b.name},
            {"text", b.text},
            {"is_error", b.is_error}};
  }
};

Result<Block> block_from_json(const Json& value) {
  const std::string type = TRY(json_string(value, "type"));
  if (type == "text") return Text{TRY(json_string(value, "text"))};
  if (type == "thinking") {
    return Thinking{TRY(json_string(value, "text")), json_string_or(value, "origin", "")};
  }
  if (type == "tool_call") {
    return ToolCall{TRY(json_string(value, "id")), TRY(json_string(value, "name")),
                    TRY(json_string(value, "arguments")), json_bool_or(value, "complete", true)};
  }
  if (type == "tool_result") {
    return ToolResult{TRY(json_string(value, "call_id")), json_string_or(value, "name", ""),
                      TRY(json_string(value, "text")), json_bool_or(value, "is_error", false)};
  }
  return fail(Code::invalid_argument, "unknown block type \"" + type + "\"");
}

Result<Role> role_from_name(const std::string& name) {
  for (const Role role : {Role::system, Role::user, Role::assistant, Role::tool}) {
    if (role_name(role) == name) return role;
  }
  return fail(Code::invalid_argument, "unknown role \"" + name + "\"");
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

Item text_item(Role role, std::string text) {
  return Item{role, {Text{std::move(text)}}};
}

Json to_json(const Item& item) {
  Json blocks = Json::array();
  for (const Block& block : item.blocks) blocks.push_back(std::visit(BlockToJson{}, block));
  return {{"role", role_name(item.role)}, {"blocks", std::move(blocks)}};
}

Result<Item> item_from_json(const Json& value) {
  Item item;
  item.role = TRY(role_from_name(TRY(json_string(value, "role"))));
  if (!value.contains("blocks") || !value["blocks"].is_array()) {
    return fail(Code::invalid_argument, "\"blocks\" must be an array");
  }
  for (const Json& block : value["blocks"]) item.blocks.push_back(TRY(block_from_json(block)));
  return item;
}

Json to_json(const Tool& tool) {
  return {{"name", tool.name}, {"description", tool.description}, {"schema", tool.schema}};
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
