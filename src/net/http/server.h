// The HTTP server: one I/O thread holds all connections, handlers run blocking on workers. So
// clients that are slow, idle or hostile cost memory and never a thread. HTTP/1.1 and 1.0, without
// TLS.
//
// Threads: the screen runs on the I/O thread and must not block; handlers run on workers, many at
// once. Limits: limits.h, "net/http". Order of the end: no new connections, idle ones closed,
// answers that are being made get their time, then their stop tokens fire, then connections close.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/limits.h"
#include "base/result.h"
#include "net/http/message.h"
#include "net/http/stream.h"

namespace keel::http {

using Handler = std::function<void(const Request& request, Responder& responder)>;
// Sees the head before any of the body is read. An answer ends the request there; nothing lets it
// go on to the handler, with what the screen has put into `who`.
using Screen = std::function<std::optional<Response>(Request& head)>;
// The words for what the server itself refuses, so that a client of a dialect can read them.
using Refusal = std::function<Response(const Request& head, int status, std::string_view why)>;

struct ServerOptions {
  std::string listen;  // "127.0.0.1:7117"; port 0 takes a free one
  Screen screen;
  Handler handler;
  Refusal refusal = [](const Request&, int status, std::string_view why) {
    return plain_error(status, why);
  };
  // Smaller in tests.
  std::chrono::milliseconds head_time = limits::http_head_time;
  std::chrono::milliseconds idle_time = limits::http_idle_time;
  std::chrono::milliseconds stall_time = limits::http_stall_time;
  std::chrono::milliseconds body_time = limits::http_body_time;
  std::chrono::milliseconds worker_idle_time = limits::http_worker_idle_time;
  std::size_t connections = limits::http_connections;
  std::size_t body_bytes = limits::http_body_bytes;
  std::size_t workers = limits::http_workers;
  std::size_t waiting = limits::http_waiting;
};

struct ServerStats {
  std::size_t connections = 0;
  std::size_t threads = 0;       // workers
  std::uint64_t accepted = 0;    // connections, since the start
  std::uint64_t refused = 0;     // connections, for want of room
  std::uint64_t answers_ok = 0;  // by status: below 400
  std::uint64_t answers_4xx = 0;
  std::uint64_t answers_5xx = 0;
};

class Server {
 public:
  // Has the port, and answers nobody before serve(): clients wait. Code::busy if somebody else has
  // it, Code::config for an address that is not one of this machine.
  static Result<std::unique_ptr<Server>> open(ServerOptions options);
  void serve();
  // Both.
  static Result<std::unique_ptr<Server>> start(ServerOptions options);
  ~Server();  // without grace; call drain() first
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;
  ServerStats stats() const;
  // Lets answers end by themselves for `grace`, asks them to stop then, and waits until `total` is
  // over. True if all have ended. Nothing is served afterwards.
  bool drain(std::chrono::milliseconds grace, std::chrono::milliseconds total);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace keel::http
