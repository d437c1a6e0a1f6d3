#include "model/cloud/cloud_model.h"

#include <algorithm>
#include <random>

#include "base/clock.h"
#include "base/limits.h"
#include "log/log.h"
#include "model/cloud/retry.h"
#include "rt/thread.h"

namespace keel::model {
namespace {

using Steady = std::chrono::steady_clock;

double luck() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(random);
}

}  // namespace

// One request on its way, and what has come back.
struct CloudModel::Attempt {
  const Sink& sink;
  const msg::ToolNames& names;
  std::unique_ptr<msg::StreamReader> reader;
  msg::Collector collector;
  std::optional<msg::ApiError> error;
  std::optional<std::chrono::milliseconds> asked_wait;
  bool shown = false;              // something of an answer went to the sink
  const Outside* relay = nullptr;  // who wants the bytes themselves
  std::string held;                // of them, until there is something to show
  Steady::time_point start = Steady::now();
  double ttft_ms = 0.0;

  // The bytes of an attempt that shows nothing are never handed on: it may be repeated.
  void pass_on(std::string_view bytes, const msg::StreamEvents& events, bool whole) {
    if (relay == nullptr) return;
    held += bytes;
    const bool shows = std::any_of(events.begin(), events.end(), [](const msg::StreamEvent& event) {
      return std::holds_alternative<msg::Delta>(event) ||
             std::holds_alternative<msg::BlockOpen>(event);
    });
    if (!shown && !shows && !whole) return;
    if (!held.empty() && !relay->relay(held)) relay = nullptr;
    held.clear();
  }

  void take(msg::StreamEvents events) {
    for (msg::StreamEvent& event : events) {
      msg::restore_names(names, event);
      collector.event(event);
      show(event);
    }
  }

  void show(const msg::StreamEvent& event) {
    const auto* delta = std::get_if<msg::Delta>(&event);
    const auto* open = std::get_if<msg::BlockOpen>(&event);
    if (delta == nullptr && open == nullptr) return;
    if (!shown) ttft_ms = ms_between(start, Steady::now());
    shown = true;
    if (open != nullptr) {
      const bool call =
          open->kind == msg::BlockKind::call || open->kind == msg::BlockKind::custom_call;
      if (call) sink(ToolCallStarted{open->name});
    } else if (delta->kind == msg::DeltaKind::thinking) {
      sink(ThinkingDelta{delta->text});
    } else if (delta->kind == msg::DeltaKind::text || delta->kind == msg::DeltaKind::refusal) {
      sink(TextDelta{delta->text});
    }
  }
};

Result<std::unique_ptr<CloudModel>> CloudModel::create(CloudOptions options, net::Client& client) {
  const net::Endpoint to = TRY(net::Endpoint::create(options.base_url));
  std::unique_ptr<CloudModel> model(new CloudModel(std::move(options), to, client));
  return model;
}

CloudModel::CloudModel(CloudOptions options, net::Endpoint endpoint, net::Client& client)
    : options_(std::move(options)), endpoint_(std::move(endpoint)), client_(client) {}

Info CloudModel::info() const {
  const bool anthropic = options_.dialect == msg::Dialect::anthropic;
  Info info{options_.name, anthropic ? "anthropic" : "openai",
            options_.model + " at " + endpoint_.host_port(), options_.context};
  info.elsewhere = true;
  info.sees = true;
  info.dialect = options_.dialect;
  info.prices = options_.prices;
  return info;
}

net::ServiceRequest CloudModel::service_request(const std::string& key, const Request& asked,
                                                std::string_view body) const {
  net::ServiceRequest request{endpoint_, ""};
  request.why = {"model", options_.name, asked.turn, asked.pages};
  request.body = body;
  request.secret = !key.empty();
  request.headers = {{"content-type", "application/json"}, {"accept", "text/event-stream"}};
  // Base addresses are written with and without the version, as the providers' own clients do.
  const std::string version = endpoint_.text().ends_with("/v1") ? "" : "/v1";
  if (options_.dialect == msg::Dialect::anthropic) {
    request.path = version + "/messages";
    request.headers.emplace_back("anthropic-version", "2023-06-01");
    if (!key.empty()) request.headers.emplace_back("x-api-key", key);
  } else {
    const bool chat = options_.dialect == msg::Dialect::chat;
    request.path = version + (chat ? "/chat/completions" : "/responses");
    if (!key.empty()) request.headers.emplace_back("authorization", "Bearer " + key);
  }
  if (asked.outside && asked.outside->dialect == options_.dialect) {
    request.headers.insert(request.headers.end(), asked.outside->headers.begin(),
                           asked.outside->headers.end());
  }
  // A server that reads a long prompt says nothing until it has.
  request.first_byte_time = limits::cloud_first_byte_time;
  request.idle_time = limits::cloud_idle_time;
  return request;
}

Status CloudModel::ask(const net::ServiceRequest& request, Attempt& attempt, std::stop_token stop) {
  attempt.reader = msg::make_reader(options_.dialect);
  attempt.collector = {};
  attempt.error.reset();
  attempt.asked_wait.reset();
  attempt.held.clear();
  net::ServiceSink sink;
  sink.body = [&](std::string_view bytes) {
    msg::StreamEvents events = attempt.reader->feed(bytes);
    attempt.pass_on(bytes, events, false);
    attempt.take(std::move(events));
    return !attempt.reader->ended();
  };
  const net::ServiceAnswer answer = TRY(client_.service(request, sink, stop));
  if (answer.status < 200 || answer.status >= 300) {
    attempt.error = msg::read_error(answer.status, answer.body);
    attempt.asked_wait = asked_wait(answer.headers);
    return {};
  }
  attempt.take(attempt.reader->finish());
  attempt.error = attempt.collector.error();
  if (!attempt.error && attempt.collector.ended()) attempt.pass_on({}, {}, true);
  return {};
}

msg::Written CloudModel::written(const Request& request) const {
  msg::Conversation conversation = conversation_for(request, options_.model);
  if (!request.outside) {
    if (options_.temperature > 0) conversation.params.temperature = options_.temperature;
    if (options_.dialect == msg::Dialect::anthropic) mark_for_cache(conversation);
  }
  msg::Target target;
  // Who sends such notes to this API has asked for it with a header, which is passed on.
  target.inline_system = request.outside && request.outside->dialect == options_.dialect;
  target.old_max_tokens = endpoint_.host_port().find("openai.com") == std::string::npos;
  return msg::write_request(options_.dialect, conversation, target);
}

Result<std::int64_t> CloudModel::count(const Request& request) {
  if (options_.dialect != msg::Dialect::anthropic) return Model::count(request);
  const std::string key = options_.api_key.empty() ? "" : TRY(options_.api_key.resolve());
  const std::string body = TRY(counting_body(written(request).body));
  net::ServiceRequest service = service_request(key, request, body);
  service.path += "/count_tokens";
  service.total_time = limits::cloud_count_time;
  const net::ServiceAnswer answer = TRY(client_.service(service, {}, {}));
  if (answer.status < 200 || answer.status >= 300) {
    Error error = msg::to_error(msg::read_error(answer.status, answer.body));
    error.message = options_.name + ": " + error.message;
    return pass(std::move(error));
  }
  const Json counted = TRY(parse_json(answer.body, "the count of " + options_.name));
  return json_int(counted, "input_tokens");
}

Result<Response> CloudModel::generate(const Request& request, const Sink& sink,
                                      std::stop_token stop) {
  const std::string key = options_.api_key.empty() ? "" : TRY(options_.api_key.resolve());
  const msg::Written written = this->written(request);
  for (const msg::Loss& loss : written.losses) {
    log::debug("model", "{}: {} at {}: {}", options_.name, msg::lost_name(loss.what), loss.where,
               loss.why);
  }
  const net::ServiceRequest service = service_request(key, request, written.body);
  Attempt attempt{sink, written.names};
  const bool relays = request.outside && request.outside->relay && !written.names.renames() &&
                      request.outside->dialect == options_.dialect;
  if (relays) attempt.relay = request.outside.get();
  for (int next = 1;; ++next) {
    const Status asked = ask(service, attempt, stop);
    if (stop.stop_requested()) return finish(attempt, true);
    if (asked && !attempt.error) return finish(attempt, false);
    Error error = asked ? msg::to_error(*attempt.error) : asked.error();
    if (asked && attempt.error->kind == msg::Fault::context_overflow &&
        error.message.find("prompt is too long") == std::string::npos) {
      error.message = "prompt is too long: " + error.message;
    }
    const bool again = asked ? worth_another_try(attempt.error->kind)
                             : error.code == Code::network || error.code == Code::timeout;
    const auto wait = wait_before(next, attempt.asked_wait, luck());
    if (attempt.shown || !again || !wait) {
      error.message = options_.name + ": " + error.message;
      if (attempt.asked_wait) error.retry_after_ms = attempt.asked_wait->count();
      return pass(std::move(error));
    }
    log::info("model", "{}: asked again in {} ms: {}", options_.name, wait->count(), error.message);
    if (!rt::wait_for(*wait, stop)) return finish(attempt, true);
  }
}

Result<Response> CloudModel::finish(Attempt& attempt, bool cancelled) const {
  if (!attempt.collector.ended() && attempt.reader != nullptr && !cancelled) {
    return fail(Code::network, options_.name + ": the answer broke off");
  }
  const msg::Answer& answer = attempt.collector.answer();
  Response response;
  response.item = answer.item;
  for (msg::Block& block : response.item.blocks) {
    if (auto* thinking = std::get_if<msg::Thinking>(&block)) thinking->origin = options_.model;
  }
  response.stop = cancelled ? StopReason::cancelled : stop_reason_of(answer.stop);
  response.stopped_by = answer.stop_sequence;
  msg::TokenUsage usage = answer.usage;
  if (cancelled) {
    // The service says how much it wrote when it ends; it is paid for what it wrote by now.
    const auto bytes = static_cast<std::int64_t>(msg::plain_text(answer.item).size());
    usage.output = std::max(usage.output, bytes / limits::route_bytes_per_token);
  }
  response.usage = usage_of(usage, options_.prices.value_or(Prices{}));
  response.timings.ttft_ms = attempt.ttft_ms;
  response.timings.total_ms = ms_between(attempt.start, Steady::now());
  const double writing = response.timings.total_ms - attempt.ttft_ms;
  if (answer.usage.output > 1 && writing > 0) {
    response.timings.decode_tps = static_cast<double>(answer.usage.output - 1) * 1000 / writing;
  }
  return response;
}

}  // namespace keel::model
