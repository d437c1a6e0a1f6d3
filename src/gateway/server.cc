#include "gateway/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <list>
#include <mutex>

#include "base/limits.h"
#include "gateway/connection.h"
#include "log/log.h"
#include "rt/frame.h"
#include "rt/thread.h"

namespace keel::gateway {
namespace {

constexpr int reap_ms = 1000;  // how long a finished connection may keep its memory
constexpr int poll_ms = 20;

}  // namespace

struct Server::State {
  State(agent::Session& s, std::string p) : session(s), path(std::move(p)) {}

  agent::Session& session;
  const std::string path;
  rt::Fd listener;
  rt::Fd wake_read;
  rt::Fd wake_write;
  std::atomic<bool> draining{false};
  std::mutex mutex;
  std::list<Connection> connections;
  rt::Thread acceptor;

  void accept_loop(std::stop_token stop);
  void accept_one();
  void reap();
  bool working();
};

Result<std::unique_ptr<Server>> Server::start(agent::Session& session,
                                              const std::string& socket_path) {
  auto state = std::make_unique<State>(session, socket_path);
  state->listener = TRY(rt::listen_unix(socket_path));
  ::fcntl(state->listener.get(), F_SETFL, O_NONBLOCK);
  std::pair<rt::Fd, rt::Fd> wake = TRY(rt::socket_pair());
  state->wake_read = std::move(wake.first);
  state->wake_write = std::move(wake.second);
  State* raw = state.get();
  state->acceptor =
      rt::start_thread("accept", [raw](std::stop_token stop) { raw->accept_loop(stop); });
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
  drain(std::chrono::milliseconds(0), std::chrono::milliseconds(0));
}

void Server::State::accept_loop(std::stop_token stop) {
  while (!stop.stop_requested()) {
    pollfd waits[] = {{listener.get(), POLLIN, 0}, {wake_read.get(), POLLIN, 0}};
    int ready = ::poll(waits, 2, reap_ms);
    if (ready > 0 && waits[1].revents != 0) return;
    reap();
    if (ready > 0 && (waits[0].revents & POLLIN) != 0) accept_one();
  }
}

void Server::State::accept_one() {
  rt::Fd client(::accept(listener.get(), nullptr, nullptr));
  if (!client) {
    // Out of descriptors or memory: the client stays in the backlog; do not spin on it.
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) rt::sleep_ms(reap_ms / 10);
    return;
  }
  ::fcntl(client.get(), F_SETFD, FD_CLOEXEC);
  Result<unsigned> user = rt::peer_uid(client.get());
  if (!user || (*user != ::getuid() && *user != 0)) {
    log::warn("gateway", "a process of another user was turned away");
    return;
  }
  std::lock_guard lock(mutex);
  if (connections.size() >= limits::gateway_clients) {
    rt::FrameSocket socket(std::move(client));
    (void)socket.send(encode(Greeting{}));
    (void)socket.send(encode(Reply(Error{Code::busy,
                                         "the daemon has as many clients as it can serve",
                                         "Close another keel chat and try again.",
                                         {}})));
    return;
  }
  connections.emplace_back(session, std::move(client), draining);
}

void Server::State::reap() {
  std::lock_guard lock(mutex);
  connections.remove_if([](const Connection& connection) { return connection.finished(); });
}

bool Server::State::working() {
  std::lock_guard lock(mutex);
  return std::any_of(connections.begin(), connections.end(),
                     [](const Connection& c) { return c.working(); });
}

bool Server::drain(std::chrono::milliseconds grace, std::chrono::milliseconds total) {
  State& state = *state_;
  state.draining = true;
  if (state.listener) {
    state.acceptor.request_stop();
    (void)::send(state.wake_write.get(), "x", 1, MSG_NOSIGNAL);
    if (state.acceptor.joinable()) state.acceptor.join();
    ::unlink(state.path.c_str());
    state.listener.reset();
  }
  auto start = std::chrono::steady_clock::now();
  auto wait_until = [&](std::chrono::milliseconds end) {
    while (state.working() && std::chrono::steady_clock::now() - start < end) rt::sleep_ms(poll_ms);
  };
  wait_until(grace);
  {
    std::lock_guard lock(state.mutex);
    for (Connection& connection : state.connections) connection.stop_work();
  }
  wait_until(total);
  return !state.working();
}

}  // namespace keel::gateway
