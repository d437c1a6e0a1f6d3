#include "msg/anthropic/request.h"

#include <algorithm>

#include "base/limits.h"
#include "msg/anthropic/block.h"
#include "msg/repair.h"

namespace keel::msg::anthropic {
namespace {

class RequestReader {
 public:
  Result<Parsed> read(const Value& root) {
    if (!root.is_object()) return wrong("body", "must be an object");
    Conversation& c = parsed_.conversation;
    TRY(read_params(root));
    TRY(read_system(root["system"]));
    TRY(read_tools(root["tools"]));
    TRY(read_messages(root["messages"]));
    name_results(c.items);
    keep_wire(c, root, here);
    return std::move(parsed_);
  }

 private:
  Status read_params(const Value& root) {
    Params& p = parsed_.conversation.params;
    if (!root["model"].is_string()) return wrong("model", "Field required");
    p.model = root["model"].string();
    if (const Value value = root["max_tokens"]; !value.empty()) {
      p.max_tokens = value.integer();
      if (!p.max_tokens || *p.max_tokens < 1) {
        return wrong("max_tokens", "must be greater than or equal to 1");
      }
    }
    if (const Value stops = root["stop_sequences"]; !stops.empty()) {
      if (!stops.is_array()) return wrong("stop_sequences", "must be an array");
      for (const Value stop : stops) {
        if (!stop.is_string()) return wrong("stop_sequences", "must hold strings");
        p.stops.push_back(stop.string());
      }
    }
    TRY(number(root, "temperature", p.temperature));
    TRY(number(root, "top_p", p.top_p));
    p.top_k = root["top_k"].integer();
    p.stream = root["stream"].boolean().value_or(false);
    p.user = root["metadata"]["user_id"].string();
    read_extras(p.extras, root["metadata"], here, {"user_id"}, "metadata");
    TRY(read_thinking(root["thinking"], root["output_config"]));
    TRY(read_choice(root["tool_choice"]));
    read_extras(
        p.extras, root, here,
        {"model", "max_tokens", "messages", "system", "tools", "tool_choice", "stop_sequences",
         "temperature", "top_p", "top_k", "stream", "thinking", "output_config", "metadata"});
    return {};
  }

  static Status number(const Value& root, std::string_view key, std::optional<double>& to) {
    const Value value = root[key];
    if (value.empty()) return {};
    to = value.number();
    if (!to) return wrong(std::string(key), "must be a number");
    return {};
  }

  Status read_thinking(const Value& thinking, const Value& config) {
    Params& p = parsed_.conversation.params;
    const std::string type = thinking["type"].string();
    if (type == "enabled") {
      const auto budget = thinking["budget_tokens"].integer();
      if (!budget || *budget < 0) return wrong("thinking.enabled.budget_tokens", "Field required");
      p.thinking.mode = ThinkingWish::Mode::budget;
      p.thinking.budget = *budget;
    } else if (type == "adaptive") {
      p.thinking.mode = ThinkingWish::Mode::adaptive;
    } else if (type == "disabled") {
      p.thinking.mode = ThinkingWish::Mode::off;
    } else if (!thinking.empty()) {
      return wrong("thinking.type", "must be enabled, adaptive or disabled");
    }
    p.thinking.display = thinking["display"].string();
    read_extras(p.extras, thinking, here, {"type", "budget_tokens", "display"}, "thinking");
    p.thinking.effort = config["effort"].string();
    const Value format = config["format"];
    const bool known = format["type"].string_equals("json_schema") && format["schema"].is_object();
    if (known) {
      p.format = {AnswerFormat::Kind::json_schema, "", std::string(format["schema"].raw())};
      read_extras(p.extras, format, here, {"type", "schema"}, "output_config.format");
      read_extras(p.extras, config, here, {"effort", "format"}, "output_config");
    } else {
      read_extras(p.extras, config, here, {"effort"}, "output_config");
    }
    return {};
  }

  Status read_choice(const Value& choice) {
    if (choice.empty()) return {};
    Params& p = parsed_.conversation.params;
    const std::string type = choice["type"].string();
    using Kind = ToolChoice::Kind;
    if (type == "auto") {
      p.tool_choice.kind = Kind::automatic;
    } else if (type == "any") {
      p.tool_choice.kind = Kind::any;
    } else if (type == "none") {
      p.tool_choice.kind = Kind::none;
    } else if (type == "tool") {
      p.tool_choice = {Kind::named, choice["name"].string()};
      if (p.tool_choice.name.empty()) return wrong("tool_choice.tool.name", "Field required");
    } else {
      return wrong("tool_choice.type", "must be auto, any, tool or none");
    }
    if (const auto off = choice["disable_parallel_tool_use"].boolean()) p.parallel = !*off;
    read_extras(p.extras, choice, here, {"type", "name", "disable_parallel_tool_use"},
                "tool_choice");
    return {};
  }

  Status read_system(const Value& system) {
    if (system.empty()) return {};
    Item item{Role::system, {}};
    TRY(read_content(system, "system", item.blocks));
    for (const Block& block : item.blocks) {
      if (std::holds_alternative<Text>(block)) continue;
      return wrong("system", "only text blocks can stand here");
    }
    parsed_.conversation.items.push_back(std::move(item));
    return {};
  }

  Status read_tools(const Value& tools) {
    if (tools.empty()) return {};
    if (!tools.is_array()) return wrong("tools", "must be an array");
    std::size_t at = 0;
    for (const Value value : tools) {
      const std::string where = "tools." + std::to_string(at++);
      Tool tool;
      tool.name = value["name"].string();
      tool.description = value["description"].string();
      tool.type = value["type"].string();
      if (tool.name.empty()) return wrong(where + ".name", "Field required");
      if (!tool.type.empty() && tool.type != "custom") {
        tool.kind = ToolKind::server;
      } else if (!value["input_schema"].is_object()) {
        // One broken tool must not cost the others.
        parsed_.losses.push_back({Lost::tool, where, "its input_schema is no object"});
        continue;
      } else {
        tool.type.clear();
        tool.schema = Schema::from_text(std::string(value["input_schema"].raw()));
      }
      tool.strict = value["strict"].boolean();
      read_extras(tool.extras, value, here,
                  {"name", "description", "type", "input_schema", "strict"});
      keep_wire(tool, value, here);
      parsed_.conversation.tools.push_back(std::move(tool));
    }
    return {};
  }

  Status read_content(const Value& content, const std::string& where, std::vector<Block>& out) {
    if (content.is_string()) {
      out.push_back(wired(here, Text{read_text(content, where, parsed_.losses)}, content));
      return {};
    }
    if (!content.is_array()) return wrong(where, "must be a string or an array");
    std::size_t at = 0;
    for (const Value value : content) {
      out.push_back(TRY(read_block(value, where + "." + std::to_string(at++), "", parsed_.losses)));
    }
    return {};
  }

  Status read_messages(const Value& messages) {
    if (!messages.is_array()) return wrong("messages", "Field required");
    if (messages.size() == 0) return wrong("messages", "at least one message is required");
    if (messages.size() > limits::request_messages) return wrong("messages", "are too many");
    std::size_t at = 0;
    for (const Value message : messages) {
      const std::string where = "messages." + std::to_string(at++);
      const std::string role = message["role"].string();
      Item item;
      if (role == "assistant") {
        item.role = Role::assistant;
        if (at == 1) return wrong("messages", "first message must use the \"user\" role");
      } else if (role == "system") {
        item.role = Role::system;
      } else if (role != "user") {
        return wrong(where + ".role", "must be user, assistant or system");
      }
      TRY(read_content(message["content"], where + ".content", item.blocks));
      read_extras(item.extras, message, here, {"role", "content"});
      TRY(add(std::move(item), where));
    }
    return {};
  }

  // A user's message becomes the tool results in it, then the rest.
  Status add(Item item, const std::string& where) {
    Item results{Role::tool, {}};
    Item rest{item.role, {}};
    rest.extras = std::move(item.extras);
    for (Block& block : item.blocks) {
      const bool result = std::holds_alternative<ToolResult>(block);
      const bool call = std::holds_alternative<ToolCall>(block);
      if ((call && item.role != Role::assistant) || (result && item.role != Role::user)) {
        return wrong(where, call ? "tool_use blocks can only be in assistant messages"
                                 : "tool_result blocks can only be in user messages");
      }
      if (result && !rest.blocks.empty()) {
        parsed_.losses.push_back({Lost::order, where, "a tool result moved before other content"});
      }
      (result ? results : rest).blocks.push_back(std::move(block));
    }
    std::vector<Item>& items = parsed_.conversation.items;
    if (!results.blocks.empty()) {
      rest.same_message = !rest.blocks.empty();
      if (rest.blocks.empty()) results.extras = std::move(rest.extras);
      items.push_back(std::move(results));
      if (rest.blocks.empty()) return {};
    }
    items.push_back(std::move(rest));
    return {};
  }

  Parsed parsed_;
};

class RequestWriter {
 public:
  RequestWriter(Conversation conversation, const Target& target)
      : c_(std::move(conversation)), target_(target) {}

  // `same`: the body as it came, if it may go out so.
  Written write(std::string_view same) {
    if (!same.empty()) {
      written_.body = same;
      return std::move(written_);
    }
    Writer w;
    w.object().text("model", c_.params.model);
    w.count("max_tokens", c_.params.max_tokens.value_or(target_.default_max_tokens));
    if (!c_.params.max_tokens) lose(Lost::parameter, "params.max_tokens", "nobody gave a bound");
    const std::size_t head = head_end(c_.items);
    if (head > 0) {
      std::vector<const Block*> blocks;
      for (std::size_t i = 0; i < head; ++i) {
        for (const Block& block : c_.items[i].blocks) blocks.push_back(&block);
      }
      w.key("system");
      write_content(w, blocks, target_, "system", written_.losses);
    }
    write_messages(w, head);
    write_tools(w);
    write_params(w);
    write_extras(w, c_.params.extras, here, written_.losses, "params");
    written_.body = w.end_object().take();
    return std::move(written_);
  }

  // Whether nothing had to be changed.
  bool untouched() const { return untouched_; }
  void prepare() {
    const std::uint64_t before = mark_of(c_);
    Losses& losses = written_.losses;
    client_model_ = c_.params.model;
    if (!target_.model.empty()) c_.params.model = target_.model;
    settle_opaque(c_.items, here, losses);
    say_refusals();
    drop_unsigned();
    if (!target_.vision) describe_images(c_.items, losses);
    repair(c_.items, losses);
    if (!target_.inline_system) demote_system(c_.items, losses);
    alias_ids(c_.items, IdForm::anthropic);
    alias_names(c_, written_.names);
    first_turn();
    untouched_ = mark_of(c_) == before;
  }

 private:
  void lose(Lost what, std::string where, std::string why) {
    written_.losses.push_back({what, std::move(where), std::move(why)});
  }

  void say_refusals() {
    for (std::size_t i = 0; i < c_.items.size(); ++i) {
      for (std::size_t b = 0; b < c_.items[i].blocks.size(); ++b) {
        auto* refusal = std::get_if<Refusal>(&c_.items[i].blocks[b]);
        if (refusal == nullptr) continue;
        lose(Lost::refusal, block_path(i, b), "a refusal is written as text");
        Text text{refusal->text, refusal->id, refusal->extras};
        c_.items[i].blocks[b] = std::move(text);
      }
    }
  }

  void drop_unsigned() {
    const bool dropped = drop_thinking(
        c_.items, written_.losses, [this](const Thinking& thinking) -> std::optional<Loss> {
          if (sendable(thinking, client_model_, c_.params.model)) return std::nullopt;
          return Loss{thinking.signature.empty() ? Lost::thinking : Lost::signature,
                      {},
                      "a thought that this model did not sign would be refused"};
        });
    // Within a tool loop the server wants the turn to begin with its thought: without one, it must
    // not think in this call.
    std::size_t last = c_.items.size();
    while (last > 0 && c_.items[last - 1].role == Role::tool) --last;
    if (!dropped || last == 0 || last == c_.items.size() || !c_.params.thinking.on()) return;
    const std::vector<Block>& blocks = c_.items[last - 1].blocks;
    if (!blocks.empty() && std::holds_alternative<Thinking>(blocks[0])) return;
    c_.params.thinking = {ThinkingWish::Mode::off};
    lose(Lost::parameter, "params.thinking", "off, for the turn's own thought is not there");
  }

  void first_turn() {
    const std::size_t head = head_end(c_.items);
    if (head >= c_.items.size() || c_.items[head].role != Role::assistant) return;
    c_.items.insert(c_.items.begin() + static_cast<std::ptrdiff_t>(head),
                    text_item(Role::user, "[The conversation begins with an answer.]"));
    lose(Lost::first_turn, "items." + std::to_string(head), "a conversation begins with a user");
  }

  void write_messages(Writer& w, std::size_t head) {
    w.key("messages").array();
    for (std::size_t i = 0; i < head; ++i) {
      if (c_.items[i].developer) {
        lose(Lost::role, "items." + std::to_string(i), "a developer's note is a system note");
      }
    }
    for (std::size_t i = head; i < c_.items.size();) {
      const Item& first = c_.items[i];
      std::vector<const Block*> blocks;
      const std::string where = "items." + std::to_string(i);
      const Extras* extras = &first.extras;
      for (const Block& block : first.blocks) blocks.push_back(&block);
      ++i;
      // All results of one answer are one message, and what the user said with them too.
      while (i < c_.items.size() && first.role == Role::tool &&
             (c_.items[i].role == Role::tool ||
              (c_.items[i].role == Role::user && c_.items[i].same_message))) {
        for (const Block& block : c_.items[i].blocks) blocks.push_back(&block);
        extras = &c_.items[i].extras;
        if (c_.items[i++].role == Role::user) break;
      }
      const bool answer = first.role == Role::assistant;
      if (first.developer) lose(Lost::role, where, "a developer's note is a system note");
      w.object().text("role", answer                       ? "assistant"
                              : first.role == Role::system ? "system"
                                                           : "user");
      w.key("content");
      write_content(w, blocks, target_, where, written_.losses);
      write_extras(w, *extras, here, written_.losses, where);
      w.end_object();
    }
    w.end_array();
  }

  void write_tools(Writer& w) {
    bool any = false;
    for (std::size_t t = 0; t < c_.tools.size(); ++t) {
      const Tool& tool = c_.tools[t];
      const std::string where = "tools." + std::to_string(t);
      const std::string_view same = passes(tool, here, target_);
      if (tool.kind == ToolKind::server && same.empty() && tool.wire.dialect != here) {
        lose(Lost::tool, where, "the server tool " + json_quoted(tool.type) + " is unknown here");
        continue;
      }
      if (!any) w.key("tools").array();
      any = true;
      if (!same.empty()) {
        w.raw(same);
        continue;
      }
      w.object();
      if (!tool.type.empty()) w.text("type", tool.type);
      w.text("name", tool.name);
      if (!tool.description.empty()) w.text("description", tool.description);
      if (tool.kind == ToolKind::custom) {
        lose(Lost::call_kind, where, "a freeform tool takes one text");
        w.member(
            "input_schema",
            R"({"type":"object","properties":{"input":{"type":"string"}},"required":["input"]})");
      } else if (tool.kind == ToolKind::function) {
        Json schema = tool.schema.json();
        if (schema.contains("type")) {
          w.member("input_schema", tool.schema.text());
        } else {
          schema["type"] = "object";  // refused without
          w.member("input_schema", dump_json(schema));
        }
      }
      if (tool.strict) w.key("strict").boolean(*tool.strict);
      write_extras(w, tool.extras, here, written_.losses, where);
      w.end_object();
    }
    if (any) w.end_array();
    has_tools_ = any;
  }

  void write_params(Writer& w) {
    const Params& p = c_.params;
    write_choice(w);
    if (!p.stops.empty()) {
      w.key("stop_sequences").array();
      for (const std::string& stop : p.stops) w.string(stop);
      w.end_array();
    }
    if (p.temperature) {
      if (*p.temperature > 1) lose(Lost::parameter, "params.temperature", "at most 1 here");
      w.key("temperature").number(std::min(*p.temperature, 1.0));
    }
    if (p.top_p) w.key("top_p").number(*p.top_p);
    if (p.top_k) w.count("top_k", *p.top_k);
    if (p.seed) lose(Lost::parameter, "params.seed", "there is no seed here");
    if (!p.affinity.empty()) lose(Lost::parameter, "params.affinity", "there is no cache key here");
    write_thinking(w);
    write_config(w);
    if (!p.user.empty() || has_extras(p.extras, here, "metadata")) {
      w.key("metadata").object();
      if (!p.user.empty()) w.text("user_id", p.user);
      write_extras(w, p.extras, here, written_.losses, "params", "metadata");
      w.end_object();
    }
    if (p.stream) w.key("stream").boolean(true);
  }

  void write_choice(Writer& w) {
    const Params& p = c_.params;
    using Kind = ToolChoice::Kind;
    if (p.tool_choice.kind == Kind::unset && !p.parallel.has_value()) return;
    if (!has_tools_) {
      lose(Lost::tool_choice, "params.tool_choice", "there are no tools to choose from");
      return;
    }
    constexpr std::string_view names[] = {"auto", "auto", "none", "any", "tool"};
    w.key("tool_choice").object();
    w.text("type", names[static_cast<std::size_t>(p.tool_choice.kind)]);
    if (p.tool_choice.kind == Kind::named) w.text("name", p.tool_choice.name);
    if (p.parallel && p.tool_choice.kind != Kind::none) {
      w.key("disable_parallel_tool_use").boolean(!*p.parallel);
    }
    write_extras(w, p.extras, here, written_.losses, "params", "tool_choice");
    w.end_object();
  }

  void write_thinking(Writer& w) {
    const ThinkingWish& wish = c_.params.thinking;
    using Mode = ThinkingWish::Mode;
    if (wish.mode == Mode::unset) return;
    w.key("thinking").object();
    const std::optional<std::int64_t> tokens = wish.tokens();
    const std::int64_t most = c_.params.max_tokens.value_or(target_.default_max_tokens) - 1;
    if (wish.mode == Mode::adaptive) {
      w.text("type", "adaptive");
    } else if (tokens && *tokens == 0) {
      w.text("type", "disabled");
    } else if (wish.mode == Mode::effort) {
      w.text("type", "adaptive");
    } else if (most < limits::claude_think_least_tokens) {
      lose(Lost::parameter, "params.thinking", "max_tokens leaves no room to think");
      w.text("type", "disabled");
    } else {
      const std::int64_t budget = std::clamp(*tokens, limits::claude_think_least_tokens, most);
      if (budget != *tokens) lose(Lost::parameter, "params.thinking", "the budget is bounded here");
      w.text("type", "enabled").count("budget_tokens", budget);
    }
    const bool shown = wish.display == "summarized" || wish.display == "omitted";
    if (shown) w.text("display", wish.display);
    if (!wish.display.empty() && !shown) {
      lose(Lost::parameter, "params.thinking.display", json_quoted(wish.display) + " is unknown");
    }
    write_extras(w, c_.params.extras, here, written_.losses, "params", "thinking");
    w.end_object();
  }

  void write_config(Writer& w) {
    const Params& p = c_.params;
    std::string effort = p.thinking.effort;
    if (effort == "none") effort.clear();
    if (effort == "minimal") {
      lose(Lost::parameter, "params.thinking.effort", "minimal is low here");
      effort = "low";
    }
    const bool schema = p.format.kind == AnswerFormat::Kind::json_schema;
    if (p.format.kind == AnswerFormat::Kind::json_object) {
      lose(Lost::parameter, "params.format", "JSON without a schema cannot be asked for here");
    }
    if (schema && !p.format.name.empty()) {
      lose(Lost::parameter, "params.format.name", "a schema has no name here");
    }
    if (effort.empty() && !schema && !has_extras(p.extras, here, "output_config")) return;
    w.key("output_config").object();
    if (!effort.empty()) w.text("effort", effort);
    if (schema) {
      w.key("format").object().text("type", "json_schema").member("schema", p.format.schema);
      write_extras(w, p.extras, here, written_.losses, "params", "output_config.format");
      w.end_object();
    }
    write_extras(w, p.extras, here, written_.losses, "params", "output_config");
    w.end_object();
  }

  Conversation c_;
  std::string client_model_;  // a thought that names no model is taken for its own
  const Target& target_;
  Written written_;
  bool untouched_ = false;
  bool has_tools_ = false;
};

}  // namespace

Result<Parsed> parse_request(std::string body) {
  const Doc doc = TRY(Doc::parse(std::move(body), "the request"));
  return RequestReader().read(doc.root());
}

Written write_request(const Conversation& conversation, const Target& target) {
  RequestWriter writer(conversation, target);
  writer.prepare();
  const std::string_view same = passes(conversation, here, target);
  return writer.write(writer.untouched() ? same : "");
}

}  // namespace keel::msg::anthropic
