#include "tool/registry.h"

#include <algorithm>
#include <exception>

#include "base/limits.h"
#include "base/text.h"
#include "log/log.h"

namespace keel::tool {
namespace {

constexpr std::size_t kNameBytes = 64;

bool is_tool_name(std::string_view name) {
  if (name.empty() || name.size() > kNameBytes) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Outcome refusal(std::string text) {
  // The words are keel's own, whatever the call was.
  return Outcome{std::move(text), true, policy::Integrity::owner, policy::Confidentiality::open};
}

Outcome not_allowed(std::string_view tool, policy::Sink sink, const policy::Decision& decision) {
  std::string text = "not done: " + decision.reason + ".";
  if (sink == policy::Sink::fetch_composed) {
    text += " Ask the owner to write the whole address in a message; then it can be fetched.";
  } else {
    text += " Tell the owner that " + std::string(tool) + " would have needed an approval.";
  }
  return refusal(std::move(text));
}

Result<Json> read_arguments(const std::string& text) {
  if (text.size() > limits::tool_arguments_bytes) {
    return fail(Code::limit, "the arguments have " + std::to_string(text.size()) +
                                 " bytes, more than " +
                                 std::to_string(limits::tool_arguments_bytes));
  }
  // A call without arguments is written as nothing or as null by some models.
  const std::string_view trimmed = trim(text);
  if (trimmed.empty() || trimmed == "null") return Json::object();
  return parse_json(text, "the arguments");
}

}  // namespace

std::string_view effect_name(Effect effect) {
  switch (effect) {
    case Effect::pure:
      return "pure";
    case Effect::idempotent:
      return "idempotent";
    case Effect::unsafe:
      return "unsafe";
  }
  return "unsafe";
}

Json schema_literal(std::string_view json_text) {
  return MUST(parse_json(json_text, "a schema"));
}

Status Registry::add(std::unique_ptr<Tool> tool) {
  const std::string& name = tool->spec().name;
  if (!is_tool_name(name)) {
    return fail(Code::invalid_argument,
                "'" + printable(name, kNameBytes) + "' is not a tool name (a-z, 0-9, _; 1 to 64)");
  }
  if (find(name) != nullptr) {
    return fail(Code::already_exists, "there is a tool '" + name + "' already");
  }
  const Json& schema = tool->spec().schema.json();
  if (!schema.is_object() || json_string_or(schema, "type", "") != "object") {
    return fail(Code::invalid_argument, "the schema of tool '" + name + "' is not an object's");
  }
  const auto place = std::lower_bound(tools_.begin(), tools_.end(), name,
                                      [](const std::unique_ptr<Tool>& other, const std::string& n) {
                                        return other->spec().name < n;
                                      });
  tools_.insert(place, std::move(tool));
  return {};
}

std::vector<msg::Tool> Registry::specs() const {
  std::vector<msg::Tool> out;
  for (const auto& tool : tools_) out.push_back(tool->spec());
  return out;
}

Tool* Registry::find_mutable(std::string_view name) const {
  const auto it = std::find_if(tools_.begin(), tools_.end(),
                               [&](const auto& tool) { return tool->spec().name == name; });
  return it == tools_.end() ? nullptr : it->get();
}

const Tool* Registry::find(std::string_view name) const {
  return find_mutable(name);
}

Result<Outcome> Registry::invoke(const Call& call, Context& context,
                                 const std::function<Status()>& checked) const {
  Tool* tool = find_mutable(call.name);
  if (tool == nullptr) {
    std::vector<std::string> names;
    for (const auto& other : tools_) names.push_back(other->spec().name);
    return refusal("unknown tool '" + printable(call.name, kNameBytes) +
                   "'; there are: " + (names.empty() ? "none" : join(names, ", ")));
  }
  const Result<Json> arguments = read_arguments(call.arguments);
  if (!arguments) return refusal(arguments.error().text());
  if (const Status fits = check_schema(tool->spec().schema.json(), *arguments); !fits) {
    return refusal(fits.error().text());
  }
  if (context.stop.stop_requested()) return fail(Code::cancelled, "the call was stopped");

  context.label = call.label;
  const policy::Sink sink = tool->sink_of(*arguments, context);
  const policy::Decision decision = policy::decide(sink, call.label);
  log::info("tool", "{} sink={} integrity={} confidentiality={} verdict={}", call.name,
            policy::sink_name(sink), policy::integrity_name(call.label.integrity),
            policy::confidentiality_name(call.label.confidentiality),
            policy::verdict_name(decision.verdict));
  if (decision.verdict != policy::Verdict::allow) return not_allowed(call.name, sink, decision);
  if (checked) TRY(checked());

  // A library below a tool may throw (time zones, memory); nothing of that may leave this room.
  Result<Outcome> result = fail(Code::internal, "the tool did not run");
  try {
    result = tool->run(*arguments, context);
  } catch (const std::exception& e) {
    log::error("tool", "{} threw: {}", call.name, e.what());
    result = fail(Code::internal, call.name + " failed inside: " + printable(e.what()));
  }
  if (!result) {
    if (result.error().code == Code::cancelled) return pass(std::move(result).error());
    return refusal(result.error().text());
  }
  result->text = shorten(to_valid_utf8(result->text), limits::tool_outcome_bytes);
  return result;
}

}  // namespace keel::tool
