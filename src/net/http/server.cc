#include "net/http/server.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <set>
#include <utility>

#include "base/text.h"
#include "log/log.h"
#include "net/http/connection.h"
#include "net/http/workers.h"
#include "rt/thread.h"

namespace keel::http {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr auto kTick = std::chrono::milliseconds(200);  // how exact deadlines are
constexpr int kPollMs = 10;

// A thousand event streams need more descriptors than a process has by itself.
void raise_descriptor_limit(std::size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// "[::1]:80" and "127.0.0.1:80"; names are not looked up, but for localhost.
Result<Tcp::endpoint> endpoint_of(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  std::string host = listen.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  ErrorCode error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  const std::string digits = colon == listen.npos ? "" : listen.substr(colon + 1);
  const bool is_number =
      !digits.empty() && digits.size() <= 5 &&
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  const int port = is_number ? std::stoi(digits) : 65536;
  if (error || port > 65535) {
    return fail(Code::config, "'" + printable(listen) + "' is not an address to listen on",
                "write [gateway] listen as in 127.0.0.1:7117");
  }
  return Tcp::endpoint(address, static_cast<std::uint16_t>(port));
}

std::string peer_text(const Tcp::endpoint& peer) {
  const asio::ip::address& address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

}  // namespace

struct Server::State final : Host {
  explicit State(ServerOptions o)
      : settings(std::move(o)),
        workers(settings.workers, settings.waiting, settings.worker_idle_time) {}

  ServerOptions settings;
  std::atomic<bool> is_draining{false};
  std::size_t held_body_bytes = 0;
  std::atomic<std::size_t> open{0};
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> ok{0};
  std::atomic<std::uint64_t> client_errors{0};
  std::atomic<std::uint64_t> server_errors{0};
  int port = 0;
  std::shared_ptr<asio::io_context> io = std::make_shared<asio::io_context>(1);
  Tcp::acceptor acceptor{*io};
  asio::steady_timer timer{*io};
  bool ticking = false;
  std::set<std::shared_ptr<Connection>> connections;
  Workers workers;
  rt::Thread thread;

  const ServerOptions& options() const override { return settings; }
  bool draining() const override { return is_draining; }
  bool take_body(std::size_t bytes) override {
    if (held_body_bytes + bytes > limits::http_bodies_bytes) return false;
    held_body_bytes += bytes;
    return true;
  }
  void give_body(std::size_t bytes) override { held_body_bytes -= bytes; }
  bool submit(std::function<void()> job) override { return workers.submit(std::move(job)); }
  void count_answer(int status) override {
    ++(status < 400 ? ok : status < 500 ? client_errors : server_errors);
  }

  Status listen();
  void accept();
  void on_accept(const ErrorCode& error, Tcp::socket socket);
  bool make_room();
  void tick();
  void on_tick();
  // Runs on the I/O thread; the caller waits for it.
  template <class F>
  auto ask(F question) {
    std::promise<decltype(question())> answer;
    asio::post(*io, [&] { answer.set_value(question()); });
    return answer.get_future().get();
  }
};

Status Server::State::listen() {
  const Tcp::endpoint wanted = TRY(endpoint_of(settings.listen));
  ErrorCode error;
  acceptor.open(wanted.protocol(), error);
  // A child that outlived the daemon would keep the port.
  if (!error) ::fcntl(acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
  if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(wanted, error);
  if (!error) acceptor.listen(limits::http_backlog, error);
  if (error == asio::error::address_in_use) {
    return fail(Code::busy, settings.listen + " is taken by another program",
                "end that program, or name another port: [gateway] listen in keel.toml");
  }
  if (error) {
    return fail(Code::config, settings.listen + " cannot be listened on: " + error.message(),
                "name an address of this machine: [gateway] listen in keel.toml");
  }
  port = acceptor.local_endpoint(error).port();
  return {};
}

void Server::State::accept() {
  acceptor.async_accept(
      [this](const ErrorCode& error, Tcp::socket socket) { on_accept(error, std::move(socket)); });
}

void Server::State::on_accept(const ErrorCode& error, Tcp::socket socket) {
  if (is_draining || error == asio::error::operation_aborted) return;
  if (error) {
    // Out of descriptors: the clients wait in the backlog. Do not spin on it.
    timer.expires_after(kTick);
    timer.async_wait([this](const ErrorCode& ended) {
      if (ended) return;
      on_tick();
      accept();
    });
    ticking = true;
    return;
  }
  ++accepted;
  ErrorCode ignored;
  ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
  const std::string peer = peer_text(socket.remote_endpoint(ignored));
  socket.set_option(Tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  if (connections.size() < settings.connections || make_room()) {
    auto connection = std::make_shared<Connection>(io, std::move(socket), *this, peer);
    connections.insert(connection);
    open = connections.size();
    connection->start();
    tick();
  } else {
    ++refused;
  }
  accept();
}

// A client that is still in the middle of asking gives way to a new one; one whose answer is being
// made does not.
bool Server::State::make_room() {
  std::erase_if(connections, [](const auto& connection) { return !connection->open(); });
  if (connections.size() < settings.connections) return true;
  const auto found = std::find_if(connections.begin(), connections.end(),
                                  [](const auto& c) { return c->waits_for_request(); });
  if (found == connections.end()) return false;
  (*found)->close();
  connections.erase(found);
  return true;
}

// Wakes up only while there is somebody to look after.
void Server::State::tick() {
  if (ticking || connections.empty()) return;
  ticking = true;
  timer.expires_after(kTick);
  timer.async_wait([this](const ErrorCode& ended) {
    if (!ended) on_tick();
  });
}

void Server::State::on_tick() {
  ticking = false;
  const auto now = std::chrono::steady_clock::now();
  for (const auto& connection : connections) connection->check(now);
  std::erase_if(connections, [](const auto& connection) { return !connection->open(); });
  open = connections.size();
  tick();
}

Result<std::unique_ptr<Server>> Server::open(ServerOptions options) {
  raise_descriptor_limit(options.connections + limits::http_other_descriptors);
  auto state = std::make_unique<State>(std::move(options));
  TRY(state->listen());
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

void Server::serve() {
  State* raw = state_.get();
  raw->accept();
  raw->thread = rt::start_thread("http-io", [raw](std::stop_token) {
    const auto work = asio::make_work_guard(*raw->io);
    raw->io->run();
  });
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options) {
  std::unique_ptr<Server> server = TRY(open(std::move(options)));
  server->serve();
  return server;
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
  drain(std::chrono::milliseconds(0), std::chrono::milliseconds(0));
}

int Server::port() const {
  return state_->port;
}

ServerStats Server::stats() const {
  return {state_->open, state_->workers.threads(), state_->accepted,     state_->refused,
          state_->ok,   state_->client_errors,     state_->server_errors};
}

bool Server::drain(std::chrono::milliseconds grace, std::chrono::milliseconds total) {
  State& state = *state_;
  if (!state.thread.joinable()) return true;
  const auto start = std::chrono::steady_clock::now();
  const auto is_busy = [&state] {
    return std::any_of(state.connections.begin(), state.connections.end(),
                       [](const auto& connection) { return connection->busy(); });
  };
  const auto wait_until = [&](std::chrono::milliseconds end) {
    while (state.ask(is_busy) && std::chrono::steady_clock::now() - start < end) {
      rt::sleep_ms(kPollMs);
    }
  };
  state.ask([&state] {
    state.is_draining = true;
    ErrorCode ignored;
    state.acceptor.close(ignored);
    for (const auto& connection : state.connections) connection->drain();
    return true;
  });
  wait_until(grace);
  state.ask([&state] {
    for (const auto& connection : state.connections) connection->request_stop();
    return true;
  });
  wait_until(total);
  const bool ended = !state.ask(is_busy);
  state.ask([&state] {
    for (const auto& connection : state.connections) connection->close();
    state.connections.clear();
    state.open = 0;
    return true;
  });
  state.workers.stop();
  state.io->stop();
  state.thread.join();
  // What was going on when the connections were closed has ended, and is told so, or it would hold
  // its connection for ever.
  state.timer.cancel();
  state.io->restart();
  state.io->poll();
  return ended;
}

}  // namespace keel::http
