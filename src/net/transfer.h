// One request and its answer with libcurl, without redirects: the part of fetch(), download() and
// service() that touches the network. The address of every connection attempt is decided in the
// socket callback, on the exact sockaddr that would be connected to, and once more before the
// request is sent; there is no second name resolution in between that could answer differently.
//
// A Transfer holds one connection pool and belongs to one thread. Limits: limits.h, "net".
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
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

// What service() needs beside what fetch() does.
struct ServiceOptions {
  std::string method;
  std::string_view body;
  std::chrono::milliseconds connect_time;
  std::chrono::milliseconds first_byte_time;  // from the end of the request to its answer
  std::chrono::milliseconds idle_time;        // without a byte of the answer
  bool fresh_connection = false;
  bool only_own_network = false;
  std::function<void()> on_connected;  // before the first byte of the request is sent
  // The answer's head is whole. False ends the transfer, and the answer is `truncated`.
  std::function<bool(const Answer& head)> on_head;
};

struct TransferOptions {
  std::string user_agent;
  std::string accept;
  std::vector<std::string> headers;                // whole lines beside those: "Range: bytes=0-9"
  std::chrono::steady_clock::time_point deadline;  // its max(): none
  std::chrono::milliseconds stall_time;
  std::size_t body_bytes = 0;
  const ServiceOptions* service = nullptr;  // its times are then used in place of stall_time
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
  Result<Answer> call(const Url& url, const TransferOptions& options, bool allow_own_network,
                      std::stop_token stop);
  // The same, with a row of the ledger around it if there is one.
  Result<Answer> recorded_call(const Url& url, const TransferOptions& options,
                               bool allow_own_network, std::stop_token stop, EgressLedger* ledger,
                               const Why& why);

 private:
  struct State;
  Moved moved_;  // by the latest call
  std::unique_ptr<State> state_;
};

// Transfers that keep their connections open between calls. Thread-safe.
class TransferPool {
 public:
  std::unique_ptr<Transfer> take();
  void give_back(std::unique_ptr<Transfer> transfer);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> idle_;  // at most limits::net_idle_transfers
};

}  // namespace keel::net
