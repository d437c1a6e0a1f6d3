#include "net/http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>

#include "base/limits.h"
#include "base/text.h"

namespace keel::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string text_of(beast::string_view text) {
  return {text.data(), text.size()};
}

Request request_of(const beast::http::request_header<beast::http::fields>& head,
                   const std::string& peer) {
  Request request;
  request.method = text_of(head.method_string());
  const std::string target = text_of(head.target());
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  if (mark != target.npos) request.query = target.substr(mark + 1);
  for (const auto& field : head) {
    request.headers.emplace_back(ascii_lower(text_of(field.name_string())), text_of(field.value()));
  }
  request.peer = peer;
  return request;
}

std::size_t count_of(const Headers& headers, std::string_view name) {
  return static_cast<std::size_t>(std::count_if(
      headers.begin(), headers.end(), [&](const auto& line) { return line.first == name; }));
}

}  // namespace

Connection::Connection(const std::shared_ptr<asio::io_context>& io, Socket socket, Host& host,
                       std::string peer)
    : io_(io),
      socket_(std::move(socket)),
      host_(host),
      peer_(std::move(peer)),
      buffer_(limits::http_head_bytes + limits::http_read_bytes) {}

Connection::~Connection() {
  close();
}

void Connection::set_deadline(std::chrono::milliseconds from_now) {
  deadline_ = Steady::now() + from_now;
}

void Connection::start() {
  // A new client gets no idle time: it has come to ask something.
  next_request();
  set_deadline(host_.options().head_time);
}

void Connection::next_request() {
  phase_ = Phase::idle;
  set_deadline(host_.options().idle_time);
  request_ = {};
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(limits::http_head_bytes));
  parser_->body_limit(host_.options().body_bytes);
  keep_alive_ = true;
  ended_ = unread_ = counted_ = false;
  if (buffer_.size() > 0) {
    advance();  // the client did not wait for the answer before
  } else if (host_.draining()) {
    close();
  } else {
    read();
  }
}

void Connection::read() {
  const auto room = std::min(limits::http_read_bytes, buffer_.max_size() - buffer_.size());
  // All that may be held has come and the parser makes nothing of it: an endless chunk extension.
  if (room == 0 && phase_ != Phase::lingering) {
    keep_alive_ = false;
    unread_ = true;
    return refuse(400, "a line of the body is too long");
  }
  socket_.async_read_some(buffer_.prepare(room),
                          [self = shared_from_this()](const ErrorCode& error, std::size_t bytes) {
                            self->on_read(error, bytes);
                          });
}

void Connection::on_read(const ErrorCode& error, std::size_t bytes) {
  if (!open_) return;
  if (error) return close();
  if (phase_ == Phase::lingering) {
    lingered_bytes_ += bytes;
    if (lingered_bytes_ > limits::http_linger_bytes) return close();
    return read();
  }
  buffer_.commit(bytes);
  if (phase_ == Phase::body) take_body_piece(bytes);
  if (open_ && phase_ != Phase::answer) advance();
}

// A deadline for each piece, so that a client that stops is let go, and one for the whole, so that
// one that drips is.
void Connection::take_body_piece(std::size_t bytes) {
  deadline_ = std::min(Steady::now() + host_.options().stall_time, body_deadline_);
  if (host_.take_body(bytes)) {
    body_bytes_ += bytes;
    return;
  }
  refuse(503, "the server has as many requests in memory as it can hold; try again later");
}

void Connection::advance() {
  if (phase_ == Phase::idle) {
    phase_ = Phase::head;
    set_deadline(host_.options().head_time);
  }
  while (buffer_.size() > 0) {
    ErrorCode error;
    const bool had_head = parser_->is_header_done();
    const std::size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    if (error == beast::http::error::need_more) break;
    if (error) return on_bad_request(error);
    if (!had_head && parser_->is_header_done()) {
      take_head();
      if (phase_ != Phase::body) return;
    }
    if (parser_->is_done()) return dispatch();
    if (used == 0) break;
  }
  read();
}

int Connection::check_head() const {
  const std::string coding = ascii_lower(header(request_.headers, "transfer-encoding"));
  const bool has_length = count_of(request_.headers, "content-length") > 0;
  // Two ways to tell the length, or two hosts: what another reader of these bytes would take for a
  // different request.
  if (!coding.empty() && (has_length || parser_->get().version() < 11)) return 400;
  if (count_of(request_.headers, "transfer-encoding") > 1) return 400;
  const std::size_t hosts = count_of(request_.headers, "host");
  if (hosts > 1 || (hosts == 0 && parser_->get().version() >= 11)) return 400;
  if (!request_.path.starts_with('/')) return 400;
  if (!coding.empty() && coding != "chunked") return 501;
  const std::string expected = ascii_lower(header(request_.headers, "expect"));
  if (!expected.empty() && expected != "100-continue") return 417;
  return 0;
}

void Connection::take_head() {
  request_ = request_of(parser_->get(), peer_);
  request_.has_body = !parser_->is_done();
  keep_alive_ = parser_->keep_alive() && parser_->get().version() >= 11;
  unread_ = request_.has_body;
  phase_ = Phase::body;
  if (const int status = check_head(); status != 0) {
    keep_alive_ = false;
    return refuse(status, "the request's head is not one that HTTP/1.1 allows");
  }
  if (std::optional<Response> early = host_.options().screen(request_)) {
    return answer(*early);
  }
  begin_body();
}

void Connection::begin_body() {
  const auto now = Steady::now();
  body_deadline_ = now + host_.options().body_time;
  deadline_ = now + host_.options().stall_time;
  if (!request_.has_body || header(request_.headers, "expect").empty() || buffer_.size() > 0)
    return;
  write(std::string(kContinue));
}

void Connection::on_bad_request(const ErrorCode& error) {
  request_ = request_of(parser_->get(), peer_);
  unread_ = true;
  keep_alive_ = false;
  using E = beast::http::error;
  if (error == E::header_limit || error == E::buffer_overflow) {
    return refuse(431, "the request's head is larger than " + bytes_text(limits::http_head_bytes));
  }
  if (error == E::body_limit) {
    return refuse(413,
                  "the request's body is larger than " + bytes_text(host_.options().body_bytes));
  }
  refuse(400, "the request is not HTTP/1.1: " + error.message());
}

void Connection::refuse(int status, std::string_view why) {
  answer(host_.options().refusal(request_, status, why));
}

// An answer of the server's own, without a handler.
void Connection::answer(const Response& response) {
  phase_ = Phase::answer;
  parser_.reset();
  if (unread_ || host_.draining()) keep_alive_ = false;
  host_.count_answer(response.status);
  std::string head = answer_head(response.status, response.headers,
                                 {Framing::length, response.body.size(), keep_alive_});
  if (request_.method != "HEAD") head += response.body;
  ended_ = counted_ = true;
  channel_.reset();
  write(std::move(head));
}

void Connection::dispatch() {
  phase_ = Phase::answer;
  unread_ = false;
  deadline_ = Steady::time_point::max();
  request_.body = std::move(parser_->get().body());
  const Channel::Form form{keep_alive_ && !host_.draining(), request_.method == "HEAD",
                           parser_->get().version() >= 11};
  parser_.reset();
  std::weak_ptr<Connection> weak = weak_from_this();
  channel_ = std::make_shared<Channel>(form, [io = io_.lock(), weak] {
    asio::post(*io, [weak] {
      if (const auto self = weak.lock()) self->pump();
    });
  });
  // What a refusal is worded for, if there is no room.
  Request head{request_.method, request_.path,     request_.query, request_.headers, {},
               request_.peer,   request_.has_body, request_.who};
  auto job = [&handler = host_.options().handler, channel = channel_,
              request = std::make_shared<Request>(std::move(request_))] {
    Responder responder(channel);
    handler(*request, responder);
    if (!responder.answered()) responder.send(plain_error(500, "the request was not answered"));
  };
  request_ = std::move(head);
  if (!host_.submit(std::move(job))) {
    return refuse(503, "too many requests are waiting; try again later");
  }
  watch();
}

// Whether the client goes away while it waits. What it sends meanwhile is its next request, which
// waits in the socket.
void Connection::watch() {
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const ErrorCode& error) {
    self->on_readable(error);
  });
}

void Connection::on_readable(const ErrorCode& error) {
  if (!open_ || error || phase_ != Phase::answer) return;
  char byte = 0;
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return close();
  if (got < 0) watch();
}

void Connection::pump() {
  if (!open_ || phase_ != Phase::answer || write_going_ || !channel_) return;
  Channel::Taken taken = channel_->take();
  ended_ = ended_ || taken.ended;
  if (taken.aborted) {
    host_.count_answer(500);
    return close();
  }
  if (taken.ended) keep_alive_ = keep_alive_ && taken.keep_alive;
  if (!counted_ && taken.bytes.starts_with("HTTP/1.1 ")) {
    counted_ = true;
    host_.count_answer((taken.bytes[9] - '0') * 100);
  }
  if (!taken.bytes.empty()) return write(std::move(taken.bytes));
  if (ended_) finish();
}

void Connection::write(std::string bytes) {
  if (write_going_) {
    queued_ += bytes;
    return;
  }
  writing_ = std::move(bytes);
  written_ = 0;
  write_rest();
}

void Connection::write_rest() {
  write_going_ = true;
  set_deadline(host_.options().stall_time);
  socket_.async_write_some(asio::buffer(writing_.data() + written_, writing_.size() - written_),
                           [self = shared_from_this()](const ErrorCode& error, std::size_t bytes) {
                             self->on_written(error, bytes);
                           });
}

void Connection::on_written(const ErrorCode& error, std::size_t bytes) {
  write_going_ = false;
  if (!open_) return;
  if (error) return close();
  written_ += bytes;
  if (written_ < writing_.size()) return write_rest();
  if (!queued_.empty()) return write(std::exchange(queued_, {}));
  if (phase_ == Phase::body) {  // that was "100 Continue"
    deadline_ = std::min(Steady::now() + host_.options().stall_time, body_deadline_);
    return;
  }
  deadline_ = Steady::time_point::max();
  if (channel_) return pump();
  if (ended_) finish();
}

void Connection::finish() {
  if (channel_) std::exchange(channel_, nullptr)->close();
  host_.give_body(std::exchange(body_bytes_, 0));
  writing_ = {};
  if (keep_alive_ && !host_.draining()) return next_request();
  linger();
}

// Closing while bytes of the client are unread would reset the connection, and the client might
// lose the answer.
void Connection::linger() {
  ErrorCode ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  phase_ = Phase::lingering;
  buffer_.clear();
  lingered_bytes_ = 0;
  set_deadline(limits::http_linger_time);
  read();
}

void Connection::check(Steady::time_point now) {
  if (open_ && now > deadline_) close();
}

void Connection::drain() {
  if (phase_ == Phase::idle || phase_ == Phase::lingering) close();
}

void Connection::request_stop() {
  if (channel_) channel_->request_stop();
}

void Connection::close() {
  if (!std::exchange(open_, false)) return;
  host_.give_body(std::exchange(body_bytes_, 0));
  if (channel_) std::exchange(channel_, nullptr)->close();
  ErrorCode ignored;
  socket_.close(ignored);
}

}  // namespace keel::http
