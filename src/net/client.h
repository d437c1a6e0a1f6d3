// Outgoing HTTP through the one egress gate. Kinds of call, with separate connections and DNS
// caches: fetch() for addresses that come from the model or a page (public addresses only, whatever
// the name resolves to, on each redirect and each connection attempt), download() for files from an
// address that the owner named, and service() for endpoints the owner wrote into keel.toml.
//
// A status of 400 or more is a Response, not an Error: the server did answer. Every call leaves a
// line in the log (host, status, bytes; never path or query).
//
// Threads: any; calls block the caller and return soon after the stop token fires. Limits:
// limits.h, "net"; all on decoded bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/result.h"

namespace keel::net {

// Why something leaves the machine: what the ledger says of it.
struct Why {
  std::string purpose;             // model, page, file, service
  std::string subject;             // name of the model or tool
  std::string turn;                // that it is for; may be empty
  std::vector<std::string> pages;  // ids of memory pages that are in it
};
// What came of it.
struct Moved {
  int status = 0;
  std::size_t bytes_out = 0;  // request line, headers and body
  std::size_t bytes_in = 0;   // the body, before decoding
  double ms = 0.0;
  std::string error;  // why it failed; empty for an answer, whatever its status
};
// Keeps a record of each request: before its connection is made, and after its end. Any thread.
class EgressLedger {
 public:
  virtual ~EgressLedger() = default;
  // `host` with its port. An error keeps the request from being made.
  virtual Result<std::int64_t> begin(const std::string& host, const Why& why) = 0;
  virtual void end(std::int64_t entry, const Moved& moved) = 0;
};

struct FetchRequest {
  std::string url;
  std::string accept = "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.5";
  Why why = {.purpose = "page", .subject = {}, .turn = {}, .pages = {}};
};

struct Response {
  int status = 0;
  std::string url;           // after redirects
  std::string content_type;  // as sent
  std::string body;
  bool truncated = false;  // the body went over its limit, or ended before its announced length
  int redirects = 0;
};

// In the order of their arrival; names in lower case.
using Headers = std::vector<std::pair<std::string, std::string>>;
// The last one of that name; empty if there is none.
std::string header(const Headers& headers, std::string_view name);

struct DownloadRequest {
  // Named by the owner, in keel.toml or on the command line: this host and port may be in the
  // owner's own network. What it redirects to may not, unless allowed_private says so.
  std::string url;
  std::string bearer;                // a token that goes to this host and port only; may be empty
  std::vector<std::string> headers;  // whole lines, sent at every hop: "Range: bytes=0-9"
  Why why = {.purpose = "file", .subject = {}, .turn = {}, .pages = {}};
};

struct Download {
  int status = 0;
  std::string url;    // after redirects
  bool named = true;  // the answer is from the very host and port that was asked for
  Headers headers;    // of this answer
  Headers before;     // of the redirects by the named host: hubs describe the file there
  std::string body;   // the beginning of what came with a status other than 2xx
  bool cut = false;   // the body ended before its announced length, or the sink ended it
};
// Takes the body of a 2xx answer, which is not decoded; `head` is whole but for body and cut. False
// ends the download.
using DownloadSink = std::function<bool(const Download& head, std::string_view bytes)>;

struct ClientOptions {
  std::string user_agent;
  // For servers on this machine or network: these host:port pairs pass the address check, if the
  // address is then in fact loopback or private. From keel.toml and from tests only, never from the
  // model.
  std::vector<std::string> allowed_private;
  // Shorter in tests.
  std::chrono::milliseconds fetch_time = limits::fetch_time;
  std::chrono::milliseconds stall_time = limits::fetch_stall_time;
  // Must outlive the client. Without one nothing is recorded: for tests.
  EgressLedger* ledger = nullptr;
};

// net/service.h
struct ServiceRequest;
struct ServiceAnswer;
struct ServiceSink;

class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Result<Response> fetch(const FetchRequest& request, std::stop_token stop);
  // Without a time limit but for stalls. Connections are kept for the next download.
  Result<Download> download(const DownloadRequest& request, const DownloadSink& sink,
                            std::stop_token stop);
  // An answer that breaks off is Code::network, whatever the sink has got by then. Connections are
  // kept for the next call.
  Result<ServiceAnswer> service(const ServiceRequest& request, const ServiceSink& sink,
                                std::stop_token stop);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keel::net
