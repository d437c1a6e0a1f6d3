#include "msg/openai/responses_request.h"

#include "base/limits.h"
#include "msg/openai/part.h"
#include "msg/repair.h"

namespace keel::msg::responses {
namespace {

constexpr Dialect here = Dialect::responses;

class ItemReader {
 public:
  ItemReader(std::string where, const std::string& model, std::vector<Item>& items, Losses& losses)
      : where_(std::move(where)), model_(model), items_(items), losses_(losses) {}

  Status read(const Value& value) {
    if (!value.is_object()) return wrong(where_, "must be an object");
    const std::string type = value["type"].string();
    if (type == "message" || (type.empty() && value["role"].is_string())) return message(value);
    if (type == "function_call" || type == "custom_tool_call") return call(value);
    if (type == "function_call_output" || type == "custom_tool_call_output") return result(value);
    if (type == "reasoning") return reasoning(value);
    if (type.empty()) return wrong(where_ + ".type", "is missing");
    // What this version does not know must not cost the whole conversation.
    answer().blocks.emplace_back(Opaque{here, type, std::string(value.raw())});
    return {};
  }

 private:
  // The answer that is being read: thoughts, text and calls stand next to each other here.
  Item& answer() {
    if (items_.empty() || items_.back().role != Role::assistant) {
      items_.push_back({Role::assistant, {}});
    }
    return items_.back();
  }
  static bool has_words(const Item& item) {
    for (const Block& block : item.blocks) {
      if (std::holds_alternative<Text>(block) || std::holds_alternative<Refusal>(block))
        return true;
    }
    return false;
  }

  Status message(const Value& value) {
    const std::string role = value["role"].string();
    Item item;
    if (role == "assistant") {
      item.role = Role::assistant;
    } else if (role == "system" || role == "developer") {
      item.role = Role::system;
      item.developer = role == "developer";
    } else if (role != "user") {
      return wrong(where_ + ".role", "must be user, assistant, system or developer");
    }
    TRY(content(value["content"], value["id"].string(), item.blocks));
    if (item.role != Role::assistant || item.blocks.empty()) {
      read_extras(item.extras, value, here, {"type", "role", "content", "id", "status"});
      items_.push_back(std::move(item));
      return {};
    }
    add_message_extras(item.blocks[0], value);
    // A second message is a new answer, unless calls in between still wait for their results.
    const bool join = !items_.empty() && items_.back().role == Role::assistant &&
                      (!has_words(items_.back()) || !tool_calls(items_.back()).empty());
    if (!join) {
      items_.push_back(std::move(item));
      return {};
    }
    for (Block& block : item.blocks) items_.back().blocks.push_back(std::move(block));
    return {};
  }

  // What a message of an answer has beside its content stays with its first block.
  static void add_message_extras(Block& block, const Value& value) {
    std::visit(
        [&](auto& b) {
          if constexpr (requires { b.wire; }) {
            read_extras(b.extras, value, here, {"type", "role", "content", "id", "status"},
                        "message");
            b.wire.mark = mark_of(Block(b));
          }
        },
        block);
  }

  Status content(const Value& content, const std::string& id, std::vector<Block>& out) {
    if (content.is_string()) {
      out.push_back(wired(here, Text{read_text(content, where_, losses_), id}, content));
      return {};
    }
    if (!content.is_array()) return wrong(where_ + ".content", "must be a string or an array");
    std::size_t at = 0;
    for (const Value part : content) {
      TRY(this->part(part, where_ + ".content." + std::to_string(at++), id, out));
    }
    return {};
  }

  Status part(const Value& part, const std::string& where, const std::string& id,
              std::vector<Block>& out) {
    const std::string type = part["type"].string();
    if (type == "input_text" || type == "output_text" || type == "text") {
      if (!part["text"].is_string()) return wrong(where + ".text", "must be a string");
      Text text{read_text(part["text"], where, losses_), id};
      for (const Value member : part) {
        const bool plain = member.is_array() && member.size() == 0;  // annotations and the like
        const std::string key = member.key();
        if (member.empty() || plain || key == "type" || key == "text") continue;
        text.extras.push_back({here, key, std::string(member.raw())});
      }
      out.push_back(wired(here, std::move(text), part));
    } else if (type == "refusal") {
      out.push_back(wired(here, Refusal{part["refusal"].string(), id}, part));
    } else if (type == "input_image") {
      Image image{openai::media_of(part["image_url"].string()), part["detail"].string()};
      if (part["image_url"].empty()) {
        image.source = {Media::From::file_id, part["file_id"].string(), ""};
      }
      if (image.source.data.empty()) return wrong(where, "has no image");
      read_extras(image.extras, part, here, {"type", "image_url", "file_id", "detail"});
      out.push_back(wired(here, std::move(image), part));
    } else if (type == "input_file") {
      Document document{{}, part["filename"].string()};
      if (part["file_data"].is_string()) {
        document.source = openai::media_of(part["file_data"].string());
      } else if (part["file_url"].is_string()) {
        document.source = {Media::From::url, part["file_url"].string(), ""};
      } else {
        document.source = {Media::From::file_id, part["file_id"].string(), ""};
      }
      if (document.source.data.empty()) return wrong(where, "has no file");
      read_extras(document.extras, part, here,
                  {"type", "filename", "file_data", "file_url", "file_id"});
      out.push_back(wired(here, std::move(document), part));
    } else {
      if (type.empty()) return wrong(where + ".type", "is missing");
      out.emplace_back(Opaque{here, type, std::string(part.raw())});
    }
    return {};
  }

  Status call(const Value& value) {
    const bool custom = value["type"].string_equals("custom_tool_call");
    ToolCall call{value["call_id"].string(), value["name"].string(),
                  value[custom ? "input" : "arguments"].string()};
    if (call.id.empty()) return wrong(where_ + ".call_id", "is missing");
    if (call.name.empty()) return wrong(where_ + ".name", "is missing");
    call.kind = custom ? CallKind::custom : CallKind::function;
    call.space = value["namespace"].string();
    call.item_id = value["id"].string();
    call.complete = !value["status"].string_equals("incomplete");
    read_extras(call.extras, value, here,
                {"type", "id", "call_id", "name", "namespace", "arguments", "input", "status"});
    answer().blocks.push_back(wired(here, std::move(call), value));
    return {};
  }

  Status result(const Value& value) {
    ToolResult result{value["call_id"].string(), "", ""};
    if (result.call_id.empty()) return wrong(where_ + ".call_id", "is missing");
    if (value["type"].string_equals("custom_tool_call_output")) result.kind = CallKind::custom;
    result.item_id = value["id"].string();
    const Value output = value["output"];
    if (output.is_array()) {
      std::vector<Block> blocks;
      TRY(content(output, "", blocks));
      for (Block& block : blocks) {
        if (auto* text = std::get_if<Text>(&block)) result.parts.emplace_back(std::move(*text));
        if (auto* image = std::get_if<Image>(&block)) result.parts.emplace_back(std::move(*image));
        if (auto* file = std::get_if<Document>(&block)) result.parts.emplace_back(std::move(*file));
        if (auto* o = std::get_if<Opaque>(&block)) result.parts.emplace_back(std::move(*o));
      }
      result.text = joined_text(result.parts);
    } else if (output.is_string()) {
      result.text = read_text(output, where_, losses_);
    } else if (!output.empty()) {
      result.text = output.raw();
    }
    read_extras(result.extras, value, here, {"type", "id", "call_id", "output", "status"});
    if (items_.empty() || items_.back().role != Role::tool) items_.push_back({Role::tool, {}});
    items_.back().blocks.push_back(wired(here, std::move(result), value));
    return {};
  }

  Status reasoning(const Value& value) {
    Thinking thinking{"", model_, ThinkingKind::summary};
    thinking.dialect = here;
    thinking.id = value["id"].string();
    thinking.signature = value["encrypted_content"].string();
    // Servers of open models give the thought itself, others a summary of it, many neither.
    const bool full = value["content"].is_array() && value["content"].size() > 0;
    const Value texts = full ? value["content"] : value["summary"];
    if (full) thinking.kind = ThinkingKind::full;
    bool first = true;
    for (const Value part : texts) {
      if (!first) {
        thinking.text += "\n\n";
        losses_.push_back({Lost::boundary, where_, "the parts of a thought are one"});
      }
      thinking.text += read_text(part["text"], where_, losses_);
      first = false;
    }
    if (full && value["summary"].size() > 0) {
      losses_.push_back({Lost::thinking, where_, "the summary beside the whole thought"});
    }
    read_extras(thinking.extras, value, here,
                {"type", "id", "encrypted_content", "content", "summary", "status"});
    // A thought begins a new answer where the one before has ended.
    if (!items_.empty() && items_.back().role == Role::assistant && has_words(items_.back()) &&
        tool_calls(items_.back()).empty()) {
      items_.push_back({Role::assistant, {}});
    }
    answer().blocks.push_back(wired(here, std::move(thinking), value));
    return {};
  }

  std::string where_;
  const std::string& model_;
  std::vector<Item>& items_;
  Losses& losses_;
};

class RequestReader {
 public:
  Result<Parsed> read(const Value& root) {
    if (!root.is_object()) return wrong("body", "must be an object");
    Conversation& c = parsed_.conversation;
    TRY(read_params(root));
    TRY(read_tools(root["tools"], ""));
    if (root["instructions"].is_string()) {
      Item head{Role::system, {}};
      head.blocks.push_back(
          wired(here, Text{read_text(root["instructions"], "instructions", parsed_.losses)},
                root["instructions"]));
      c.items.push_back(std::move(head));
    }
    const Value input = root["input"];
    if (input.is_string()) {
      c.items.push_back(
          {Role::user, {wired(here, Text{read_text(input, "input", parsed_.losses)}, input)}});
    } else if (!input.is_array() || input.size() == 0) {
      return wrong("input", "must be a string or an array that is not empty");
    }
    if (input.size() > limits::request_messages) return wrong("input", "has too many items");
    std::size_t at = 0;
    for (const Value item : input) {
      const std::string where = "input." + std::to_string(at++);
      TRY(read_item(item, where, "", c.items, parsed_.losses));
    }
    name_results(c.items);
    keep_wire(c, root, here);
    return std::move(parsed_);
  }

 private:
  Status read_params(const Value& root) {
    Params& p = parsed_.conversation.params;
    if (!root["model"].is_string()) return wrong("model", "must be a string");
    p.model = root["model"].string();
    if (const Value most = root["max_output_tokens"]; !most.empty()) {
      p.max_tokens = most.integer();
      if (!p.max_tokens || *p.max_tokens < 1)
        return wrong("max_output_tokens", "must be at least 1");
    }
    p.temperature = root["temperature"].number();
    p.top_p = root["top_p"].number();
    p.parallel = root["parallel_tool_calls"].boolean();
    p.user = root["user"].string();
    p.affinity = root["prompt_cache_key"].string();
    p.stream = root["stream"].boolean().value_or(false);
    const Value reasoning = root["reasoning"];
    if (reasoning["effort"].is_string()) {
      p.thinking.mode = ThinkingWish::Mode::effort;
      p.thinking.effort = reasoning["effort"].string();
    } else if (reasoning.is_object()) {
      p.thinking.mode = ThinkingWish::Mode::adaptive;
    }
    p.thinking.display = reasoning["summary"].string();
    read_extras(p.extras, reasoning, here, {"effort", "summary"}, "reasoning");
    read_choice(root["tool_choice"]);
    read_format(root["text"]);
    read_extras(p.extras, root, here,
                {"model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls",
                 "max_output_tokens", "temperature", "top_p", "user", "prompt_cache_key", "stream",
                 "reasoning", "text"});
    return {};
  }

  void read_choice(const Value& choice) {
    Params& p = parsed_.conversation.params;
    using Kind = ToolChoice::Kind;
    const std::string type = choice["type"].string();
    if (choice.string_equals("auto")) {
      p.tool_choice.kind = Kind::automatic;
    } else if (choice.string_equals("none")) {
      p.tool_choice.kind = Kind::none;
    } else if (choice.string_equals("required")) {
      p.tool_choice.kind = Kind::any;
    } else if (type == "function" || type == "custom") {
      p.tool_choice = {Kind::named, choice["name"].string(),
                       type == "custom" ? CallKind::custom : CallKind::function};
    } else if (!choice.empty()) {
      p.extras.push_back({here, "tool_choice", std::string(choice.raw())});
    }
  }

  void read_format(const Value& text) {
    Params& p = parsed_.conversation.params;
    using Kind = AnswerFormat::Kind;
    const Value format = text["format"];
    bool known = true;
    if (format["type"].string_equals("text")) {
      p.format.kind = Kind::text;
    } else if (format["type"].string_equals("json_object")) {
      p.format.kind = Kind::json_object;
    } else if (format["schema"].is_object()) {
      p.format = {Kind::json_schema, format["name"].string(), std::string(format["schema"].raw()),
                  format["strict"].boolean()};
      read_extras(p.extras, format, here, {"type", "name", "schema", "strict"}, "text.format");
    } else {
      known = false;
    }
    if (known) {
      read_extras(p.extras, text, here, {"format"}, "text");
    } else {
      read_extras(p.extras, text, here, {}, "text");
    }
  }

  Status read_tools(const Value& tools, const std::string& space) {
    if (!tools.empty() && !tools.is_array()) return wrong("tools", "must be an array");
    std::size_t at = 0;
    for (const Value value : tools) {
      const std::string where = "tools." + std::to_string(at++);
      const std::string type = value["type"].string();
      if (type == "namespace" && space.empty()) {
        if (!value["name"].is_string()) return wrong(where + ".name", "is missing");
        space_description_ = value["description"].string();
        TRY(read_tools(value["tools"], value["name"].string()));
        space_description_.clear();
        continue;
      }
      Tool tool;
      if (type == "function") {
        tool = TRY(openai::function_tool(value, where, parsed_.losses));
        if (tool.name.empty()) continue;
        tool.strict = value["strict"].boolean();
        read_extras(tool.extras, value, here,
                    {"type", "name", "description", "parameters", "strict"});
      } else if (type == "custom") {
        tool.kind = ToolKind::custom;
        tool.name = value["name"].string();
        if (tool.name.empty()) return wrong(where + ".name", "is missing");
        tool.description = value["description"].string();
        read_extras(tool.extras, value, here, {"type", "name", "description"});
      } else {
        if (type.empty()) return wrong(where + ".type", "is missing");
        tool.kind = ToolKind::server;
        tool.type = type;
      }
      tool.space = space;
      if (!space_description_.empty()) {
        tool.extras.push_back({here, "namespace\ndescription", json_quoted(space_description_)});
      }
      keep_wire(tool, value, here);
      parsed_.conversation.tools.push_back(std::move(tool));
    }
    return {};
  }

  Parsed parsed_;
  std::string space_description_;
};

}  // namespace

Status read_item(const Value& value, const std::string& where, const std::string& model,
                 std::vector<Item>& items, Losses& losses) {
  return ItemReader(where, model, items, losses).read(value);
}

Result<Parsed> parse_request(std::string body) {
  const Doc doc = TRY(Doc::parse(std::move(body), "the request"));
  return RequestReader().read(doc.root());
}

}  // namespace keel::msg::responses
