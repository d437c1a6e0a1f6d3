#include "gateway/api/surface.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "gateway/api/endpoints.h"
#include "gateway/api/listing.h"
#include "gateway/door/access.h"
#include "gateway/door/quota.h"
#include "log/log.h"
#include "net/http/server.h"

namespace keel::api {
namespace {

using Dialect = msg::Dialect;

enum class Action { health, metrics, models, model, messages, count, chat, responses };
struct Route {
  std::string_view method;
  std::string_view path;
  Action action;
};
constexpr std::string_view kModelPath = "/v1/models/";
constexpr std::array<Route, 8> kRoutes = {{
    {"GET", "/healthz", Action::health},
    {"GET", "/metrics", Action::metrics},
    {"GET", "/v1/models", Action::models},
    {"GET", kModelPath, Action::model},
    {"POST", "/v1/messages", Action::messages},
    {"POST", "/v1/messages/count_tokens", Action::count},
    {"POST", "/v1/chat/completions", Action::chat},
    {"POST", "/v1/responses", Action::responses},
}};

const Route* route_of(std::string_view path) {
  const auto found = std::find_if(kRoutes.begin(), kRoutes.end(), [&](const Route& route) {
    if (route.action == Action::model) {
      return path.starts_with(kModelPath) && path.size() > kModelPath.size();
    }
    return route.path == path;
  });
  return found == kRoutes.end() ? nullptr : &*found;
}

// HEAD asks for the head of what GET would give.
bool allows(const Route& route, const std::string& method) {
  return method == route.method || (route.method == "GET" && method == "HEAD");
}

// Whose client is asking: errors are worded for it.
Dialect dialect_of(const http::Request& head) {
  if (head.path.starts_with("/v1/messages")) return Dialect::anthropic;
  if (head.path.starts_with("/v1/responses")) return Dialect::responses;
  const bool versioned = !http::header(head.headers, "anthropic-version").empty();
  return head.path.starts_with("/v1/models") && versioned ? Dialect::anthropic : Dialect::chat;
}

msg::Fault fault_of(int status) {
  switch (status) {
    case 401:
      return msg::Fault::auth;
    case 403:
      return msg::Fault::permission;
    case 404:
      return msg::Fault::not_found;
    case 413:
      return msg::Fault::too_large;
    case 429:
      return msg::Fault::rate;
    case 503:
      return msg::Fault::overloaded;
    default:
      return status < 500 ? msg::Fault::invalid : msg::Fault::api;
  }
}

http::Response refusal(const http::Request& head, int status, std::string_view why) {
  const msg::ApiError error{fault_of(status), std::string(why)};
  // Overload has a status of its own in one dialect.
  return error_response(dialect_of(head), error, status == 503 ? 0 : status);
}

// By key: a restart does not give back what is used up.
Result<std::map<std::string, Spent>> spent_today(account::Usage* usage) {
  std::map<std::string, Spent> spent;
  if (usage == nullptr) return spent;
  for (const account::KeySum& sum : TRY(usage->keys(1))) {
    spent[sum.key] = {sum.read_tokens + sum.completion_tokens, sum.cost_usd};
  }
  return spent;
}

http::Response json_response(const Json& body) {
  return {200, {{"content-type", "application/json"}}, dump_json(body)};
}

}  // namespace

struct Surface::State {
  State(model::Router& r, const Clock& clock, Quotas::Limits limits,
        std::map<std::string, Spent> today, Endpoints::Options o)
      : router(r),
        quotas(clock, std::move(limits), std::move(today)),
        endpoints(r, quotas, clock, std::move(o)) {}

  model::Router& router;
  Quotas quotas;
  Endpoints endpoints;
  bool any_model = false;
  std::function<std::string()> more_metrics;
  std::optional<Access> access;
  std::unique_ptr<http::Server> server;

  std::optional<http::Response> screen(http::Request& head);
  std::optional<http::Response> denied(const http::Request& head,
                                       const std::optional<Denial>& denial) const;
  void handle(const http::Request& request, http::Responder& responder);
  http::Response model(const std::string& path) const;
};

std::optional<http::Response> Surface::State::denied(const http::Request& head,
                                                     const std::optional<Denial>& denial) const {
  if (!denial) return std::nullopt;
  msg::ApiError error{fault_of(denial->status), denial->why};
  log::info("gateway", "denied peer={} status={} path={}", head.peer, denial->status,
            printable(head.path));
  if (denial->retry_after_s > 0) error.retry_after_s = denial->retry_after_s;
  return error_response(dialect_of(head), error, denial->status);
}

std::optional<http::Response> Surface::State::screen(http::Request& head) {
  if (auto response = denied(head, access->check_origin(head))) return response;
  const Route* route = route_of(head.path);
  // Open to everybody who may ask at all: whether it lives, and that there is nothing at the root.
  const bool is_open = (route != nullptr && route->action == Action::health) || head.path == "/";
  if (!is_open) {
    if (auto response = denied(head, access->check_token(head, head.who))) return response;
  }
  if (route == nullptr) return refusal(head, 404, "there is nothing at " + printable(head.path));
  if (!allows(*route, head.method)) {
    http::Response response =
        refusal(head, 405, head.path + " takes " + std::string(route->method));
    response.headers.emplace_back("allow", std::string(route->method));
    return response;
  }
  // Here and not on a worker: it must answer when all of those are busy.
  if (route->action == Action::health) return json_response(Json{{"status", "ok"}});
  return std::nullopt;
}

http::Response Surface::State::model(const std::string& path) const {
  const std::string name = path.substr(kModelPath.size());
  // Who may be asked for by any name is also told of by any.
  const auto entry_of = [&](const std::string& wanted) -> std::optional<http::Response> {
    for (const model::Info& info : router.infos()) {
      if (info.name == wanted) return json_response(model_entry(info));
    }
    return std::nullopt;
  };
  std::optional<http::Response> entry = entry_of(name);
  if (!entry && any_model) entry = entry_of(router.current());
  if (entry) return *entry;
  http::Request head;
  head.path = path;
  return refusal(head, 404, "there is no model named '" + printable(name) + "'");
}

void Surface::State::handle(const http::Request& request, http::Responder& responder) {
  const Route* route = route_of(request.path);
  KEEL_ASSERT(route != nullptr);  // the screen lets nothing else pass
  switch (route->action) {
    case Action::health:
      return;
    case Action::metrics:
      return responder.send({200,
                             {{"content-type", "text/plain; version=0.0.4; charset=utf-8"}},
                             metrics_text(server->stats(), endpoints.counters()) +
                                 router.metrics() + (more_metrics ? more_metrics() : "")});
    case Action::models:
      return responder.send(json_response(model_list(router.infos())));
    case Action::model:
      return responder.send(model(request.path));
    case Action::messages:
      return endpoints.answer(Dialect::anthropic, request, responder);
    case Action::count:
      return endpoints.count(request, responder);
    case Action::chat:
      return endpoints.answer(Dialect::chat, request, responder);
    case Action::responses:
      return endpoints.answer(Dialect::responses, request, responder);
  }
}

Result<std::unique_ptr<Surface>> Surface::start(model::Router& router, const Clock& clock,
                                                SurfaceOptions options) {
  if (!is_loopback(options.listen) && !options.plain_http) {
    return fail(Code::config,
                "[gateway] listen = \"" + options.listen +
                    "\" can be reached from other machines, and what passes there, the token "
                    "included, is not encrypted",
                "Listen on 127.0.0.1, or set plain_http = true under [gateway] if the network is "
                "safe or a proxy with TLS stands before it.");
  }
  TokenFile token = TRY(TokenFile::open(options.token_path));
  std::vector<NamedToken> others = TRY(named_tokens(options.keys));
  Quotas::Limits limits = {{std::string(), options.limits}};
  for (const config::GatewayKey& key : options.keys) limits[key.name] = key.limits;
  auto state = std::make_unique<State>(
      router, clock, std::move(limits), TRY(spent_today(options.usage)),
      Endpoints::Options{options.any_model, token.current(), options.usage});
  state->any_model = options.any_model;
  state->more_metrics = std::move(options.more_metrics);
  State* raw = state.get();
  http::ServerOptions server;
  server.listen = options.listen;
  server.screen = [raw](http::Request& head) { return raw->screen(head); };
  server.handler = [raw](const http::Request& request, http::Responder& responder) {
    raw->handle(request, responder);
  };
  server.refusal = refusal;
  state->server = TRY(http::Server::open(std::move(server)));
  state->access.emplace(host_names(options.listen, state->server->port(), options.hosts),
                        std::move(token), clock, std::move(others));
  state->server->serve();
  return std::unique_ptr<Surface>(new Surface(std::move(state)));
}

Surface::Surface(std::unique_ptr<State> state) : state_(std::move(state)) {}

Surface::~Surface() {
  // The server first: its threads use the rest.
  state_->server.reset();
}

int Surface::port() const {
  return state_->server->port();
}

bool Surface::drain(std::chrono::milliseconds grace, std::chrono::milliseconds total) {
  return state_->server->drain(grace, total);
}

}  // namespace keel::api
