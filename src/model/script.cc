#include "model/script.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "model/stop_text.h"
#include "rt/file.h"
#include "rt/thread.h"

namespace keel::model {
namespace {

std::int64_t count_words(std::string_view text) {
  std::int64_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!space && !inside) ++words;
    inside = !space;
  }
  return words;
}

// "a word with the space before it"; the pieces put together are the text.
std::vector<std::string_view> tokens(std::string_view text) {
  std::vector<std::string_view> pieces;
  std::size_t start = 0;
  bool word = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool space = text[i] == ' ' || text[i] == '\n' || text[i] == '\t';
    if (space && word) {
      pieces.push_back(text.substr(start, i - start));
      start = i;
      word = false;
    }
    if (!space) word = true;
  }
  if (start < text.size()) pieces.push_back(text.substr(start));
  return pieces;
}

std::string last_text_of(const Request& request, msg::Role role) {
  for (auto item = request.items.rbegin(); item != request.items.rend(); ++item) {
    if (item->role != role) continue;
    std::string text = msg::plain_text(*item);
    for (const msg::Block& block : item->blocks) {
      if (const auto* result = std::get_if<msg::ToolResult>(&block)) text += result->text;
    }
    return text;
  }
  return "";
}

// An item without any text has its mark in a prompt too.
std::int64_t words_of(const msg::Item& item) {
  std::int64_t words = 0;
  for (const msg::Block& block : item.blocks) {
    if (const auto* text = std::get_if<msg::Text>(&block)) words += count_words(text->text);
    if (const auto* call = std::get_if<msg::ToolCall>(&block)) {
      words += 1 + count_words(call->arguments);
    }
    if (const auto* result = std::get_if<msg::ToolResult>(&block)) {
      words += count_words(result->text);
    }
  }
  return std::max<std::int64_t>(words, 1);
}

// Token by token, for as long as `take` wants more. False if it was stopped.
bool say(std::string_view text, int delay_ms, const std::stop_token& stop, Response& response,
         const std::function<bool(std::string_view)>& take) {
  for (const std::string_view token : tokens(text)) {
    if (!rt::wait_for(std::chrono::milliseconds(delay_ms), stop)) return false;
    ++response.usage.completion_tokens;
    if (!take(token)) break;
  }
  return true;
}

const std::vector<std::string> known_keys = {
    "match",    "result",         "on",    "repeat", "text",  "thinking", "calls", "stop",
    "delay_ms", "first_delay_ms", "error", "crash",  "forced"};

}  // namespace

Result<std::unique_ptr<ScriptModel>> ScriptModel::open(const ScriptOptions& options) {
  Result<std::string> text = rt::read_file(options.path, limits::script_bytes);
  if (!text) {
    return fail(text.error().code,
                "the script of model " + options.name + ": " + text.error().message,
                text.error().hint.empty() ? "Check its path in keel.toml." : text.error().hint);
  }
  return from_text(options, *text);
}

Result<std::unique_ptr<ScriptModel>> ScriptModel::from_text(const ScriptOptions& options,
                                                            std::string_view text) {
  std::unique_ptr<ScriptModel> model(new ScriptModel(options));
  int number = 0;
  for (std::string_view raw : split(text, '\n')) {
    ++number;
    const std::string_view line = trim(raw);
    if (line.empty() || line.front() == '#') continue;
    if (model->lines_.size() == limits::script_lines) {
      return fail(Code::limit, "the script of model " + options.name + " has more than " +
                                   std::to_string(limits::script_lines) + " lines");
    }
    Result<Line> parsed = parse_line(line, number);
    if (!parsed) {
      const std::string place = options.path.empty() ? "the script" : options.path;
      return fail(parsed.error().code,
                  place + ", line " + std::to_string(number) + ": " + parsed.error().message,
                  "docs/formats/script-model.md lists the keys.");
    }
    model->lines_.push_back(std::move(*parsed));
  }
  return model;
}

Result<ScriptModel::Line> ScriptModel::parse_line(std::string_view text, int number) {
  const Json value = TRY(parse_json(text, "the line"));
  if (!value.is_object()) return fail(Code::config, "a line must be a JSON object");
  for (const auto& [key, unused] : value.items()) {
    if (std::find(known_keys.begin(), known_keys.end(), key) != known_keys.end()) continue;
    const std::string near = nearest_name(key, known_keys);
    return fail(Code::config, "unknown key \"" + printable(key) + "\"" +
                                  (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
  }
  Line line;
  line.number = number;
  if (value.contains("match")) line.match = ascii_lower(TRY(json_string(value, "match")));
  if (value.contains("result")) line.result = TRY(json_string(value, "result"));
  if (value.contains("text")) line.text = TRY(json_string(value, "text"));
  if (value.contains("thinking")) line.thinking = TRY(json_string(value, "thinking"));
  if (value.contains("repeat")) line.repeat = TRY(json_bool(value, "repeat"));
  if (value.contains("crash")) line.crash = TRY(json_bool(value, "crash"));
  if (value.contains("forced")) line.forced = TRY(json_bool(value, "forced"));
  if (value.contains("on")) {
    const std::string on = TRY(json_string(value, "on"));
    if (on != "user" && on != "tool") return fail(Code::config, "\"on\" must be user or tool");
    line.on = on == "user" ? msg::Role::user : msg::Role::tool;
  }
  if (!line.match.empty() && !line.on) line.on = msg::Role::user;
  TRY(parse_calls(value, line));
  TRY(parse_ending(value, line));
  return line;
}

Status ScriptModel::parse_calls(const Json& value, Line& line) {
  if (!value.contains("calls")) return {};
  if (!value["calls"].is_array()) return fail(Code::config, "\"calls\" must be an array");
  for (const Json& entry : value["calls"]) {
    msg::ToolCall call;
    call.name = TRY(json_string(entry, "name"));
    call.id = json_string_or(entry, "id", "");
    const auto arguments = entry.find("arguments");
    if (arguments == entry.end()) {
      call.arguments = "{}";
    } else {
      call.arguments =
          arguments->is_string() ? arguments->get<std::string>() : dump_json(*arguments);
    }
    line.calls.push_back(std::move(call));
  }
  return {};
}

Status ScriptModel::parse_ending(const Json& value, Line& line) {
  for (const auto& [key, target] : {std::pair<const char*, int*>{"delay_ms", &line.delay_ms},
                                    {"first_delay_ms", &line.first_delay_ms}}) {
    if (!value.contains(key)) continue;
    const std::int64_t ms = TRY(json_int(value, key));
    if (ms < 0 || ms > limits::script_delay_ms) {
      return fail(Code::config, std::string("\"") + key + "\" must be 0 to " +
                                    std::to_string(limits::script_delay_ms));
    }
    *target = static_cast<int>(ms);
  }
  if (value.contains("stop")) {
    const std::string stop = TRY(json_string(value, "stop"));
    if (stop != "end" && stop != "max_tokens") {
      return fail(Code::config, "\"stop\" must be end or max_tokens");
    }
    line.max_tokens = stop == "max_tokens";
  }
  if (value.contains("error")) {
    const Json& error = value["error"];
    line.error = Error{code_from_name(TRY(json_string(error, "code"))),
                       TRY(json_string(error, "message")),
                       json_string_or(error, "hint", ""),
                       {}};
  }
  return {};
}

Info ScriptModel::info() const {
  return {options_.name, "script",
          std::to_string(lines_.size()) + " scripted turns" +
              (options_.path.empty() ? "" : " from " + options_.path),
          options_.context};
}

Status ScriptModel::prepare(const Request&, const Sink&, std::stop_token) {
  return {};
}

Request ScriptModel::last_request() const {
  std::lock_guard lock(mutex_);
  return last_;
}

bool ScriptModel::holds(const Line& line, const Request& request, const std::string& said) {
  if (line.used && !line.repeat) return false;
  const msg::Role last = request.items.empty() ? msg::Role::system : request.items.back().role;
  if (line.on && last != *line.on) return false;
  if (line.forced && *line.forced != (request.tool_choice == ToolChoice::none)) return false;
  if (!line.result.empty()) {
    if (last != msg::Role::tool) return false;
    if (last_text_of(request, msg::Role::tool).find(line.result) == std::string::npos) return false;
  }
  if (line.match.empty()) return true;
  return said.find(line.match) != std::string::npos;
}

Result<ScriptModel::Line> ScriptModel::pick(const Request& request) {
  const std::string said = ascii_lower(last_text_of(request, msg::Role::user));
  for (Line& line : lines_) {
    if (!holds(line, request, said)) continue;
    line.used = true;
    return line;
  }
  return fail(Code::not_found,
              "the script of model " + options_.name +
                  " has no line left for: " + printable(last_text_of(request, msg::Role::user)),
              "Add one, or give a line \"repeat\": true.");
}

Usage ScriptModel::count_prompt(const Request& request) {
  Usage usage;
  for (const msg::Tool& tool : request.shown_tools.empty() ? request.tools : request.shown_tools) {
    usage.prompt_tokens += count_words(tool.name) + count_words(tool.description);
  }
  std::vector<std::uint64_t> now;
  for (const msg::Item& item : request.items) now.push_back(msg::mark_of(item));
  const std::vector<std::uint64_t>& before = prompts_[request.conversation];
  bool same = !before.empty();
  if (same) usage.cached_tokens = usage.prompt_tokens;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const std::int64_t words = words_of(request.items[i]);
    usage.prompt_tokens += words;
    same = same && i < before.size() && before[i] == now[i];
    if (same) usage.cached_tokens += words;
  }
  usage.evaluated_tokens = usage.prompt_tokens - usage.cached_tokens;
  prompts_[request.conversation] = std::move(now);
  if (prompts_.size() > limits::script_conversations) prompts_.erase(prompts_.begin());
  return usage;
}

// The line to say, and what the prompt costs.
Result<ScriptModel::Line> ScriptModel::begin(const Request& request, Response& response) {
  std::lock_guard lock(mutex_);
  last_ = request;
  response.usage = count_prompt(request);
  if (options_.context > 0 && response.usage.prompt_tokens > options_.context) {
    prompts_.erase(request.conversation);
    return fail(Code::limit, "prompt is too long: " + std::to_string(response.usage.prompt_tokens) +
                                 " tokens > " + std::to_string(options_.context) + " maximum");
  }
  return pick(request);
}

Result<std::int64_t> ScriptModel::count(const Request& request) {
  std::lock_guard lock(mutex_);
  Request alone = request;
  alone.conversation = "count";
  const std::int64_t words = count_prompt(alone).prompt_tokens;
  prompts_.erase(alone.conversation);
  return words;
}

Result<Response> ScriptModel::generate(const Request& request, const Sink& sink,
                                       std::stop_token stop) {
  const auto start = std::chrono::steady_clock::now();
  Response response;
  response.item.role = msg::Role::assistant;
  if (stop.stop_requested()) {
    response.stop = StopReason::cancelled;
    return response;
  }
  const Line line = TRY(begin(request, response));
  bool going = rt::wait_for(std::chrono::milliseconds(line.first_delay_ms), stop);
  response.timings.ttft_ms = ms_between(start, std::chrono::steady_clock::now());
  std::string thinking;
  std::string text;
  StopText stops(request.stops);
  going = going && say(line.thinking, line.delay_ms, stop, response, [&](std::string_view token) {
            thinking += token;
            if (sink) sink(ThinkingDelta{std::string(token)});
            return true;
          });
  going = going && say(line.text, line.delay_ms, stop, response, [&](std::string_view token) {
            const std::string sure = stops.pass(token);
            text += sure;
            if (sink && !sure.empty()) sink(TextDelta{sure});
            return stops.found().empty();
          });
  if (const std::string rest = stops.flush(); !rest.empty()) {
    text += rest;
    if (sink) sink(TextDelta{rest});
  }
  if (going && line.crash) std::raise(SIGKILL);
  if (going && line.error) return tl::unexpected<Error>(*line.error);

  if (!thinking.empty()) response.item.blocks.push_back(msg::Thinking{thinking, options_.name});
  if (!text.empty()) response.item.blocks.push_back(msg::Text{text});
  response.stop = !going            ? StopReason::cancelled
                  : line.max_tokens ? StopReason::max_tokens
                                    : StopReason::end;
  if (going && !stops.found().empty()) {
    response.stop = StopReason::stop_text;
    response.stopped_by = stops.found();
    going = false;  // the calls come after the text
  }
  for (const msg::ToolCall& call : line.calls) {
    if (!going) break;
    if (sink) sink(ToolCallStarted{call.name});
    response.item.blocks.push_back(call);
    response.stop = StopReason::tool_calls;
    response.usage.completion_tokens += 1 + count_words(call.arguments);
  }
  response.timings.total_ms = ms_between(start, std::chrono::steady_clock::now());
  const double decode_ms = response.timings.total_ms - response.timings.ttft_ms;
  if (response.usage.completion_tokens > 1 && decode_ms > 0) {
    response.timings.decode_tps =
        static_cast<double>(response.usage.completion_tokens - 1) * 1000.0 / decode_ms;
  }
  return response;
}

}  // namespace keel::model
