#include "agent/turn.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/writing/usage_row.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "log/log.h"
#include "memory/memory.h"

namespace keel::agent {
namespace {

constexpr std::string_view nudge_text =
    "[Note from keel: your last answer had no text. Answer the owner now, in plain words.]";
constexpr std::string_view no_answer_text =
    "I found no answer to that. Please put it in another way, or use another model.";
constexpr std::string_view stopped_text = "[The owner stopped this answer.]";

}  // namespace

bool is_shown_by_caller(std::string_view channel) {
  return channel == "terminal";
}

Turn::Turn(const AgentParts& parts, store::Journal& journal, store::TurnRow row,
           const EventSink& sink, std::stop_token stop)
    : parts_(parts),
      journal_(journal),
      row_(std::move(row)),
      sink_(sink),
      forward_stop_(stop, [this] { stop_.request_stop(); }),
      asked_to_stop_(std::move(stop)),
      start_(parts.clock.steady()) {
  pending_.turn = row_.id;
  pending_.conversation = row_.conversation;
  record_.turn = row_.id;
  record_.conversation = row_.conversation;
}

Result<Json> Turn::run() {
  Result<Json> result = fail(Code::internal, "the turn did not run");
  try {
    emit(TurnStarted{row_.conversation, row_.id});
    result = advance();
  } catch (const std::exception& exception) {
    result = fail(Code::internal, "a defect ended the turn: " + printable(exception.what()),
                  "Please report it; keel.log says more.");
  }
  if (result) return result;
  if (result_) return *result_;  // the reply was given; only what comes after it failed
  return tl::unexpected<Error>(fail_turn(result.error()));
}

Result<Json> Turn::advance() {
  if (row_.state == store::TurnState::replied) {
    result_ = TRY(parse_json(row_.result, "the stored result"));
    record_.calls = TRY(journal_.calls(row_.id));
    TRY(load());
    emit(Replied{*result_});
    persist();
    return *result_;
  }
  TRY(load());
  const bool begun = row_.state == store::TurnState::running;
  if (begun) {
    TRY(resume());
  } else {
    TRY(open());
  }
  while (!result_) TRY(step());
  persist();
  return *result_;
}

Status Turn::load() {
  conversation_ = TRY(journal_.conversation(row_.conversation));
  identity_ = TRY(identity_of(parts_));
  tools_ = ToolList(conversation_, parts_.tools.specs());
  window_ = TRY(Window::load(journal_, conversation_));
  return {};
}

Status Turn::resume() {
  const std::vector<store::StepRow> steps = TRY(journal_.steps(row_.id));
  TRY(record_.read_steps(steps));
  for (const store::StepRow& step : steps) {
    if (step.kind == "model") ++steps_;
    if (step.kind == "nudge") nudged_ = true;
    if (step.kind == "repeat") told_of_repeat_ = true;
    if (step.kind == "limit") last_step_ = true;
    if (step.kind == "fallback") {
      const Json data = TRY(parse_json(step.json, "a stored step"));
      failed_.push_back({json_string_or(data, "model", ""), json_string_or(data, "why", "")});
    }
  }
  opened_ = true;
  record_.usage = TRY(journal_.usage_of(row_.id));
  for (store::CallRow& call : TRY(journal_.calls(row_.id))) {
    if (!call.has_result) {
      intents_[call.call_id] = std::move(call);
      continue;
    }
    ++repeats_[call.args_hash];
    record_.calls.push_back(std::move(call));
  }
  for (const Window::Entry& entry : window_.entries()) {
    if (entry.turn != row_.id || entry.item.role != msg::Role::assistant) continue;
    const std::string text(trim(msg::plain_text(entry.item)));
    if (!text.empty()) spoken_.push_back(text);
  }
  emit(Recalled{record_.retrieval, record_.pages});
  TRY(route());
  const std::vector<msg::ToolCall> calls = calls_without_result();
  return calls.empty() ? flush() : run_calls(calls);
}

Status Turn::step() {
  if (stopping()) {
    append(msg::text_item(msg::Role::assistant, std::string(stopped_text)));
    return finish(join(spoken_, "\n\n"));
  }
  if (!last_step_ && steps_ + 1 >= limits::turn_steps) {
    last_step_ = true;
    add_step("limit", {{"reason", "steps"}});
    say("The limit of " + std::to_string(limits::turn_steps) +
        " model calls in a turn was reached.");
  }
  const bool last = last_step_ || std::ssize(record_.calls) >= limits::turn_tool_calls;
  Result<model::Response> response = generate(last);
  if (response) return take(std::move(*response), last);
  if (response.error().code == Code::cancelled && stopping()) return {};
  Error error = std::move(response).error();
  if (error.code == Code::limit) {
    Status shrunk = shrink(error);
    if (shrunk || shrunk.error().code != Code::limit) return shrunk;
    error = std::move(shrunk).error();
  }
  if (TRY(fall_back(error))) return {};
  return pass(std::move(error));
}

Result<model::Response> Turn::generate(bool last) {
  model::Request request;
  request.conversation = row_.conversation;
  request.turn = row_.id;
  request.items = choice_.withholds
                      ? window_.open_items(conversation_.system, choice_.name, row_.id)
                      : window_.items(conversation_.system, choice_.name);
  if (choice_.elsewhere) request.pages = pages_in_prompt();
  request.tools = tools_.now();
  request.shown_tools = tools_.shown();
  request.max_tokens = limits::turn_call_tokens;
  if (last) request.tool_choice = model::ToolChoice::none;
  request.ends_with_note = ends_with_note(request.items.back());
  thinking_shown_ = text_shown_ = false;
  const model::Sink sink = [this](const model::StreamEvent& event) { on_model_event(event); };
  return parts_.router.ask(choice_, request, sink, stop_.get_token());
}

void Turn::on_model_event(const model::StreamEvent& event) {
  // The only place that is called while a model writes; a silent model has a time limit of its own.
  if (out_of_time()) stop_.request_stop();
  if (const auto* delta = std::get_if<model::TextDelta>(&event)) {
    if (record_.ttft_ms == 0.0) record_.ttft_ms = ms_between(start_, parts_.clock.steady());
    text_shown_ = true;
    emit(Token{delta->text});
  } else if (const auto* progress = std::get_if<model::Progress>(&event)) {
    emit(Progress{progress->phase, progress->done, progress->total});
  } else if (!thinking_shown_) {
    thinking_shown_ = true;
    emit(Progress{"writing", 0, 0});
  }
}

std::int64_t Turn::context_tokens() const {
  if (record_.usage.empty()) return 0;
  return record_.usage.back().prompt_tokens + record_.usage.back().completion_tokens;
}

bool Turn::out_of_time() const {
  return parts_.clock.steady() - start_ > limits::turn_time;
}

Status Turn::take(model::Response response, bool last) {
  ++steps_;
  const bool cancelled = response.stop == model::StopReason::cancelled || stopping();
  msg::Item item = cleaned(std::move(response.item), !last && !cancelled);
  const std::vector<msg::ToolCall> calls = msg::tool_calls(item);
  const std::string text(trim(msg::plain_text(item)));
  note_model_call(response, calls.size(), last);
  if (!text.empty()) spoken_.push_back(text);
  if (!calls.empty()) {
    append(std::move(item));
    return run_calls(calls);
  }
  if (cancelled) {
    if (text.empty()) item = msg::text_item(msg::Role::assistant, std::string(stopped_text));
    append(std::move(item));
    return finish(text.empty() ? join(spoken_, "\n\n") : text);
  }
  if (response.stop == model::StopReason::max_tokens && !text.empty()) {
    say("The answer was cut: it reached the most that is written at once.");
  }
  if (spoken_.empty()) {
    if (!nudged_) return nudge(std::move(item));
    say("The model wrote no answer, also when asked again.");
    append(msg::text_item(msg::Role::assistant, std::string(no_answer_text)));
    return finish(std::string(no_answer_text));
  }
  if (item.blocks.empty()) item.blocks.push_back(msg::Text{});
  append(std::move(item));
  return finish(text.empty() ? join(spoken_, "\n\n") : text);
}

Status Turn::nudge(msg::Item item) {
  nudged_ = true;
  add_step("nudge", {{"reason", "an output without text"}});
  item.blocks.push_back(msg::Text{});  // templates want a content
  append(std::move(item));
  append(msg::text_item(msg::Role::user, std::string(nudge_text)));
  return flush();
}

// What is stored must be valid in every later prompt: text is UTF-8, a call is whole and has an id
// of its own.
msg::Item Turn::cleaned(msg::Item item, bool keep_calls) {
  item.role = msg::Role::assistant;
  std::set<std::string> ids;
  for (const store::CallRow& call : record_.calls) ids.insert(call.call_id);
  int calls = 0;
  std::vector<msg::Block> blocks;
  for (msg::Block& block : item.blocks) {
    if (auto* text = std::get_if<msg::Text>(&block)) {
      text->text = to_valid_utf8(text->text);
    } else if (auto* thinking = std::get_if<msg::Thinking>(&block)) {
      thinking->text = to_valid_utf8(thinking->text);
      if (thinking->origin.empty()) thinking->origin = choice_.name;
    } else if (auto* call = std::get_if<msg::ToolCall>(&block)) {
      if (!keep_calls || !call->complete || ++calls > limits::turn_tool_calls) continue;
      call->name = to_valid_utf8(call->name);
      call->arguments = to_valid_utf8(call->arguments);
      std::size_t number = ids.size() + 1;
      while (call->id.empty() || ids.contains(call->id)) {
        call->id = "call_" + std::to_string(number++);
      }
      ids.insert(call->id);
    } else {
      continue;  // a result is never a model's to write
    }
    blocks.push_back(std::move(block));
  }
  item.blocks = std::move(blocks);
  if (calls > limits::turn_tool_calls) {
    say("The model asked for " + std::to_string(calls) + " calls at once; only the first " +
        std::to_string(limits::turn_tool_calls) + " were looked at.");
  }
  return item;
}

void Turn::note_model_call(const model::Response& response, std::size_t calls, bool last) {
  store::UsageRow usage = usage_row(choice_.name, response.usage, response.timings);
  record_.usage.push_back(usage);
  pending_.usage.push_back(std::move(usage));
  add_step("model", {{"stop", model::stop_reason_name(response.stop)},
                     {"calls", calls},
                     {"text_bytes", msg::plain_text(response.item).size()},
                     {"last", last}});
}

Status Turn::shrink(const Error& error) {
  const std::optional<msg::PromptSize> size = msg::prompt_size(error.message);
  if (const auto dropped = window_.drop_oldest(row_.id, size)) {
    pending_.window_start = dropped->window_start;
    // The prefix has to be read again anyway, so what changed of the identity and the tools goes
    // into it now.
    conversation_.system = system_text(identity_);
    tools_ = ToolList({}, parts_.tools.specs());
    pending_.prefix = store::Prefix{conversation_.system, sha256_hex(identity_), tools_.json()};
    add_step("shrink", {{"turns", dropped->turns}, {"window_start", dropped->window_start}});
    say(dropped->turns == 1
            ? "The oldest turn no longer fits and was left out (it stays in the journal)."
            : "The oldest " + std::to_string(dropped->turns) +
                  " turns no longer fit and were left out (they stay in the journal).");
    return flush();
  }
  if (auto cut = window_.cut_longest_result(row_.id)) {
    add_step("shrink", {{"position", cut->position}, {"bytes", cut->json.size()}});
    pending_.cuts.push_back(std::move(*cut));
    say("A long tool result was shortened because it does not fit.");
    return flush();
  }
  return fail(
      Code::limit,
      "this message does not fit into the context of " + choice_.name + " (" + error.message + ")",
      "Send it in smaller parts, or use a model with a larger context.");
}

void Turn::emit(const Event& event) const {
  if (sink_) sink_(event);
}

void Turn::say(std::string notice) {
  emit(Notice{std::move(notice)});
}

void Turn::add_step(std::string kind, const Json& data) {
  pending_.steps.push_back({std::move(kind), dump_json(data)});
}

void Turn::append(msg::Item item, policy::Label label) {
  // What was written by somebody who saw something private may repeat it.
  const bool saw = !choice_.withholds && item.role != msg::Role::user &&
                   window_.label().confidentiality == policy::Confidentiality::secret;
  if (saw) label.confidentiality = policy::Confidentiality::secret;
  pending_.items.push_back(window_.append(row_.id, std::move(item), label));
}

Status Turn::flush() {
  if (pending_.empty()) return {};
  const Result<std::int64_t> first = journal_.apply(pending_);
  if (!first) {
    flush_failed_ = true;
    return pass(first.error());
  }
  window_.placed(*first);
  pending_ = {};
  pending_.turn = row_.id;
  pending_.conversation = row_.conversation;
  return {};
}

}  // namespace keel::agent
