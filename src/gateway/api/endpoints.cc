#include "gateway/api/endpoints.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/id.h"
#include "base/limits.h"
#include "gateway/api/rate_headers.h"
#include "log/log.h"
#include "model/route/needs.h"
#include "msg/dialect/dialect.h"

namespace keel::api {
namespace {

using Dialect = msg::Dialect;

constexpr auto kPingTick = std::chrono::milliseconds(250);
constexpr std::size_t kIdBytes = 12;
constexpr int kRetryAfterS = 2;

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

// One answer's place among those that its key may have made at once.
struct Endpoints::Place {
  Quotas& quotas;
  const std::string& key;
  bool held = true;
  void end() {
    if (std::exchange(held, false)) quotas.leave(key);
  }
  ~Place() { end(); }
};

struct Endpoints::Call {
  Dialect dialect = Dialect::chat;
  const http::Request* http = nullptr;            // as long as the call
  std::optional<msg::Conversation> conversation;  // as the client sent it, until somebody takes it
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
  std::string same_as;  // beside the body, where one answer can serve equal requests; else empty
  msg::AnswerStyle style;
  std::size_t losses = 0;
  Place* place = nullptr;
};

// What has come of a call.
struct Endpoints::Made {
  Result<model::Response> response = fail(Code::internal, "nothing was made");
  double ms = 0.0;
  bool joined = false;  // somebody else's call: it is not counted twice
  bool stopped = false;
};

Endpoints::Endpoints(model::Router& router, Quotas& quotas, const Clock& clock, Options options)
    : router_(router), quotas_(quotas), clock_(clock), options_(std::move(options)) {
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
  call.http = &request;
  call.params = parsed.conversation.params;
  call.style = msg::style_for(parsed.conversation, clock_.wall_ms() / 1000);
  call.request_id = "req_" + random_hex(kIdBytes);
  call.losses = parsed.losses.size();
  call.needs = model::needs_of(parsed.conversation.items, parsed.conversation.tools,
                               router_.asks_for_code());
  call.conversation = std::move(parsed.conversation);
  const std::string beta = http::header(request.headers, "anthropic-beta");
  if (!beta.empty()) call.headers.emplace_back("anthropic-beta", beta);
  call.map.session = http::header(request.headers, "x-claude-code-session-id");
  call.map.secret = options_.secret;

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
    call.same_as =
        std::string(msg::dialect_name(dialect)) + '\0' + call.choice.name + '\0' + call.map.session;
  }
  return call;
}

void Endpoints::take(Call& call, model::Choice choice) const {
  call.choice = std::move(choice);
  *call.signer = call.choice.name;
  call.map.model = call.choice.name;
  call.map.vision = call.choice.model->info().sees;
  // Most are answered by the first that is chosen: the others read the body again.
  if (!call.conversation) {
    call.conversation = MUST(msg::parse_request(call.dialect, call.http->body)).conversation;
  }
  std::shared_ptr<model::Outside> outside;
  if (call.choice.elsewhere) {
    outside = std::make_shared<model::Outside>();
    outside->conversation = *call.conversation;
    outside->headers = call.headers;
    outside->dialect = call.dialect;
  }
  Mapped mapped = map_request(*std::exchange(call.conversation, std::nullopt), call.map);
  call.request = std::move(mapped.request);
  call.request.turn = call.request_id;
  call.losses += mapped.losses.size();
  if (outside) {
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

http::Response Endpoints::refused(Dialect dialect, const std::string& key,
                                  const Quotas::Refusal& refusal) {
  http::Response response = error_response(
      dialect, {msg::Fault::rate, refusal.why, static_cast<double>(refusal.retry_after_s)});
  // The SDKs would wait for it, in a program whose user knows nothing of that.
  if (std::chrono::seconds(refusal.retry_after_s) > limits::key_wait_max) {
    response.headers.emplace_back("x-should-retry", "false");
  }
  for (auto& line : rate_headers(dialect, quotas_.state(key), clock_.wall_ms())) {
    response.headers.push_back(std::move(line));
  }
  return response;
}

http::Headers Endpoints::headers(const Call& call, std::string_view type) {
  http::Headers headers = {{"content-type", std::string(type)},
                           {request_id_name(call.dialect), call.request_id}};
  for (auto& line : rate_headers(call.dialect, quotas_.state(call.http->who), clock_.wall_ms())) {
    headers.push_back(std::move(line));
  }
  return headers;
}

void Endpoints::answer(Dialect dialect, const http::Request& request, http::Responder& responder) {
  if (const auto refusal = quotas_.enter(request.who)) {
    return responder.send(refused(dialect, request.who, *refusal));
  }
  Place place{quotas_, request.who};
  Result<Call> call = prepare(dialect, request);
  if (!call) return responder.send(error_response(dialect, api_error(call.error(), dialect)));
  call->place = &place;
  record(*call, call->params.stream ? stream(*call, responder) : whole(*call, responder));
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

Endpoints::Made Endpoints::generate(Call& call, const model::Sink& sink, std::stop_token stop) {
  const auto begin = std::chrono::steady_clock::now();
  const Flights::Call make = [&](const model::Sink& told, std::stop_token ended) {
    return ask(call, told, std::move(ended));
  };
  Made made;
  made.response = call.same_as.empty() ? make(sink, stop)
                                       : flights_.answer({call.same_as, call.http->body}, sink,
                                                         stop, make, made.joined);
  made.ms = ms_between(begin, std::chrono::steady_clock::now());
  made.stopped = stop.stop_requested();
  // Before the client has it all: it may ask for the next at once, and look at the counters.
  tally(call, made);
  call.place->end();
  return made;
}

void Endpoints::tally(const Call& call, const Made& made) {
  if (made.joined) {
    ++joined_;
    return;
  }
  const Result<model::Response>& response = made.response;
  const bool cancelled =
      made.stopped || (response && response->stop == model::StopReason::cancelled);
  ++(cancelled ? cancelled_ : response ? answers_ : failures_);
  if (!response) return;
  const model::Usage& usage = response->usage;
  prompt_tokens_ += static_cast<std::uint64_t>(usage.prompt_tokens);
  cached_tokens_ += static_cast<std::uint64_t>(usage.cached_tokens);
  completion_tokens_ += static_cast<std::uint64_t>(usage.completion_tokens);
  quotas_.spend(
      call.http->who,
      {usage.prompt_tokens - usage.cached_tokens + usage.completion_tokens, usage.cost_usd});
}

void Endpoints::log_made(const Call& call, const Made& made) {
  if (made.joined) {
    log::info("gateway", "api {} had the answer of an equal request", call.request_id);
    return;
  }
  const Result<model::Response>& response = made.response;
  if (!response) {
    log::info("gateway", "api dialect={} model={} failed={} ms={:.0f}",
              msg::dialect_name(call.dialect), call.choice.name, code_name(response.error().code),
              made.ms);
    return;
  }
  const model::Usage& usage = response->usage;
  log::info("gateway",
            "api dialect={} model={} stop={} prompt={} cached={} completion={} losses={} ms={:.0f}",
            msg::dialect_name(call.dialect), call.choice.name,
            model::stop_reason_name(response->stop), usage.prompt_tokens, usage.cached_tokens,
            usage.completion_tokens, call.losses, made.ms);
}

// A row that cannot be written is no reason to withhold an answer that is there.
void Endpoints::record(const Call& call, const Made& made) {
  log_made(call, made);
  if (options_.usage == nullptr || made.joined) return;
  const Result<model::Response>& response = made.response;
  account::ModelCall row;
  row.key = call.http->who;
  row.model = call.choice.name;
  row.rule = call.choice.rule;
  row.reason = call.choice.reason;
  row.decision = dump_json(model::to_json(call.choice.decision));
  row.ok = response.has_value();
  row.total_ms = made.ms;
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

Endpoints::Made Endpoints::stream(Call& call, http::Responder& responder) {
  http::Headers head = headers(call, "text/event-stream; charset=utf-8");
  head.emplace_back("cache-control", "no-cache");
  head.emplace_back("x-accel-buffering", "no");
  const auto live = std::make_shared<LiveAnswer>(
      call.answer, msg::make_writer(call.dialect, call.style), std::move(head), responder);
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
  Made made = generate(
      call, [&](const model::StreamEvent& event) { live->model_event(event); },
      responder.stop_token());
  {
    const std::lock_guard lock(mutex_);
    live_.erase(place);
  }
  if (made.response) {
    live->finish(*made.response);
    return made;
  }
  const msg::ApiError error = api_error(made.response.error(), call.dialect);
  if (!live->fail(error)) responder.send(error_response(call.dialect, error));
  return made;
}

Endpoints::Made Endpoints::whole(Call& call, http::Responder& responder) {
  AnswerEvents events(call.answer);
  Made made = generate(
      call, [&](const model::StreamEvent& event) { events.model_event(event); },
      responder.stop_token());
  const auto refuse = [&](const msg::ApiError& error) {
    responder.send(error_response(call.dialect, error));
  };
  if (!made.response) {
    refuse(api_error(made.response.error(), call.dialect));
    return made;
  }
  events.finish(*made.response);
  msg::Collector collector;
  for (const msg::StreamEvent& event : events.take()) collector.event(event);
  if (collector.error()) {
    refuse(*collector.error());
    return made;
  }
  http::Response out;
  out.headers = headers(call, "application/json");
  msg::Losses losses;
  out.body = msg::write_answer(call.dialect, collector.answer(), call.style, losses);
  responder.send(std::move(out));
  return made;
}

void Endpoints::count(const http::Request& request, http::Responder& responder) {
  const Dialect dialect = Dialect::anthropic;
  const Result<Call> call = prepare(dialect, request);
  if (!call) return responder.send(error_response(dialect, api_error(call.error(), dialect)));
  const Result<std::int64_t> tokens = call->choice.model->count(call->request);
  const bool guessed = !tokens && tokens.error().code == Code::unsupported;
  if (!tokens && !guessed) {
    return responder.send(error_response(dialect, api_error(tokens.error(), dialect)));
  }
  http::Response out;
  out.headers = headers(*call, "application/json");
  Json body = {{"input_tokens", guessed ? call->needs.tokens() : *tokens}};
  // Whoever looks can tell the two apart.
  if (guessed) body["estimate"] = true;
  out.body = dump_json(body);
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
