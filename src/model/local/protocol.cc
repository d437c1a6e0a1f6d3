#include "model/local/protocol.h"

#include <array>
#include <utility>

namespace keel::local {
namespace {

constexpr std::array kStops = {model::StopReason::end, model::StopReason::tool_calls,
                               model::StopReason::max_tokens, model::StopReason::stop_text,
                               model::StopReason::cancelled};
constexpr std::array kPriorities = {std::pair{model::Priority::owner, "owner"},
                                    std::pair{model::Priority::client, "client"},
                                    std::pair{model::Priority::ahead, "ahead"},
                                    std::pair{model::Priority::background, "background"}};
constexpr std::array kChoices = {std::pair{model::ToolChoice::automatic, "automatic"},
                                 std::pair{model::ToolChoice::none, "none"},
                                 std::pair{model::ToolChoice::required, "required"}};

Json request_json(const model::Request& request) {
  Json items = Json::array();
  for (const msg::Item& item : request.items) items.push_back(msg::to_json(item));
  Json tools = Json::array();
  for (const msg::Tool& tool : request.tools) tools.push_back(msg::to_json(tool));
  Json shown = Json::array();
  for (const msg::Tool& tool : request.shown_tools) shown.push_back(msg::to_json(tool));
  std::string choice = "automatic";
  for (const auto& [value, name] : kChoices) {
    if (value == request.tool_choice) choice = name;
  }
  std::string priority = "owner";
  for (const auto& [value, name] : kPriorities) {
    if (value == request.priority) priority = name;
  }
  const model::Sampling& s = request.sampling;
  return {{"conversation", request.conversation},
          {"items", std::move(items)},
          {"tools", std::move(tools)},
          {"shown_tools", std::move(shown)},
          {"tool_choice", choice},
          {"tool", request.tool},
          {"priority", priority},
          {"ends_with_note", request.ends_with_note},
          {"max_tokens", request.max_tokens},
          {"stops", request.stops},
          {"sampling",
           {{"temperature", s.temperature},
            {"top_p", s.top_p},
            {"top_k", s.top_k},
            {"min_p", s.min_p},
            {"seed", s.seed}}}};
}

Result<Json> member(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end()) return fail(Code::invalid_argument, std::string(key) + " is missing");
  return *it;
}

Result<model::Request> request_from_json(const Json& value) {
  model::Request request;
  request.conversation = TRY(json_string(value, "conversation"));
  for (const Json& item : TRY(member(value, "items"))) {
    request.items.push_back(TRY(msg::item_from_json(item)));
  }
  for (const Json& tool : TRY(member(value, "tools"))) {
    request.tools.push_back(TRY(msg::tool_from_json(tool)));
  }
  if (const auto shown = value.find("shown_tools"); shown != value.end()) {
    for (const Json& tool : *shown) {
      request.shown_tools.push_back(TRY(msg::tool_from_json(tool)));
    }
  }
  const std::string choice = TRY(json_string(value, "tool_choice"));
  for (const auto& [kind, name] : kChoices) {
    if (choice == name) request.tool_choice = kind;
  }
  request.tool = json_string_or(value, "tool", "");
  const std::string priority = json_string_or(value, "priority", "owner");
  for (const auto& [kind, name] : kPriorities) {
    if (priority == name) request.priority = kind;
  }
  if (const auto stops = value.find("stops"); stops != value.end() && stops->is_array()) {
    for (const Json& stop : *stops) {
      if (!stop.is_string()) return fail(Code::invalid_argument, "stops must hold texts");
      request.stops.push_back(stop.get<std::string>());
    }
  }
  request.ends_with_note = json_bool_or(value, "ends_with_note", false);
  request.max_tokens = static_cast<int>(TRY(json_int(value, "max_tokens")));
  const Json sampling = TRY(member(value, "sampling"));
  request.sampling.temperature = json_number_or(sampling, "temperature", 0.0);
  request.sampling.top_p = json_number_or(sampling, "top_p", 1.0);
  request.sampling.top_k = static_cast<int>(json_int_or(sampling, "top_k", 40));
  request.sampling.min_p = json_number_or(sampling, "min_p", 0.05);
  request.sampling.seed = static_cast<std::uint32_t>(json_int_or(sampling, "seed", 0));
  return request;
}

Result<std::vector<std::int32_t>> tokens_from_json(const Json& object, const char* key) {
  std::vector<std::int32_t> tokens;
  const auto it = object.find(key);
  if (it == object.end()) return tokens;
  if (!it->is_array()) return fail(Code::invalid_argument, std::string(key) + " must be an array");
  for (const Json& token : *it) {
    if (!token.is_number_integer()) {
      return fail(Code::invalid_argument, std::string(key) + " must hold token numbers");
    }
    tokens.push_back(token.get<std::int32_t>());
  }
  return tokens;
}

Json done_json(const DoneEvent& done) {
  const model::Response& r = done.response;
  return {{"event", "done"},
          {"id", done.id},
          {"item", msg::to_json(r.item)},
          {"stop", model::stop_reason_name(r.stop)},
          {"stopped_by", r.stopped_by},
          {"usage",
           {{"prompt", r.usage.prompt_tokens},
            {"cached", r.usage.cached_tokens},
            {"evaluated", r.usage.evaluated_tokens},
            {"completion", r.usage.completion_tokens}}},
          {"timings",
           {{"ttft_ms", r.timings.ttft_ms},
            {"total_ms", r.timings.total_ms},
            {"decode_tps", r.timings.decode_tps},
            {"drafted", r.timings.drafted_tokens},
            {"accepted", r.timings.accepted_tokens}}}};
}

Result<LoadRequest> load_from_json(const Json& value) {
  return LoadRequest{TRY(json_string(value, "path")),
                     json_string_or(value, "library", ""),
                     json_string_or(value, "gpu", ""),
                     static_cast<int>(json_int_or(value, "context", 0)),
                     static_cast<int>(json_int_or(value, "threads", 0)),
                     json_string_or(value, "attention", ""),
                     json_string_or(value, "cache", ""),
                     json_bool_or(value, "drafts", true),
                     json_string_or(value, "kv_folder", ""),
                     static_cast<int>(json_int_or(value, "batch", 0)),
                     json_bool_or(value, "repack", true),
                     json_int_or(value, "parked_bytes", -1),
                     json_bool_or(value, "lock", false)};
}

Result<DoneEvent> done_from_json(const Json& value) {
  DoneEvent done;
  done.id = TRY(json_int(value, "id"));
  model::Response& r = done.response;
  r.item = TRY(msg::item_from_json(TRY(member(value, "item"))));
  r.stopped_by = json_string_or(value, "stopped_by", "");
  const std::string stop = TRY(json_string(value, "stop"));
  for (const model::StopReason reason : kStops) {
    if (stop == model::stop_reason_name(reason)) r.stop = reason;
  }
  const Json usage = TRY(member(value, "usage"));
  r.usage.prompt_tokens = json_int_or(usage, "prompt", 0);
  r.usage.cached_tokens = json_int_or(usage, "cached", 0);
  r.usage.evaluated_tokens = json_int_or(usage, "evaluated", 0);
  r.usage.completion_tokens = json_int_or(usage, "completion", 0);
  const Json timings = TRY(member(value, "timings"));
  r.timings.ttft_ms = json_number_or(timings, "ttft_ms", 0);
  r.timings.total_ms = json_number_or(timings, "total_ms", 0);
  r.timings.decode_tps = json_number_or(timings, "decode_tps", 0);
  r.timings.drafted_tokens = json_int_or(timings, "drafted", 0);
  r.timings.accepted_tokens = json_int_or(timings, "accepted", 0);
  return done;
}

struct RequestToJson {
  Json operator()(const LoadRequest& r) const {
    return {{"do", "load"},
            {"path", r.path},
            {"library", r.library},
            {"gpu", r.gpu},
            {"context", r.context},
            {"threads", r.threads},
            {"attention", r.attention},
            {"cache", r.cache},
            {"drafts", r.drafts},
            {"kv_folder", r.kv_folder},
            {"batch", r.batch},
            {"repack", r.repack},
            {"parked_bytes", r.parked_bytes},
            {"lock", r.lock}};
  }
  Json operator()(const NeedRequest& r) const {
    Json out = (*this)(r.load);
    out["do"] = "need";
    return out;
  }
  Json operator()(const GenerateRequest& r) const {
    Json out = {{"do", "generate"}, {"id", r.id}, {"request", request_json(r.request)}};
    if (!r.resume.empty()) out["resume"] = r.resume;
    if (r.exact_tokens) out["exact_tokens"] = true;
    return out;
  }
  Json operator()(const CountRequest& r) const {
    return {{"do", "count"}, {"id", r.id}, {"request", request_json(r.request)}};
  }
  Json operator()(const MeasureRequest& r) const {
    return {
        {"do", "measure"}, {"id", r.id}, {"depth", r.depth}, {"read", r.read}, {"write", r.write}};
  }
  Json operator()(const CancelRequest& r) const { return {{"do", "cancel"}, {"id", r.id}}; }
  Json operator()(const QuitRequest&) const { return {{"do", "quit"}}; }
};

struct EventToJson {
  Json operator()(const LoadedEvent& e) const {
    return {{"event", "loaded"},
            {"description", e.description},
            {"library", e.library},
            {"context", e.context},
            {"threads", e.threads},
            {"load_ms", e.load_ms},
            {"weight_bytes", e.weight_bytes},
            {"cache_bytes_per_token", e.cache_bytes_per_token}};
  }
  Json operator()(const ProgressEvent& e) const {
    return {{"event", "progress"},
            {"id", e.id},
            {"phase", e.progress.phase},
            {"done", e.progress.done},
            {"total", e.progress.total}};
  }
  Json operator()(const DeltaEvent& e) const {
    Json out = {{"event", "delta"}, {"id", e.id}, {"at", e.at}, {"tokens", e.tokens}};
    if (!e.text.empty()) out["text"] = e.text;
    if (!e.thinking.empty()) out["thinking"] = e.thinking;
    if (!e.tool_name.empty()) out["tool"] = e.tool_name;
    return out;
  }
  Json operator()(const DoneEvent& e) const { return done_json(e); }
  Json operator()(const CountEvent& e) const {
    return {{"event", "count"}, {"id", e.id}, {"tokens", e.tokens}, {"context", e.context}};
  }
  Json operator()(const MeasuredEvent& e) const {
    return {{"event", "measured"}, {"id", e.id}, {"read_ms", e.read_ms}, {"write_ms", e.write_ms}};
  }
  Json operator()(const NeededEvent& e) const {
    return {{"event", "needed"}, {"needs", budget::to_json(e.needs)}};
  }
  Json operator()(const ErrorEvent& e) const {
    return {{"event", "error"},
            {"id", e.id},
            {"code", code_name(e.error.code)},
            {"message", e.error.message},
            {"hint", e.error.hint}};
  }
};

}  // namespace

rt::ChildOptions engine_child(const std::string& program, std::vector<std::string> environment) {
  rt::ChildOptions start;
  start.argv = {program, "engine"};
  start.environment = std::move(environment);
  // Without it an abort of ggml's runs a debugger, whose output goes wherever standard output
  // leads.
  start.environment.push_back("GGML_NO_BACKTRACE=1");
  // All keys and values are gone through for every token, and huge pages spare most of the looking
  // up where they lie. Where the system leaves these to the program, glibc asks for them; another C
  // library does not read this.
  start.environment.push_back("GLIBC_TUNABLES=glibc.malloc.hugetlb=1");
  return start;
}

std::string encode(const EngineRequest& request) {
  return dump_json(std::visit(RequestToJson{}, request));
}

std::string encode(const EngineEvent& event) {
  return dump_json(std::visit(EventToJson{}, event));
}

Result<EngineRequest> decode_request(std::string_view frame) {
  const Json value = TRY(parse_json(frame, "a request to the engine"));
  const std::string what = TRY(json_string(value, "do"));
  if (what == "load") return TRY(load_from_json(value));
  if (what == "need") return NeedRequest{TRY(load_from_json(value))};
  if (what == "cancel") return CancelRequest{TRY(json_int(value, "id"))};
  if (what == "quit") return QuitRequest{};
  if (what == "measure") {
    return MeasureRequest{TRY(json_int(value, "id")), json_int_or(value, "depth", 0),
                          json_int_or(value, "read", 0), json_int_or(value, "write", 0)};
  }
  if (what == "generate") {
    return GenerateRequest{
        TRY(json_int(value, "id")), TRY(request_from_json(TRY(member(value, "request")))),
        TRY(tokens_from_json(value, "resume")), json_bool_or(value, "exact_tokens", false)};
  }
  if (what == "count") {
    return CountRequest{TRY(json_int(value, "id")),
                        TRY(request_from_json(TRY(member(value, "request"))))};
  }
  return fail(Code::invalid_argument, "unknown request to the engine: " + what);
}

Result<EngineEvent> decode_event(std::string_view frame) {
  const Json value = TRY(parse_json(frame, "an event of the engine"));
  const std::string what = TRY(json_string(value, "event"));
  const std::int64_t id = json_int_or(value, "id", 0);
  if (what == "loaded") {
    return LoadedEvent{json_string_or(value, "description", ""),
                       json_string_or(value, "library", ""),
                       json_int_or(value, "context", 0),
                       static_cast<int>(json_int_or(value, "threads", 0)),
                       json_number_or(value, "load_ms", 0),
                       json_int_or(value, "weight_bytes", 0),
                       json_int_or(value, "cache_bytes_per_token", 0)};
  }
  if (what == "progress") {
    return ProgressEvent{id,
                         {TRY(json_string(value, "phase")), json_int_or(value, "done", 0),
                          json_int_or(value, "total", 0)}};
  }
  if (what == "delta") {
    return DeltaEvent{id,
                      json_string_or(value, "text", ""),
                      json_string_or(value, "thinking", ""),
                      json_string_or(value, "tool", ""),
                      json_int_or(value, "at", 0),
                      TRY(tokens_from_json(value, "tokens"))};
  }
  if (what == "done") return TRY(done_from_json(value));
  if (what == "count") {
    return CountEvent{id, json_int_or(value, "tokens", 0), json_int_or(value, "context", 0)};
  }
  if (what == "measured") {
    return MeasuredEvent{id, json_number_or(value, "read_ms", 0),
                         json_number_or(value, "write_ms", 0)};
  }
  if (what == "needed") {
    return NeededEvent{TRY(budget::needs_from_json(TRY(member(value, "needs"))))};
  }
  if (what == "error") {
    return ErrorEvent{id, Error{code_from_name(json_string_or(value, "code", "")),
                                json_string_or(value, "message", ""),
                                json_string_or(value, "hint", ""),
                                {}}};
  }
  return fail(Code::invalid_argument, "unknown event of the engine: " + what);
}

}  // namespace keel::local
