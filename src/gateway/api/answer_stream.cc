#include "gateway/api/answer_stream.h"

#include <utility>

#include "base/id.h"
#include "base/limits.h"

namespace keel::api {
namespace {

constexpr std::size_t kCallIdBytes = 12;

msg::Stop stop_of(model::StopReason reason) {
  switch (reason) {
    case model::StopReason::end:
      return msg::Stop::end;
    case model::StopReason::tool_calls:
      return msg::Stop::tool_calls;
    case model::StopReason::max_tokens:
      return msg::Stop::max_tokens;
    case model::StopReason::stop_text:
      return msg::Stop::stop_sequence;
    case model::StopReason::cancelled:
      return msg::Stop::cancelled;
  }
  return msg::Stop::end;
}

msg::TokenUsage usage_of(const model::Usage& usage) {
  msg::TokenUsage out;
  out.input = usage.prompt_tokens - usage.cached_tokens;
  out.cache_read = usage.cached_tokens;
  out.output = usage.completion_tokens;
  return out;
}

}  // namespace

void AnswerEvents::start() {
  if (to_.started()) return;
  msg::TokenUsage usage;
  usage.input = prompt_tokens_;
  to_.start(options_.id, options_.model, usage);
}

void AnswerEvents::write(msg::BlockKind kind, msg::DeltaKind delta, const std::string& text) {
  start();
  if (open_ != kind) {
    close_block();
    to_.open(++key_, msg::BlockOpen{.kind = kind});
    open_ = kind;
  }
  to_.delta(key_, delta, text);
}

void AnswerEvents::close_block() {
  if (open_ == msg::BlockKind::thinking) {
    const std::string thought = std::exchange(thought_, {});
    if (options_.sign) to_.delta(key_, msg::DeltaKind::signature, options_.sign(thought));
  }
  if (std::exchange(open_, std::nullopt)) to_.close(key_);
}

void AnswerEvents::model_event(const model::StreamEvent& event) {
  if (const auto* text = std::get_if<model::TextDelta>(&event)) {
    write(msg::BlockKind::text, msg::DeltaKind::text, text->text);
  } else if (const auto* thinking = std::get_if<model::ThinkingDelta>(&event)) {
    if (!options_.thinking) return;
    thought_ += thinking->text;
    write(msg::BlockKind::thinking, msg::DeltaKind::thinking, thinking->text);
  } else if (const auto* progress = std::get_if<model::Progress>(&event)) {
    // The prompt fits, and reading it may take a while: the client hears that something happens.
    if (progress->phase == "reading") start();
  }
}

void AnswerEvents::finish(const model::Response& response) {
  start();
  close_block();
  for (const msg::ToolCall& call : msg::tool_calls(response.item)) {
    // Half a call is never handed on: some clients would run it.
    if (call.complete) write_call(call);
  }
  to_.usage(usage_of(response.usage));
  to_.end(stop_of(response.stop), response.stopped_by);
}

void AnswerEvents::write_call(const msg::ToolCall& call) {
  const bool custom = options_.custom.count(call.name) > 0;
  msg::BlockOpen open{.kind = custom ? msg::BlockKind::custom_call : msg::BlockKind::call};
  open.id = call.id.empty() ? "call_" + random_hex(kCallIdBytes) : call.id;
  open.name = call.name;
  std::string arguments = call.arguments;
  if (custom) {
    const Result<Json> input = parse_json(arguments);
    arguments = input ? json_string_or(*input, "input", "") : "";
  }
  to_.open(++key_, open);
  to_.delta(key_, msg::DeltaKind::arguments, arguments);
  to_.close(key_);
}

void AnswerEvents::fail(msg::ApiError error) {
  to_.error(std::move(error));
}

msg::StreamEvents AnswerEvents::take() {
  msg::StreamEvents events = to_.take();
  for (msg::StreamEvent& event : events) msg::restore_names(options_.names, event);
  return events;
}

LiveAnswer::LiveAnswer(AnswerOptions options, std::unique_ptr<msg::StreamWriter> writer,
                       http::Headers headers, http::Responder responder)
    : quiet_start_(options.quiet_start),
      events_(std::move(options)),
      writer_(std::move(writer)),
      headers_(std::move(headers)),
      responder_(std::move(responder)) {}

void LiveAnswer::expect(std::int64_t prompt_tokens) {
  const std::lock_guard lock(mutex_);
  events_.expect(prompt_tokens);
}

void LiveAnswer::model_event(const model::StreamEvent& event) {
  const std::lock_guard lock(mutex_);
  if (relayed_) return;
  events_.model_event(event);
  flush(true);
}

bool LiveAnswer::relay(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (stream_ && !relayed_) return false;
  relayed_ = true;
  if (!stream_) stream_ = responder_.begin(200, headers_);
  sent_ = Steady::now();
  stream_->write(bytes);
  return true;
}

void LiveAnswer::finish(const model::Response& response) {
  const std::lock_guard lock(mutex_);
  if (!relayed_) {
    events_.finish(response);
    flush(true);
  }
  if (stream_) stream_->end();
}

bool LiveAnswer::fail(const msg::ApiError& error) {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  if (!stream_) return false;
  events_.fail(error);
  flush(true);
  stream_->end();
  return true;
}

void LiveAnswer::ping(Steady::time_point now) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || closed_) return;  // it is being written to, or was answered otherwise
  if (!stream_) {
    if (quiet_start_ || now - made_ < limits::answer_head_time) return;
    events_.start();
  } else {
    if (relayed_ || now - sent_ < limits::ping_time) return;
    events_.sign_of_life();
  }
  flush(false);
}

void LiveAnswer::flush(bool may_wait) {
  std::string bytes;
  for (const msg::StreamEvent& event : events_.take()) writer_->event(event, bytes);
  if (bytes.empty()) return;
  if (!stream_) stream_ = responder_.begin(200, headers_);
  sent_ = Steady::now();
  if (may_wait) {
    stream_->write(bytes);
  } else {
    stream_->push(bytes);
  }
}

}  // namespace keel::api
