// One request and its answer with libcurl, without redirects: the part of fetch() that touches the
// network. The address of every connection attempt is decided in the socket callback, on the exact
// sockaddr that would be connected to, and once more before the request is sent; there is no second
// name resolution in between that could answer differently.
//
// A Transfer holds one connection pool and belongs to one thread. Limits: limits.h, "net".
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/client.h"
#include "net/url.h"

namespace keel::net {

struct Answer {
  int status = 0;
  Headers headers;
  std::string content_type;
  std::string location;
  std::string body;
  bool truncated = false;
  std::size_t received_bytes = 0;  // of the body, before decoding
};

struct TransferOptions {
  std::string user_agent;
  std::string accept;
  std::vector<std::string> headers;                // whole lines beside those: "Range: bytes=0-9"
  std::chrono::steady_clock::time_point deadline;  // its max(): none
  std::chrono::milliseconds stall_time;
  std::size_t body_bytes = 0;
  // Takes the body of a 2xx answer as it arrives, undecoded and without a limit, in place of
  // Answer::body; the answer's head is whole by then. False ends the transfer, and the answer is
  // `truncated`.
  std::function<bool(const Answer& head, std::string_view bytes)> sink;
};

class Transfer {
 public:
  Transfer();
  ~Transfer();
  // `allow_own_network`: the address may also be loopback or private (a configured exception for
  // this host and port).
  Result<Answer> get(const Url& url, const TransferOptions& options, bool allow_own_network,
                     std::stop_token stop);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keel::net
