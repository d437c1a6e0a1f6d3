#include "msg/openai/chat_request.h"

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"
#include "msg/openai/part.h"
#include "msg/repair.h"

namespace keel::msg::chat {
namespace {

constexpr Dialect here = Dialect::chat;

class RequestReader {
 public:
  Result<Parsed> read(const Value& root) {
    if (!root.is_object()) return wrong("body", "must be an object");
    TRY(read_params(root));
    TRY(read_tools(root["tools"]));
    const Value messages = root["messages"];
    if (!messages.is_array()) return wrong("messages", "must be an array");
    if (messages.size() == 0) return wrong("messages", "must hold at least one message");
    if (messages.size() > limits::request_messages) return wrong("messages", "are too many");
    std::size_t at = 0;
    for (const Value message : messages) {
      TRY(read_message(message, "messages." + std::to_string(at++)));
    }
    Conversation& c = parsed_.conversation;
    name_results(c.items);
    keep_wire(c, root, here);
    return std::move(parsed_);
  }

 private:
  Status read_params(const Value& root) {
    Params& p = parsed_.conversation.params;
    if (!root["model"].is_string()) return wrong("model", "must be a string");
    p.model = root["model"].string();
    if (const auto n = root["n"].integer(); n && *n != 1) return wrong("n", "must be 1");
    const Value most =
        root["max_completion_tokens"].empty() ? root["max_tokens"] : root["max_completion_tokens"];
    if (!most.empty()) {
      p.max_tokens = most.integer();
      if (!p.max_tokens || *p.max_tokens < 1) return wrong(most.key(), "must be at least 1");
    }
    if (const Value stop = root["stop"]; stop.is_string()) {
      p.stops.push_back(stop.string());
    } else {
      for (const Value one : stop) {
        if (!one.is_string()) return wrong("stop", "must hold strings");
        p.stops.push_back(one.string());
      }
    }
    p.temperature = root["temperature"].number();
    p.top_p = root["top_p"].number();
    p.top_k = root["top_k"].integer();
    p.seed = root["seed"].integer();
    p.parallel = root["parallel_tool_calls"].boolean();
    p.user = root["user"].string();
    p.affinity = root["prompt_cache_key"].string();
    p.stream = root["stream"].boolean().value_or(false);
    p.stream_usage = root["stream_options"]["include_usage"].boolean();
    read_extras(p.extras, root["stream_options"], here, {"include_usage"}, "stream_options");
    if (root["reasoning_effort"].is_string()) {
      p.thinking.mode = ThinkingWish::Mode::effort;
      p.thinking.effort = root["reasoning_effort"].string();
    }
    read_choice(root["tool_choice"]);
    read_format(root["response_format"]);
    read_extras(p.extras, root, here,
                {"model", "messages", "tools", "tool_choice", "parallel_tool_calls", "max_tokens",
                 "max_completion_tokens", "stop", "temperature", "top_p", "top_k", "seed", "n",
                 "reasoning_effort", "response_format", "user", "prompt_cache_key", "stream",
                 "stream_options"});
    return {};
  }

  void read_choice(const Value& choice) {
    Params& p = parsed_.conversation.params;
    using Kind = ToolChoice::Kind;
    if (choice.string_equals("auto")) {
      p.tool_choice.kind = Kind::automatic;
    } else if (choice.string_equals("none")) {
      p.tool_choice.kind = Kind::none;
    } else if (choice.string_equals("required")) {
      p.tool_choice.kind = Kind::any;
    } else if (choice["function"]["name"].is_string()) {
      p.tool_choice = {Kind::named, choice["function"]["name"].string()};
    } else if (choice["custom"]["name"].is_string()) {
      p.tool_choice = {Kind::named, choice["custom"]["name"].string(), CallKind::custom};
    } else if (!choice.empty()) {
      p.extras.push_back({here, "tool_choice", std::string(choice.raw())});
    }
  }

  void read_format(const Value& format) {
    Params& p = parsed_.conversation.params;
    using Kind = AnswerFormat::Kind;
    const Value schema = format["json_schema"];
    if (format["type"].string_equals("text")) {
      p.format.kind = Kind::text;
    } else if (format["type"].string_equals("json_object")) {
      p.format.kind = Kind::json_object;
    } else if (schema["schema"].is_object()) {
      p.format = {Kind::json_schema, schema["name"].string(), std::string(schema["schema"].raw()),
                  schema["strict"].boolean()};
      read_extras(p.extras, schema, here, {"name", "schema", "strict"}, "response_format");
    } else if (!format.empty()) {
      p.extras.push_back({here, "response_format", std::string(format.raw())});
    }
  }

  Status read_tools(const Value& tools) {
    if (!tools.empty() && !tools.is_array()) return wrong("tools", "must be an array");
    std::size_t at = 0;
    for (const Value value : tools) {
      const std::string where = "tools." + std::to_string(at++);
      const std::string type = value["type"].string();
      Tool tool;
      if (type == "function") {
        const Value function = value["function"];
        tool = TRY(openai::function_tool(function, where, parsed_.losses));
        if (tool.name.empty()) continue;
        tool.strict = function["strict"].boolean();
        read_extras(tool.extras, function, here, {"name", "description", "parameters", "strict"},
                    "function");
        read_extras(tool.extras, value, here, {"type", "function"});
      } else if (type == "custom") {
        tool.kind = ToolKind::custom;
        tool.name = value["custom"]["name"].string();
        if (tool.name.empty()) return wrong(where + ".custom.name", "is missing");
        tool.description = value["custom"]["description"].string();
        read_extras(tool.extras, value["custom"], here, {"name", "description"}, "custom");
        read_extras(tool.extras, value, here, {"type", "custom"});
      } else {
        if (type.empty()) return wrong(where + ".type", "is missing");
        tool.kind = ToolKind::server;
        tool.type = type;
      }
      keep_wire(tool, value, here);
      parsed_.conversation.tools.push_back(std::move(tool));
    }
    return {};
  }

  Status read_message(const Value& message, const std::string& where) {
    const std::string role = message["role"].string();
    Item item;
    if (role == "tool") return read_result(message, where);
    if (role == "assistant") {
      item.role = Role::assistant;
      TRY(read_answer(message, where, item));
    } else {
      if (role == "system" || role == "developer") {
        item.role = Role::system;
        item.developer = role == "developer";
      } else if (role != "user") {
        return wrong(where + ".role", "must be system, developer, user, assistant or tool");
      }
      TRY(read_content(message["content"], where + ".content", item.blocks));
      read_extras(item.extras, message, here, {"role", "content"});
    }
    parsed_.conversation.items.push_back(std::move(item));
    return {};
  }

  Status read_answer(const Value& message, const std::string& where, Item& item) {
    for (const std::string_view key : {"reasoning_content", "reasoning"}) {
      const Value thought = message[key];
      if (!thought.is_string() || thought.string_equals("")) continue;
      Thinking thinking{read_text(thought, where, parsed_.losses), ""};
      thinking.dialect = here;
      item.blocks.emplace_back(std::move(thinking));
      break;
    }
    if (!message["content"].empty()) {
      TRY(read_content(message["content"], where + ".content", item.blocks));
    }
    if (message["refusal"].is_string()) {
      item.blocks.emplace_back(Refusal{read_text(message["refusal"], where, parsed_.losses)});
    }
    std::size_t at = 0;
    for (const Value call : message["tool_calls"]) {
      TRY(read_call(call, where + ".tool_calls." + std::to_string(at++), item.blocks));
    }
    read_extras(item.extras, message, here,
                {"role", "content", "refusal", "tool_calls", "reasoning_content", "reasoning"});
    return {};
  }

  static Status read_call(const Value& value, const std::string& where, std::vector<Block>& out) {
    const bool custom = value["type"].string_equals("custom");
    const Value body = custom ? value["custom"] : value["function"];
    ToolCall call{value["id"].string(), body["name"].string(),
                  body[custom ? "input" : "arguments"].string()};
    if (call.id.empty()) return wrong(where + ".id", "is missing");
    if (call.name.empty()) return wrong(where + ".function.name", "is missing");
    if (custom) call.kind = CallKind::custom;
    read_extras(call.extras, value, here, {"id", "type", "function", "custom", "index"});
    out.push_back(wired(here, std::move(call), value));
    return {};
  }

  Status read_result(const Value& message, const std::string& where) {
    ToolResult result{message["tool_call_id"].string(), "", ""};
    if (!message["tool_call_id"].is_string()) return wrong(where + ".tool_call_id", "is missing");
    const Value content = message["content"];
    if (content.is_string()) {
      result.text = read_text(content, where, parsed_.losses);
    } else {
      std::vector<Block> blocks;
      if (!content.empty()) TRY(read_content(content, where + ".content", blocks));
      for (Block& block : blocks) {
        if (auto* text = std::get_if<Text>(&block)) result.parts.emplace_back(std::move(*text));
        if (auto* image = std::get_if<Image>(&block)) result.parts.emplace_back(std::move(*image));
        if (auto* file = std::get_if<Document>(&block)) result.parts.emplace_back(std::move(*file));
        if (auto* o = std::get_if<Opaque>(&block)) result.parts.emplace_back(std::move(*o));
      }
      result.text = joined_text(result.parts);
    }
    read_extras(result.extras, message, here, {"role", "tool_call_id", "content"});
    parsed_.conversation.items.push_back({Role::tool, {wired(here, std::move(result), message)}});
    return {};
  }

  Status read_content(const Value& content, const std::string& where, std::vector<Block>& out) {
    if (content.is_string()) {
      out.push_back(wired(here, Text{read_text(content, where, parsed_.losses)}, content));
      return {};
    }
    if (!content.is_array()) return wrong(where, "must be a string or an array");
    std::size_t at = 0;
    for (const Value part : content) {
      const std::string path = where + "." + std::to_string(at++);
      const std::string type = part["type"].string();
      if (type == "text") {
        if (!part["text"].is_string()) return wrong(path + ".text", "must be a string");
        Text text{read_text(part["text"], path, parsed_.losses)};
        read_extras(text.extras, part, here, {"type", "text"});
        out.push_back(wired(here, std::move(text), part));
      } else if (type == "refusal") {
        out.push_back(wired(here, Refusal{part["refusal"].string()}, part));
      } else if (type == "image_url") {
        const Value url = part["image_url"];
        Image image{openai::media_of(url["url"].string()), url["detail"].string()};
        if (image.source.data.empty()) return wrong(path + ".image_url.url", "is missing");
        read_extras(image.extras, part, here, {"type", "image_url"});
        out.push_back(wired(here, std::move(image), part));
      } else if (type == "file") {
        TRY(read_file(part, path, out));
      } else {
        if (type.empty()) return wrong(path + ".type", "is missing");
        out.emplace_back(Opaque{here, type, std::string(part.raw())});
      }
    }
    return {};
  }

  static Status read_file(const Value& part, const std::string& where, std::vector<Block>& out) {
    const Value file = part["file"];
    Document document;
    document.title = file["filename"].string();
    if (file["file_data"].is_string()) {
      document.source = openai::media_of(file["file_data"].string());
    } else {
      document.source = {Media::From::file_id, file["file_id"].string(), ""};
    }
    if (document.source.data.empty()) return wrong(where + ".file", "has no data");
    read_extras(document.extras, part, here, {"type", "file"});
    out.push_back(wired(here, std::move(document), part));
    return {};
  }

  Parsed parsed_;
};

}  // namespace

Result<Parsed> parse_request(std::string body) {
  const Doc doc = TRY(Doc::parse(std::move(body), "the request"));
  return RequestReader().read(doc.root());
}

}  // namespace keel::msg::chat
