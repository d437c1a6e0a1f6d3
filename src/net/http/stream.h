// The way of an answer from the thread that makes it to the connection that sends it: a bounded
// buffer. Handlers see Responder and Stream; Channel is what the connection holds of it.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include "net/http/message.h"

namespace keel::http {

class Channel {
 public:
  struct Form {
    bool keep_alive = true;  // of the connection
    bool head_only = false;  // the request's method was HEAD
    bool chunks = true;      // the client knows chunks: HTTP/1.1
  };
  // `wake` tells the connection, on any thread, that there is something to take.
  Channel(Form form, std::function<void()> wake) : form_(form), wake_(std::move(wake)) {}

  // For the handler's side.
  bool send(Response response);
  bool begin(int status, const Headers& headers);
  bool write(std::string_view bytes, bool wait);
  void end();
  void abort();
  bool answered() const;
  std::stop_token stop_token() const { return stop_.get_token(); }

  // For the connection.
  struct Taken {
    std::string bytes;
    bool ended = false;    // nothing follows
    bool aborted = false;  // the answer has no proper end: close
    bool keep_alive = true;
  };
  Taken take();
  void request_stop() { stop_.request_stop(); }
  // The client is gone: writers are told, and what waits is dropped.
  void close();

 private:
  void put(std::string bytes);  // with mutex_ held
  void wake_up(std::unique_lock<std::mutex> lock);

  const Form form_;
  std::stop_source stop_;
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::function<void()> wake_;
  std::string pending_;
  bool woken_ = false;  // the connection knows that something is pending
  bool answered_ = false;
  bool streaming_ = false;
  bool ended_ = false;
  bool aborted_ = false;
  bool closed_ = false;
};

// A body that is sent piece by piece. The handler may return and leave the stream to somebody else:
// it stays open, without a thread, until end() or until the last owner lets go of it.
// Threads: any; one at a time writes.
class Stream {
 public:
  explicit Stream(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}
  ~Stream() { channel_->end(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Waits while limits::http_stream_bytes wait to be sent. False: the client is gone.
  bool write(std::string_view bytes) { return channel_->write(bytes, true); }
  // Does not wait: a client that has so much waiting is too slow and is dropped.
  bool push(std::string_view bytes) { return channel_->write(bytes, false); }
  // Ends the body properly; abort() ends it so that the client sees that it is cut.
  void end() { channel_->end(); }
  void abort() { channel_->abort(); }
  // The client went away, or the server ends.
  std::stop_token stop_token() const { return channel_->stop_token(); }

 private:
  std::shared_ptr<Channel> channel_;
};

// For one request: exactly one of send() and begin(). A handler that returns without either has
// failed, and the client is told so.
class Responder {
 public:
  explicit Responder(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}
  void send(Response response) { channel_->send(std::move(response)); }
  std::shared_ptr<Stream> begin(int status, const Headers& headers) {
    channel_->begin(status, headers);
    return std::make_shared<Stream>(channel_);
  }
  bool answered() const { return channel_->answered(); }
  // The client went away, or the server ends.
  std::stop_token stop_token() const { return channel_->stop_token(); }

 private:
  std::shared_ptr<Channel> channel_;
};

}  // namespace keel::http
