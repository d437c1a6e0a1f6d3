#include "agent/event.h"

#include <utility>

namespace keel::agent {
namespace {

Json pages_to_json(const std::vector<RecalledPage>& pages) {
  Json array = Json::array();
  for (const RecalledPage& page : pages) array.push_back(to_json(page));
  return array;
}

struct Writer {
  Json operator()(const TurnStarted& e) const {
    return {{"event", "turn_started"}, {"conversation", e.conversation}, {"turn", e.turn}};
  }
  Json operator()(const Recalled& e) const {
    return {{"event", "recalled"}, {"retrieval", e.retrieval}, {"pages", pages_to_json(e.pages)}};
  }
  Json operator()(const Routed& e) const {
    return {{"event", "routed"}, {"model", e.model}, {"rule", e.rule}, {"reason", e.reason}};
  }
  Json operator()(const Progress& e) const {
    return {{"event", "progress"}, {"phase", e.phase}, {"done", e.done}, {"total", e.total}};
  }
  Json operator()(const Token& e) const { return {{"event", "token"}, {"text", e.text}}; }
  Json operator()(const ToolStarted& e) const {
    return {{"event", "tool_started"}, {"id", e.id}, {"name", e.name}, {"arguments", e.arguments}};
  }
  Json operator()(const ToolFinished& e) const {
    return {{"event", "tool_finished"}, {"id", e.id}, {"name", e.name},
            {"arguments", e.arguments}, {"ok", e.ok}, {"ms", e.ms},
            {"summary", e.summary}};
  }
  Json operator()(const Notice& e) const { return {{"event", "notice"}, {"text", e.text}}; }
  Json operator()(const Replied& e) const { return {{"event", "replied"}, {"result", e.result}}; }
  Json operator()(const Failed& e) const {
    return {{"event", "failed"},
            {"code", code_name(e.error.code)},
            {"message", e.error.message},
            {"hint", e.error.hint}};
  }
};

Result<Event> recalled_from_json(const Json& value) {
  Recalled event;
  event.retrieval = json_string_or(value, "retrieval", "");
  const auto pages = value.find("pages");
  if (pages == value.end() || !pages->is_array()) {
    return fail(Code::invalid_argument, "\"pages\" must be an array");
  }
  for (const Json& page : *pages) event.pages.push_back(TRY(page_from_json(page)));
  return event;
}

Result<Event> tool_event(const std::string& name, const Json& value) {
  const std::string id = TRY(json_string(value, "id"));
  const std::string tool = TRY(json_string(value, "name"));
  const std::string arguments = json_string_or(value, "arguments", "");
  if (name == "tool_started") return ToolStarted{id, tool, arguments};
  return ToolFinished{id,
                      tool,
                      arguments,
                      json_bool_or(value, "ok", false),
                      json_number_or(value, "ms", 0.0),
                      json_string_or(value, "summary", "")};
}

}  // namespace

Json to_json(const RecalledPage& page) {
  return {{"id", page.id}, {"title", page.title}, {"score", page.score}, {"terms", page.terms}};
}

Result<RecalledPage> page_from_json(const Json& value) {
  RecalledPage page;
  page.id = TRY(json_string(value, "id"));
  page.title = json_string_or(value, "title", "");
  page.score = json_number_or(value, "score", 0.0);
  const auto terms = value.find("terms");
  page.terms = terms == value.end() ? Json::array() : *terms;
  return page;
}

Json to_json(const Event& event) {
  return std::visit(Writer{}, event);
}

Result<Event> event_from_json(const Json& value) {
  const std::string name = TRY(json_string(value, "event"));
  if (name == "turn_started") {
    return TurnStarted{TRY(json_string(value, "conversation")), TRY(json_string(value, "turn"))};
  }
  if (name == "recalled") return recalled_from_json(value);
  if (name == "routed") {
    return Routed{TRY(json_string(value, "model")), json_string_or(value, "rule", ""),
                  json_string_or(value, "reason", "")};
  }
  if (name == "progress") {
    return Progress{TRY(json_string(value, "phase")), json_int_or(value, "done", 0),
                    json_int_or(value, "total", 0)};
  }
  if (name == "token") return Token{TRY(json_string(value, "text"))};
  if (name == "tool_started" || name == "tool_finished") return tool_event(name, value);
  if (name == "notice") return Notice{TRY(json_string(value, "text"))};
  if (name == "replied") {
    const auto result = value.find("result");
    if (result == value.end() || !result->is_object()) {
      return fail(Code::invalid_argument, "\"result\" must be an object");
    }
    return Replied{*result};
  }
  if (name == "failed") {
    return Failed{Error{code_from_name(TRY(json_string(value, "code"))),
                        TRY(json_string(value, "message")),
                        json_string_or(value, "hint", ""),
                        {}}};
  }
  return fail(Code::invalid_argument, "unknown event \"" + name + "\"");
}

}  // namespace keel::agent
