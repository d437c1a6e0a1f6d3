// A small HTTP server on 127.0.0.1 for tests: raw sockets, so that a test can send exactly the
// bytes of a broken, slow or hostile server. A handler runs on a thread of its own per connection
// and answers one request. For tests only.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rt/fd.h"
#include "rt/thread.h"

namespace keel::net {

class TestServer {
 public:
  struct Exchange {
    std::string path;     // as requested, with its query
    std::string request;  // head of the request
    int fd = -1;
    std::stop_token stop;

    // False when the client is gone or the server ends.
    bool send(std::string_view bytes) const {
      while (!bytes.empty()) {
        if (stop.stop_requested()) return false;
        const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      }
      return true;
    }
    // An ordinary answer: `headers` are whole lines, each with its \r\n.
    void reply(int status, std::string_view headers, std::string_view body) const {
      send("HTTP/1.1 " + std::to_string(status) +
           " Status\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n" + std::string(headers) + "\r\n" + std::string(body));
    }
    // Waits until the client goes away or the server ends.
    void hang() const {
      while (!stop.stop_requested()) {
        char byte = 0;
        if (recv(fd, &byte, 1, MSG_DONTWAIT) == 0) return;
        rt::sleep_ms(5);
      }
    }
  };
  using Handler = std::function<void(const Exchange&)>;

  explicit TestServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = rt::Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    KEEL_ASSERT(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    KEEL_ASSERT(listen(listener_.get(), 64) == 0);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = rt::start_thread("test-accept", [this](std::stop_token stop) { accept_all(stop); });
  }

  ~TestServer() {
    acceptor_.request_stop();
    shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    const std::lock_guard lock(mutex_);
    for (rt::Thread& thread : threads_) thread.request_stop();
  }

  int port() const { return port_; }
  std::string host_port() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string url(std::string_view path) const {
    return "http://" + host_port() + std::string(path);
  }
  // The paths that were asked for, in order.
  std::vector<std::string> paths() const {
    const std::lock_guard lock(mutex_);
    return paths_;
  }

 private:
  void accept_all(std::stop_token stop) {
    while (!stop.stop_requested()) {
      const int fd = accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      timeval patience{1, 0};
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
      const std::lock_guard lock(mutex_);
      threads_.push_back(rt::start_thread("test-serve", [this, fd](std::stop_token end) {
        const rt::Fd owned(fd);
        serve(fd, end);
      }));
    }
  }

  void serve(int fd, std::stop_token stop) {
    Exchange exchange;
    exchange.fd = fd;
    exchange.stop = stop;
    while (exchange.request.find("\r\n\r\n") == std::string::npos) {
      if (stop.stop_requested()) return;
      char buffer[4096];
      const ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
      if (got == 0) return;
      if (got < 0) {
        rt::sleep_ms(1);
        continue;
      }
      exchange.request.append(buffer, static_cast<std::size_t>(got));
    }
    const std::size_t from = exchange.request.find(' ') + 1;
    exchange.path = exchange.request.substr(from, exchange.request.find(' ', from) - from);
    {
      const std::lock_guard lock(mutex_);
      paths_.push_back(exchange.path);
    }
    handler_(exchange);
  }

  Handler handler_;
  rt::Fd listener_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> paths_;
  std::vector<rt::Thread> threads_;
  rt::Thread acceptor_;
};

}  // namespace keel::net
