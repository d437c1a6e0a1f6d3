// For tests: a hub and its CDN on two ports of 127.0.0.1, in the manner of the public one. The hub
// answers OWNER/REPO/resolve/main/FILE with a redirect and says there what the file is; the CDN
// sends it, whole or in parts (RFC 9110: Range, If-Range, 416). Every misbehaviour that a test
// wants is a field.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/text.h"
#include "net/test_server.h"

namespace keel::shelf {

inline std::string random_model(std::size_t bytes, unsigned seed = 1) {
  std::string out = "GGUF";
  std::mt19937 random(seed);
  while (out.size() < bytes) out += static_cast<char>(random());
  return out;
}

inline std::string header_of(const std::string& request, const std::string& name) {
  for (const std::string_view line : split(request, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon == line.npos || !equals_ignoring_case(line.substr(0, colon), name)) continue;
    return std::string(trim(line.substr(colon + 1)));
  }
  return {};
}

class HubServer {
 public:
  struct Served {
    std::size_t begin = 0;
    std::size_t bytes = 0;
  };
  // Changed by tests under `mutex`, also while a pull runs.
  std::mutex mutex;
  std::string content;
  std::string tag = "\"v1\"";
  bool announces = true;      // X-Linked-ETag and X-Linked-Size
  std::string announced;      // another hash than the right one
  bool ranges = true;         // the CDN sends parts
  bool keeps_version = true;  // the CDN heeds If-Range
  std::size_t cut_after = 0;  // bytes of an answer, then the connection ends; 0: never
  int cuts = 1 << 30;         // so many answers are cut
  std::function<bool(const net::TestServer::Exchange&)> first;  // answers instead, if it says so
  std::function<void(std::size_t)> sent;                        // after each block, with all bytes

  HubServer()
      : cdn_([this](const net::TestServer::Exchange& x) { serve(x); }),
        hub_([this](const net::TestServer::Exchange& x) { redirect(x); }) {}

  std::string base() const { return hub_.url(""); }
  std::string direct() const { return cdn_.url("/FILE.gguf"); }
  std::string hub_pair() const { return hub_.host_port(); }
  std::string cdn_pair() const { return cdn_.host_port(); }
  // Ends the callbacks: after it no test's variable is touched any more.
  void settle() {
    {
      const std::lock_guard lock(mutex);
      first = {};
      sent = {};
    }
    while (active_ > 0) rt::sleep_ms(1);
  }
  // What was sent, or was about to be when the client left.
  std::vector<Served> served() {
    const std::lock_guard lock(mutex);
    return served_;
  }
  std::size_t all_sent() const { return all_; }  // under mutex
  std::size_t served_bytes() {
    std::size_t sum = 0;
    for (const Served& each : served()) sum += each.bytes;
    return sum;
  }
  std::vector<std::string> cdn_requests() {
    const std::lock_guard lock(mutex);
    return cdn_requests_;
  }
  std::vector<std::string> hub_requests() {
    const std::lock_guard lock(mutex);
    return hub_requests_;
  }

 private:
  struct Active {
    explicit Active(std::atomic<int>& count) : count_(count) { ++count_; }
    ~Active() { --count_; }
    Active(const Active&) = delete;
    Active& operator=(const Active&) = delete;
    std::atomic<int>& count_;
  };

  void redirect(const net::TestServer::Exchange& x) {
    const Active active(active_);
    std::string headers;
    std::function<bool(const net::TestServer::Exchange&)> before;
    {
      const std::lock_guard lock(mutex);
      hub_requests_.push_back(x.request);
      before = first;
      headers = "Location: " + cdn_.url("/FILE.gguf?signature=1") + "\r\n";
      if (announces) {
        headers += fmt::format("X-Linked-ETag: \"{}\"\r\nX-Linked-Size: {}\r\n",
                               announced.empty() ? sha256_hex(content) : announced, content.size());
      }
    }
    if (before && before(x)) return;
    x.reply(302, headers, "");
  }

  void serve(const net::TestServer::Exchange& x) {
    const Active active(active_);
    std::string body;
    std::string all_tag;
    bool parts = false;
    std::size_t limit = 0;
    {
      const std::lock_guard lock(mutex);
      cdn_requests_.push_back(x.request);
      body = content;
      all_tag = tag;
      const std::string if_range = header_of(x.request, "If-Range");
      parts = ranges && (if_range.empty() || if_range == tag || !keeps_version);
      if (cut_after > 0 && cuts > 0) limit = cut_after;
    }
    std::size_t begin = 0;
    std::size_t end = body.size();
    const std::string range = header_of(x.request, "Range");
    if (parts && range.starts_with("bytes=")) {
      const std::size_t dash = range.find('-');
      begin = std::stoul(range.substr(6, dash - 6));
      end = std::min(std::stoul(range.substr(dash + 1)) + 1, body.size());
      if (begin >= body.size()) {
        x.reply(416, fmt::format("Content-Range: bytes */{}\r\n", body.size()), "");
        return;
      }
    }
    const bool part = parts && !range.empty();
    std::string head =
        fmt::format("HTTP/1.1 {} Status\r\nConnection: close\r\nContent-Length: {}\r\n",
                    part ? 206 : 200, end - begin);
    if (!all_tag.empty()) head += "ETag: " + all_tag + "\r\n";
    if (part) head += fmt::format("Content-Range: bytes {}-{}/{}\r\n", begin, end - 1, body.size());
    x.send(head + "\r\n");
    send_body(x, body, begin, end, limit);
  }

  void send_body(const net::TestServer::Exchange& x, const std::string& body, std::size_t begin,
                 std::size_t end, std::size_t limit) {
    constexpr std::size_t kBlock = 16u << 10;
    std::size_t to = end;
    {
      const std::lock_guard lock(mutex);
      if (limit > 0 && begin + limit < end) {
        to = begin + limit;
        --cuts;
      }
      served_.push_back({begin, to - begin});
    }
    std::size_t at = begin;
    while (at < to) {
      const std::size_t block = std::min(kBlock, to - at);
      if (!x.send(std::string_view(body).substr(at, block))) break;
      at += block;
      std::function<void(std::size_t)> tell;
      std::size_t all = 0;
      {
        const std::lock_guard lock(mutex);
        all = all_ += block;
        tell = sent;
      }
      if (tell) tell(all);
    }
  }

  std::vector<Served> served_;
  std::vector<std::string> cdn_requests_;
  std::vector<std::string> hub_requests_;
  std::size_t all_ = 0;
  std::atomic<int> active_ = 0;
  net::TestServer cdn_;
  net::TestServer hub_;
};

}  // namespace keel::shelf
