// One client of the HTTP server. Everything here runs on the server's I/O thread, without locks;
// only the Channel is shared with a handler. Not for other rooms: use server.h.
//
// A request passes through: head (a deadline for all of it), screen (host, token, route; before any
// of the body is read), body (a deadline for each piece and for all of it), answer. While a handler
// works, the connection watches whether the client is still there.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "net/http/message.h"
#include "net/http/server.h"
#include "net/http/stream.h"

namespace keel::http {

// What a connection needs of the server.
class Host {
 public:
  virtual ~Host() = default;
  virtual const ServerOptions& options() const = 0;
  virtual bool draining() const = 0;
  // False if there are too many bodies in memory already.
  virtual bool take_body(std::size_t bytes) = 0;
  virtual void give_body(std::size_t bytes) = 0;
  virtual bool submit(std::function<void()> job) = 0;
  virtual void count_answer(int status) = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Steady = std::chrono::steady_clock;

  // The channel of an answer may outlive the server, and wakes the connection through `io`.
  Connection(const std::shared_ptr<boost::asio::io_context>& io, Socket socket, Host& host,
             std::string peer);
  ~Connection();

  void start();
  // Ends it if it has passed its deadline.
  void check(Steady::time_point now);
  // The server ends: a connection that has nothing going on is closed, others close after their
  // answer.
  void drain();
  void request_stop();
  void close();
  // The server is full and may end this one for a new client.
  bool waits_for_request() const {
    return open_ && (phase_ == Phase::idle || phase_ == Phase::head);
  }
  bool busy() const { return open_ && (phase_ == Phase::body || phase_ == Phase::answer); }
  bool open() const { return open_; }

 private:
  enum class Phase { idle, head, body, answer, lingering };
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  using ErrorCode = boost::system::error_code;

  void next_request();
  void read();
  void on_read(const ErrorCode& error, std::size_t bytes);
  void advance();
  void take_head();
  int check_head() const;  // 0, or the status to refuse it with
  void take_body_piece(std::size_t bytes);
  void begin_body();
  void dispatch();
  void on_bad_request(const ErrorCode& error);
  void refuse(int status, std::string_view why);
  void answer(const Response& response);
  void watch();
  void on_readable(const ErrorCode& error);
  void pump();
  void write(std::string bytes);
  void write_rest();
  void on_written(const ErrorCode& error, std::size_t bytes);
  void finish();
  void linger();
  void set_deadline(std::chrono::milliseconds from_now);

  // Weak, because what waits in it holds this connection.
  const std::weak_ptr<boost::asio::io_context> io_;
  Socket socket_;
  Host& host_;
  const std::string peer_;
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  Request request_;
  std::shared_ptr<Channel> channel_;
  std::string writing_;
  std::size_t written_ = 0;
  std::string queued_;          // to be written after that
  std::size_t body_bytes_ = 0;  // accounted for with the host
  std::size_t lingered_bytes_ = 0;
  Phase phase_ = Phase::idle;
  Steady::time_point deadline_ = Steady::time_point::max();
  Steady::time_point body_deadline_ = Steady::time_point::max();
  bool open_ = true;
  bool keep_alive_ = true;  // after the answer that is being made
  bool write_going_ = false;
  bool ended_ = false;    // the answer has nothing more
  bool unread_ = false;   // a part of the request stays unread: close after the answer
  bool counted_ = false;  // the answer's status
};

}  // namespace keel::http
