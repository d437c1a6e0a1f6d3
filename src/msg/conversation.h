// The one conversation model: an ordered log of items, each a list of typed blocks. Every dialect
// (cloud APIs, the model's own chat template) is converted from and to this form at the border,
// never inside.
//
// Pure data: no I/O, no threads. Tool arguments stay the bytes the model wrote, because parsing and
// writing them again would change the tokens of the history.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace keel::msg {

enum class Role { system, user, assistant, tool };

struct Text {
  std::string text;
};
struct Thinking {
  std::string text;
  std::string origin;  // the model that thought it; another model is never shown it
};
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text as written
  bool complete = true;   // false: generation ended inside it; it is never executed
};
struct ToolResult {
  std::string call_id;
  std::string name;
  std::string text;
  bool is_error = false;
};

using Block = std::variant<Text, Thinking, ToolCall, ToolResult>;

struct Item {
  Role role = Role::user;
  std::vector<Block> blocks;
};

struct Tool {
  std::string name;         // [a-z0-9_]{1,64}
  std::string description;  // for the model
  Json schema;              // JSON Schema of the arguments: an object
};

std::string_view role_name(Role role);

// All text blocks joined, thinking and calls left out.
std::string plain_text(const Item& item);
std::vector<ToolCall> tool_calls(const Item& item);

Item text_item(Role role, std::string text);

// The form in which items are stored in the journal (docs/formats/journal.md) and sent to the
// engine child.
Json to_json(const Item& item);
Result<Item> item_from_json(const Json& value);
Json to_json(const Tool& tool);
Result<Tool> tool_from_json(const Json& value);

}  // namespace keel::msg
