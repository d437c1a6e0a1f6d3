// A client of raw bytes for tests of the server: it can be slow, rude and wrong. For tests only.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "rt/fd.h"
#include "rt/patience_test.h"

namespace keel::http {

class RawClient {
 public:
  explicit RawClient(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    connected_ = connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // What has come, until it holds `mark`, or until the server closes or all patience is gone.
  std::string read_until(std::string_view mark) {
    std::size_t end = 0;
    std::size_t from = 0;
    while ((end = buffer_.find(mark, from)) == buffer_.npos) {
      from = buffer_.size() - std::min(buffer_.size(), mark.size() - 1);
      if (!receive()) return std::exchange(buffer_, {});
    }
    end += mark.size();
    const std::string taken = buffer_.substr(0, end);
    buffer_.erase(0, end);
    return taken;
  }
  // One answer with a content-length: head and body.
  std::string read_answer(bool has_body = true) {
    std::string head = read_until("\r\n\r\n");
    const std::size_t at = head.find("content-length: ");
    std::size_t left = at == head.npos || !has_body ? 0 : std::stoul(head.substr(at + 16));
    while (buffer_.size() < left && receive()) {
    }
    head += buffer_.substr(0, left);
    buffer_.erase(0, left);
    return head;
  }
  std::string ask(std::string_view request) {
    send(request);
    return read_answer();
  }
  std::string get(std::string_view path, std::string_view headers = {}) {
    return ask("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(headers) +
               "\r\n");
  }
  // Everything up to the end of the connection.
  std::string read_all() {
    while (receive()) {
    }
    return std::exchange(buffer_, {});
  }
  // Whether the server has closed, waiting for it.
  bool closed() {
    while (receive()) {
    }
    return closed_;
  }
  void close() { fd_.reset(); }

 private:
  bool receive() {
    pollfd wait{fd_.get(), POLLIN, 0};
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(rt::patience).count();
    if (::poll(&wait, 1, static_cast<int>(ms)) <= 0) return false;
    char bytes[16384];
    const ssize_t got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
    closed_ = got <= 0;
    if (got > 0) buffer_.append(bytes, static_cast<std::size_t>(got));
    return got > 0;
  }

  rt::Fd fd_;
  std::string buffer_;
  bool connected_ = false;
  bool closed_ = false;
};

}  // namespace keel::http
