// The one conversation model: an ordered log of items, each a list of typed blocks. Every dialect
// (cloud APIs, the model's own chat template) is converted from and to this form at the border,
// never inside.
//
// Pure data: no I/O, no threads. Tool arguments stay the bytes the model wrote, because parsing and
// writing them again would change the tokens of the history.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace keel::msg {

enum class Role { system, user, assistant, tool };
enum class Dialect { none, anthropic, chat, responses };

// A member that keel does not act on, kept as the bytes it came with for its own dialect.
struct Extra {
  Dialect dialect = Dialect::none;
  std::string key;
  std::string json;
  bool operator==(const Extra&) const = default;
};
using Extras = std::vector<Extra>;

// The bytes something came with. They go out again to the same dialect for as long as what they
// were read into is unchanged; `mark` (mark_of when it was read) tells.
struct Wire {
  Dialect dialect = Dialect::none;
  std::string bytes;
  std::uint64_t mark = 0;
};

struct Text {
  std::string text;
  std::string id = {};  // of the message it is part of (Responses)
  Extras extras = {};
  Wire wire = {};
};

enum class ThinkingKind { full, summary, redacted };
// How the proof begins that keel puts under thoughts of its own models; no server takes it.
inline constexpr std::string_view keel_signature = "keel1.";
struct Thinking {
  std::string text;
  std::string origin;  // the model that thought it; another model is never shown it
  ThinkingKind kind = ThinkingKind::full;
  std::string signature = {};       // proof of origin, or the encrypted thought itself
  Dialect dialect = Dialect::none;  // whose signature it is
  std::string id = {};
  Extras extras = {};
  Wire wire = {};
};

enum class CallKind { function, custom };  // custom: the input is free text, not JSON
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text as written; the free text of a custom call
  bool complete = true;   // false: generation ended inside it; it is never executed
  CallKind kind = CallKind::function;
  std::string space = {};    // the namespace of its tool, where a dialect has such
  std::string item_id = {};  // beside the call's id (Responses)
  Extras extras = {};
  Wire wire = {};
};

// Bytes of an image or a document, or where they are.
struct Media {
  enum class From { base64, url, file_id, text };
  From from = From::base64;
  std::string data;
  std::string mime;
};
struct Image {
  Media source;
  std::string detail = {};  // "low", "high", "auto"
  Extras extras = {};
  Wire wire = {};
};
struct Document {
  Media source;
  std::string title = {};
  std::string context = {};
  Extras extras = {};
  Wire wire = {};
};
struct Refusal {
  std::string text;
  std::string id = {};
  Extras extras = {};
  Wire wire = {};
};
// A block of a kind that only its own dialect knows.
struct Opaque {
  Dialect dialect = Dialect::none;
  std::string type;
  std::string json;
  std::string text = {};  // what of it can be said in words
};

struct ToolResult {
  std::string call_id;
  std::string name;
  std::string text;  // of all parts; images as a mark
  bool is_error = false;
  using Part = std::variant<Text, Image, Document, Opaque>;
  std::vector<Part> parts = {};  // when it is more than one text
  CallKind kind = CallKind::function;
  std::string item_id = {};
  Extras extras = {};
  Wire wire = {};
};

using Block = std::variant<Text, Thinking, ToolCall, ToolResult, Image, Document, Refusal, Opaque>;

struct Item {
  Role role = Role::user;
  std::vector<Block> blocks;
  bool developer = false;     // a system item that came with the role "developer"
  bool same_message = false;  // was one message with the item before (tool results, then text)
  Extras extras = {};
};

// A JSON Schema, read only where somebody looks into it: most requests carry the schemas of many
// tools from one side to the other. Copies share what they hold. Threads: any.
class Schema {
 public:
  Schema();            // {}
  Schema(Json value);  // NOLINT(google-explicit-constructor): a schema is a value like any other
  // Valid JSON, nested no deeper than Doc::parse allows; kept byte for byte.
  static Schema from_text(std::string text);
  const Json& json() const;
  std::string text() const;  // as it came; compact if it came as a value
  // Changes with what it holds.
  std::uint64_t mark() const;

 private:
  struct State;
  explicit Schema(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

enum class ToolKind { function, custom, server };
struct Tool {
  std::string name;         // [a-z0-9_]{1,64} for keel's own; any text for a client's
  std::string description;  // for the model
  Schema schema;            // of the arguments: an object
  ToolKind kind = ToolKind::function;
  std::string space = {};           // namespace
  std::string type = {};            // of a server tool: "web_search_20250305"
  std::optional<bool> strict = {};  // arguments must follow the schema
  Extras extras = {};
  Wire wire = {};
};

std::string_view role_name(Role role);
std::string_view dialect_name(Dialect dialect);

// All text blocks joined, thinking and calls left out.
std::string plain_text(const Item& item);
std::vector<ToolCall> tool_calls(const Item& item);

Item text_item(Role role, std::string text);

// A number that changes with any typed field: not with `wire`.
std::uint64_t mark_of(const Block& block);
std::uint64_t mark_of(const Item& item);
std::uint64_t mark_of(const Tool& tool);
// mark_of() of what has just been read: what a part noted in its wire is not worked out again.
std::uint64_t mark_as_read(const Item& item);
std::uint64_t mark_as_read(const Tool& tool);

// The form in which items are stored in the journal (docs/formats/journal.md) and sent to the
// engine child. `wire` is left out.
Json to_json(const Item& item);
Result<Item> item_from_json(const Json& value);
Json to_json(const Tool& tool);
Result<Tool> tool_from_json(const Json& value);

}  // namespace keel::msg
