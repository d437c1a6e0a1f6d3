#include "gateway/connection.h"

#include <unistd.h>

#include "log/log.h"

namespace keel::gateway {
namespace {

Result<Json> nothing(const Status& status) {
  if (!status) return tl::unexpected(status.error());
  return Json::object();
}

}  // namespace

Connection::Connection(agent::Session& session, rt::Fd socket, const std::atomic<bool>& draining)
    : session_(session), draining_(draining), socket_(std::move(socket)) {
  enqueue(encode(Greeting{protocol_version, ::getpid()}));
  writer_ = rt::start_thread("client-write", [this](std::stop_token) { write_loop(); });
  reader_ = rt::start_thread("client-read", [this](std::stop_token) { read_loop(); });
}

Connection::~Connection() {
  stop_work();
  if (reader_.joinable() && !reader_ended_) socket_.shut_down();
  if (reader_.joinable()) reader_.join();
  if (worker_.joinable()) worker_.join();
  out_.close();
  socket_.shut_down();
}

void Connection::stop_work() {
  std::lock_guard lock(stop_mutex_);
  stop_.request_stop();
}

void Connection::hang_up() {
  socket_.shut_down();
}

void Connection::write_loop() {
  while (std::optional<std::string> frame = out_.pop()) {
    waiting_bytes_ -= frame->size();
    if (!socket_.send(*frame)) return;
  }
}

void Connection::read_loop() {
  for (;;) {
    Result<std::optional<std::string>> frame = socket_.receive();
    if (!frame) break;
    if (*frame) handle(**frame);
  }
  reader_ended_ = true;
}

void Connection::handle(std::string_view frame) {
  Result<Request> request = decode_request(frame);
  if (!request) return send(request.error());
  if (std::holds_alternative<StopRequest>(*request)) return stop_work();
  if (const auto* why = std::get_if<WhyRequest>(&*request)) return answer(session_.why(why->turn));
  if (std::holds_alternative<StatusRequest>(*request)) return answer(session_.status());
  if (const auto* use = std::get_if<UseModelRequest>(&*request))
    return answer(nothing(session_.use_model(use->name)));
  start_work(std::move(*request));
}

void Connection::start_work(Request request) {
  if (draining_) {
    return send(Error{
        Code::unavailable, "the daemon is ending", "Try again when it has been started anew.", {}});
  }
  if (working_) {
    return send(Error{Code::busy,
                      "this connection has a turn going",
                      "Wait for its end or use another connection.",
                      {}});
  }
  if (worker_.joinable()) worker_.join();
  std::stop_token stop;
  {
    std::lock_guard lock(stop_mutex_);
    stop_ = std::stop_source();
    stop = stop_.get_token();
  }
  working_ = true;
  worker_ =
      rt::start_thread("client-turn", [this, request = std::move(request), stop](std::stop_token) {
        work(request, stop);
        working_ = false;
      });
}

void Connection::work(const Request& request, std::stop_token stop) {
  auto sink = [this](const agent::Event& event) { send(event); };
  if (const auto* run = std::get_if<RunRequest>(&request)) {
    answer(session_.run(run->turn, sink, stop));
  } else {
    const auto& prepare = std::get<PrepareRequest>(request);
    answer(nothing(session_.prepare(prepare.conversation, sink, stop)));
  }
}

void Connection::answer(Result<Json> result) {
  if (result) {
    send(Answer{std::move(*result)});
  } else {
    send(std::move(result).error());
  }
}

// False if the client has too much waiting. One frame may always wait, however large it is.
bool Connection::enqueue(std::string frame) {
  const std::size_t bytes = frame.size();
  const std::size_t before = waiting_bytes_.fetch_add(bytes);
  if (before > 0 && before + bytes > limits::gateway_client_bytes) return false;
  return out_.push(std::move(frame));
}

void Connection::send(const Reply& reply) {
  // Nobody reads what a client that left or was dropped is sent: its turn must not pay for the
  // encoding either.
  if (reader_ended_ || dropped_) return;
  if (enqueue(encode(reply)) || reader_ended_ || dropped_.exchange(true)) return;
  log::warn("gateway", "a client does not read its answers and was dropped");
  socket_.shut_down();
}

}  // namespace keel::gateway
