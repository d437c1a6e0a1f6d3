// Outgoing HTTP through the one egress gate. Two kinds of call, with separate connections and DNS
// caches: fetch() for addresses that come from the model or a page (public addresses only, whatever
// the name resolves to, on each redirect and each connection attempt), and later service() for
// endpoints the owner wrote into keel.toml.
//
// A status of 400 or more is a Response, not an Error: the server did answer. Every fetch leaves a
// line in the log (host, status, bytes; never path or query).
//
// Threads: any; calls block the caller and return soon after the stop token fires. Limits:
// limits.h, "net"; all on decoded bytes.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/result.h"

namespace keel::net {

struct FetchRequest {
  std::string url;
  std::string accept = "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.5";
};

struct Response {
  int status = 0;
  std::string url;           // after redirects
  std::string content_type;  // as sent
  std::string body;
  bool truncated = false;  // the body went over its limit, or ended before its announced length
  int redirects = 0;
};

struct ClientOptions {
  std::string user_agent;
  // For servers on this machine or network: these host:port pairs pass the address check, if the
  // address is then in fact loopback or private. From keel.toml and from tests only, never from the
  // model.
  std::vector<std::string> allowed_private;
  // Shorter in tests.
  std::chrono::milliseconds fetch_time = limits::fetch_time;
  std::chrono::milliseconds stall_time = limits::fetch_stall_time;
};

class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Result<Response> fetch(const FetchRequest& request, std::stop_token stop);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keel::net
