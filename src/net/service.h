// Calls to an endpoint that the owner wrote into keel.toml: cloud models, Notion, Telegram, another
// machine's engine. The address may therefore be in the owner's own network, but an Endpoint is the
// only way to it: host, port and scheme come from keel.toml, the caller adds a path.
//
// Redirects are never followed, so that nothing that is sent, least of all a key, reaches another
// host; a 3xx status is an answer like any other. A request that holds a secret goes over plain
// http only to loopback and private addresses. Bounds: limits.h, "net".
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/result.h"
#include "net/client.h"
#include "net/url.h"

namespace keel::net {

class TransferPool;

class Endpoint {
 public:
  // `base_url` as in keel.toml: "https://api.example.com/v1", with or without a slash at its end.
  // Code::config if it is not an address or has a query.
  static Result<Endpoint> create(std::string_view base_url);
  // base_url + path. The path begins with "/", may have a query, and can leave neither the host nor
  // the base's own path ("..").
  Result<Url> at(std::string_view path) const;
  std::string host_port() const { return base_.host_port(); }
  std::string text() const { return base_.text(); }

 private:
  explicit Endpoint(Url base) : base_(std::move(base)) {}
  Url base_;  // its path without a slash at the end
};

struct ServiceRequest {
  Endpoint endpoint;
  std::string path;
  std::string method = "POST";  // GET, HEAD, POST, PUT, PATCH, DELETE
  // Secrets included. Without a content-type a body is application/json.
  Headers headers;
  std::string_view body = {};  // must outlive the call
  bool secret = true;          // headers, path or body hold a key
  Why why = {.purpose = "service", .subject = {}, .turn = {}, .pages = {}};
  // A kept connection may turn out to be dead, and the request is then sent again by itself; with
  // this, it is sent at most once.
  bool fresh_connection = false;
  std::chrono::milliseconds connect_time = limits::service_connect_time;
  std::chrono::milliseconds first_byte_time = limits::service_first_byte_time;
  std::chrono::milliseconds idle_time = limits::service_idle_time;  // between bytes of the answer
  std::chrono::milliseconds total_time{0};                          // 0: no bound on the whole
  std::size_t answer_bytes = limits::service_answer_bytes;          // of a body without a sink
};

struct ServiceAnswer {
  int status = 0;
  Headers headers;
  std::string body;    // what did not go to the sink; of an error status its beginning
  bool ended = false;  // the sink wanted no more
};

// All of these are optional and called on the thread that called service().
struct ServiceSink {
  // A connection stands and the request is about to be sent: from here on a failure does not tell
  // whether the server has seen and carried out the request.
  std::function<void()> sending;
  // Status and headers have come, the body has not. False ends the call.
  std::function<bool(const ServiceAnswer& head)> head;
  // The body of a 2xx answer in pieces; other bodies are in the answer. False ends the call.
  std::function<bool(std::string_view bytes)> body;
};

// The work of Client::service(); tests and other rooms use that.
Result<ServiceAnswer> run_service(const ServiceRequest& request, const ServiceSink& sink,
                                  const ClientOptions& client, TransferPool& pool,
                                  std::stop_token stop);

}  // namespace keel::net
