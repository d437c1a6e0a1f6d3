#include "gateway/api/endpoints.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/limits.h"
#include "log/log.h"
#include "model/route/needs.h"
#include "msg/dialect/dialect.h"

namespace keel::api {
namespace {

using Dialect = msg::Dialect;

constexpr auto kPingTick = std::chrono::milliseconds(250);
constexpr std::size_t kIdBytes = 12;
constexpr int kRetryAfterS = 2;

std::int64_t now_s() {
  return SystemClock().wall_ms() / 1000;
}

std::string make_id(Dialect dialect) {
  const std::string_view prefix = dialect == Dialect::anthropic   ? "msg_"
                                  : dialect == Dialect::responses ? "resp_"
                                                                  : "chatcmpl-";
  return std::string(prefix) + random_hex(kIdBytes);
}

std::string request_id_name(Dialect dialect) {
  return dialect == Dialect::anthropic ? "request-id" : "x-request-id";
}

// In the words that each dialect's clients act on.
msg::ApiError api_error(const Error& error, Dialect dialect) {
  msg::ApiError out = msg::to_api_error(error);
  if (out.kind != msg::Fault::context_overflow) return out;
  if (const auto size = msg::prompt_size(out.message)) {
    out.message = msg::overflow_message(size->tokens, size->maximum, dialect);
  }
  return out;
}

}  // namespace

http::Response error_response(Dialect dialect, const msg::ApiError& error, int status) {
  http::Response response;
  response.status = status != 0 ? status : msg::http_status(error.kind, dialect);
  msg::ApiError named = error;
  if (named.request_id.empty()) named.request_id = "req_" + random_hex(kIdBytes);
  response.headers = {{"content-type", "application/json"},
                      {request_id_name(dialect), named.request_id}};
  const bool later = error.kind == msg::Fault::rate || error.kind == msg::Fault::overloaded;
  if (later || error.retry_after_s) {
    const int seconds = static_cast<int>(error.retry_after_s.value_or(kRetryAfterS));
    response.headers.emplace_back("retry-after", std::to_string(seconds));
  }
  if (response.status == 401) response.headers.emplace_back("www-authenticate", "Bearer");
  response.body = msg::error_body(named, dialect);
  return response;
}

struct Endpoints::Call {
  Dialect dialect = Dialect::chat;
  msg::Conversation conversation;  // as the client sent it
  msg::Params params;
  MapOptions map;
  model::Needs needs;
  model::Choice choice;
  model::Request request;
  AnswerOptions answer;
  // Whose thoughts are signed: another model may take over before any were shown.
  std::shared_ptr<std::string> signer = std::make_shared<std::string>();
  std::string request_id;
  std::vector<std::pair<std::string, std::string>> headers;  // that a cloud of the dialect reads
  // Where the bytes of a streamed answer go that need no writing.
  std::shared_ptr<std::function<bool(std::string_view)>> relay =
      std::make_shared<std::function<bool(std::string_view)>>();
  std::string same_as;  // the same for requests that one answer can serve; empty: none other
  msg::AnswerStyle style;
  std::size_t losses = 0;
};

Endpoints::Endpoints(model::Router& router, Options options)
    : router_(router), options_(std::move(options)) {
  pinger_ = rt::start_thread("http-ping", [this](std::stop_token stop) { ping_all(stop); });
}

Endpoints::~Endpoints() = default;

Counters Endpoints::counters() const {
  Counters counters;
  counters.answers = answers_;
  counters.failures = failures_;
  counters.cancelled = cancelled_;
  counters.joined = joined_;
  counters.prompt_tokens = prompt_tokens_;
  counters.cached_tokens = cached_tokens_;
  counters.completion_tokens = completion_tokens_;
  const std::lock_guard lock(mutex_);
  counters.open_streams = live_.size();
  return counters;
}

Result<Endpoints::Call> Endpoints::prepare(Dialect dialect, const http::Request& request) const {
  msg::Parsed parsed = TRY(msg::parse_request(dialect, request.body));
  Call call;
  call.dialect = dialect;
  call.params = parsed.conversation.params;
  call.style = msg::style_for(parsed.conversation, now_s());
  call.request_id = "req_" + random_hex(kIdBytes);
  call.losses = parsed.losses.size();
  call.conversation = std::move(parsed.conversation);
  const std::string beta = http::header(request.headers, "anthropic-beta");
  if (!beta.empty()) call.headers.emplace_back("anthropic-beta", beta);
  call.map.session = http::header(request.headers, "x-claude-code-session-id");
  call.map.secret = options_.secret;

  call.needs = model::needs_of(call.conversation.items, call.conversation.tools);
  call.needs.max_tokens = answer_tokens(call.params);
  call.needs.channel = "api";
  call.needs.wish = call.params.model;
  Result<model::Choice> choice = router_.choose(call.needs, call.request_id);
  if (!choice && choice.error().code == Code::not_found && options_.any_model) {
    call.needs.wish.clear();
    choice = router_.choose(call.needs, call.request_id);
  }
  if (!choice) return pass(std::move(choice).error());
  call.answer.id = make_id(dialect);
  call.answer.model = choice->name;
  // A client of Anthropic's API that does not ask for thoughts does not expect them.
  call.answer.thinking = dialect != Dialect::anthropic || call.params.thinking.on();
  if (dialect == Dialect::anthropic) {
    call.answer.sign = [secret = options_.secret, signer = call.signer](const std::string& text) {
      return sign_thinking(secret, *signer, text);
    };
  }
  take(call, std::move(*choice));
  // Where chance has no part, the same request gets the same answer. Of a model elsewhere nobody
  // knows that.
  if (!call.choice.elsewhere && call.request.sampling.temperature == 0) {
    const std::string parts[] = {std::string(msg::dialect_name(dialect)), call.choice.name,
                                 call.map.session, request.body};
    for (const std::string& part : parts) call.same_as = sha256_hex(call.same_as + part);
  }
  return call;
}

void Endpoints::take(Call& call, model::Choice choice) const {
  call.choice = std::move(choice);
  *call.signer = call.choice.name;
  call.map.model = call.choice.name;
  call.map.vision = call.choice.model->info().sees;
  Mapped mapped = map_request(call.conversation, call.map);
  call.request = std::move(mapped.request);
  call.request.turn = call.request_id;
  call.losses += mapped.losses.size();
  if (call.choice.elsewhere) {
    auto outside = std::make_shared<model::Outside>();
    outside->conversation = call.conversation;
    outside->headers = call.headers;
    outside->dialect = call.dialect;
    const bool relays = call.params.stream && call.choice.model->info().dialect == call.dialect;
    if (relays) {
      outside->relay = [relay = call.relay](std::string_view bytes) { return (*relay)(bytes); };
    }
    call.answer.quiet_start = relays;
    call.request.outside = std::move(outside);
  }
  // Of the tools alone, so the same whoever answers.
  call.answer.names = std::move(mapped.names);
  call.answer.custom = std::move(mapped.custom);
}

bool Endpoints::enter(const std::string& key) {
  const std::lock_guard lock(mutex_);
  std::int64_t& count = at_once_[key];
  if (options_.answers_at_once > 0 && count >= options_.answers_at_once) return false;
  ++count;
  return true;
}

void Endpoints::leave(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto place = at_once_.find(key);
  if (--place->second == 0) at_once_.erase(place);
}

void Endpoints::answer(Dialect dialect, const http::Request& request, http::Responder& responder) {
  // The token itself is nobody's to keep.
  const std::string key = sha256_hex(http::header(request.headers, "authorization") +
                                     http::header(request.headers, "x-api-key"));
  if (!enter(key)) {
    const msg::ApiError error{msg::Fault::rate,
                              "this token has " + std::to_string(options_.answers_at_once) +
                                  " answers at once already ([gateway] answers_at_once)",
                              kRetryAfterS};
    return responder.send(error_response(dialect, error));
  }
  struct Leave {
    Endpoints& endpoints;
    const std::string& key;
    ~Leave() { endpoints.leave(key); }
  } const leave{*this, key};
  Result<Call> call = prepare(dialect, request);
  if (!call) return responder.send(error_response(dialect, api_error(call.error(), dialect)));
  if (call->params.stream) {
    stream(*call, responder);
  } else {
    whole(*call, responder);
  }
}

// Another model takes over as long as the client has been shown nothing of an answer.
Result<model::Response> Endpoints::ask(Call& call, const model::Sink& sink, std::stop_token stop) {
  for (;;) {
    std::atomic<bool> shown = false;
    const model::Sink noted = [&](const model::StreamEvent& event) {
      if (!std::holds_alternative<model::Progress>(event)) shown = true;
      sink(event);
    };
    Result<model::Response> response = router_.ask(call.choice, call.request, noted, stop);
    const bool done = response || shown || stop.stop_requested() ||
                      !model::is_models_fault(response.error()) ||
                      std::ssize(call.needs.failed) >= limits::route_fallbacks;
    if (done) return response;
    call.needs.failed.push_back({call.choice.name, response.error().message});
    Result<model::Choice> next = router_.choose(call.needs, call.request_id);
    if (!next) return response;
    log::info("gateway", "api {} goes on with {} instead of {}: {}", call.request_id, next->name,
              call.choice.name, response.error().message);
    take(call, std::move(*next));
  }
}

Result<model::Response> Endpoints::generate(Call& call, const model::Sink& sink,
                                            std::stop_token stop) {
  const auto begin = std::chrono::steady_clock::now();
  const Flights::Call make = [&](const model::Sink& told, std::stop_token ended) {
    return ask(call, told, std::move(ended));
  };
  bool joined = false;
  Result<model::Response> response = call.same_as.empty()
                                         ? make(sink, stop)
                                         : flights_.answer(call.same_as, sink, stop, make, joined);
  if (joined) {
    ++joined_;
    log::info("gateway", "api {} had the answer of an equal request", call.request_id);
    return response;
  }
  const double ms = ms_between(begin, std::chrono::steady_clock::now());
  record(call, response, ms);
  const bool cancelled =
      stop.stop_requested() || (response && response->stop == model::StopReason::cancelled);
  ++(cancelled ? cancelled_ : response ? answers_ : failures_);
  if (!response) {
    log::info("gateway", "api dialect={} model={} failed={} ms={:.0f}",
              msg::dialect_name(call.dialect), call.choice.name, code_name(response.error().code),
              ms);
    return response;
  }
  const model::Usage& usage = response->usage;
  prompt_tokens_ += static_cast<std::uint64_t>(usage.prompt_tokens);
  cached_tokens_ += static_cast<std::uint64_t>(usage.cached_tokens);
  completion_tokens_ += static_cast<std::uint64_t>(usage.completion_tokens);
  log::info("gateway",
            "api dialect={} model={} stop={} prompt={} cached={} completion={} losses={} ms={:.0f}",
            msg::dialect_name(call.dialect), call.choice.name,
            model::stop_reason_name(response->stop), usage.prompt_tokens, usage.cached_tokens,
            usage.completion_tokens, call.losses, ms);
  return response;
}

// A row that cannot be written is no reason to withhold an answer that is there.
void Endpoints::record(const Call& call, const Result<model::Response>& response, double ms) {
  if (options_.usage == nullptr) return;
  account::ModelCall row;
  row.model = call.choice.name;
  row.rule = call.choice.rule;
  row.reason = call.choice.reason;
  row.decision = dump_json(model::to_json(call.choice.decision));
  row.ok = response.has_value();
  row.total_ms = ms;
  if (response) {
    row.prompt_tokens = response->usage.prompt_tokens;
    row.cached_tokens = response->usage.cached_tokens;
    row.evaluated_tokens = response->usage.evaluated_tokens;
    row.completion_tokens = response->usage.completion_tokens;
    row.cost_usd = response->usage.cost_usd;
  }
  const Status recorded = options_.usage->record(row);
  if (!recorded) log::warn("gateway", "an answer was not recorded: {}", recorded.error().text());
}

void Endpoints::stream(Call& call, http::Responder& responder) {
  const auto live = std::make_shared<LiveAnswer>(
      call.answer, msg::make_writer(call.dialect, call.style),
      http::Headers{{"content-type", "text/event-stream; charset=utf-8"},
                    {"cache-control", "no-cache"},
                    {"x-accel-buffering", "no"},
                    {request_id_name(call.dialect), call.request_id}},
      responder);
  *call.relay = [live](std::string_view bytes) { return live->relay(bytes); };
  std::list<std::shared_ptr<LiveAnswer>>::iterator place;
  {
    const std::lock_guard lock(mutex_);
    place = live_.insert(live_.end(), live);
    changed_.notify_all();
  }
  // Clients of Anthropic's API look for the size of the prompt where the answer begins.
  if (call.dialect == Dialect::anthropic && !call.choice.elsewhere) {
    if (const Result<std::int64_t> tokens = call.choice.model->count(call.request))
      live->expect(*tokens);
  }
  const Result<model::Response> response = generate(
      call, [&](const model::StreamEvent& event) { live->model_event(event); },
      responder.stop_token());
  {
    const std::lock_guard lock(mutex_);
    live_.erase(place);
  }
  if (response) return live->finish(*response);
  const msg::ApiError error = api_error(response.error(), call.dialect);
  if (!live->fail(error)) responder.send(error_response(call.dialect, error));
}

void Endpoints::whole(Call& call, http::Responder& responder) {
  AnswerEvents events(call.answer);
  const Result<model::Response> response = generate(
      call, [&](const model::StreamEvent& event) { events.model_event(event); },
      responder.stop_token());
  if (!response) {
    return responder.send(error_response(call.dialect, api_error(response.error(), call.dialect)));
  }
  events.finish(*response);
  msg::Collector collector;
  for (const msg::StreamEvent& event : events.take()) collector.event(event);
  if (collector.error()) return responder.send(error_response(call.dialect, *collector.error()));
  http::Response out;
  out.headers = {{"content-type", "application/json"},
                 {request_id_name(call.dialect), call.request_id}};
  msg::Losses losses;
  out.body = msg::write_answer(call.dialect, collector.answer(), call.style, losses);
  responder.send(std::move(out));
}

void Endpoints::count(const http::Request& request, http::Responder& responder) {
  const Dialect dialect = Dialect::anthropic;
  const Result<Call> call = prepare(dialect, request);
  if (!call) return responder.send(error_response(dialect, api_error(call.error(), dialect)));
  const Result<std::int64_t> tokens = call->choice.model->count(call->request);
  if (!tokens) return responder.send(error_response(dialect, api_error(tokens.error(), dialect)));
  http::Response out;
  out.headers = {{"content-type", "application/json"},
                 {request_id_name(dialect), call->request_id}};
  out.body = dump_json(Json{{"input_tokens", *tokens}});
  responder.send(std::move(out));
}

// Sleeps while there is no stream.
void Endpoints::ping_all(std::stop_token stop) {
  while (!stop.stop_requested()) {
    std::list<std::shared_ptr<LiveAnswer>> live;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [&] { return !live_.empty(); });
      changed_.wait_for(lock, stop, kPingTick, [] { return false; });
      live = live_;
    }
    const auto now = std::chrono::steady_clock::now();
    for (const auto& answer : live) answer->ping(now);
  }
}

}  // namespace keel::api
