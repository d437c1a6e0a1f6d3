// Notion's API as typed requests over net's client: one pace for all callers, Retry-After obeyed by
// all of them, failures sorted by what they mean for a retry. Reads are asked again until they
// succeed; a write is sent again by itself only where it was certainly not carried out.
//
// Threads: any; calls block the caller and return soon after the stop token fires.
// Limits: limits.h, "memory/notion".
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/result.h"
#include "net/service.h"

namespace keel::memory::notion {

inline constexpr std::string_view kVersions[] = {"2026-03-11", "2025-09-03"};

struct ClientOptions {
  std::string base_url;                        // "https://api.notion.com"
  std::function<Result<std::string>()> token;  // asked for each request
  std::string version = "2026-03-11";          // one of kVersions
  double per_second = limits::notion_requests_per_second;
  int attempts = limits::notion_attempts;
  std::chrono::milliseconds request_time = limits::notion_request_time;
};

// What became of a request.
enum class Fate {
  done,      // carried out; `json` is the answer
  refused,   // not carried out, and asking again will not help
  not_sent,  // not carried out; worth trying later
  unknown,   // a write that may or may not have been carried out
};

struct Answer {
  Fate fate = Fate::not_sent;
  Json json;
  int status = 0;    // of HTTP; 0 if there was none
  std::string code;  // Notion's word for an error: "object_not_found"
  // For all fates but done, for the owner. permission: the token is not accepted or may not do
  // this; not_found; limit: the workspace is full; invalid_argument: Notion does not take it;
  // network, timeout, busy: later; cancelled.
  Error error;

  bool ok() const { return fate == Fate::done; }
};

class Client {
 public:
  static Result<std::unique_ptr<Client>> create(net::Client& net, ClientOptions options);

  // A GET, or a POST that only reads (a query, a search). `patience`: where Notion asks for a
  // longer pause than that, the answer is Code::busy at once.
  Answer read(std::string_view method, const std::string& path, const Json& body,
              std::stop_token stop, std::chrono::seconds patience = limits::notion_pause_max);
  Answer get(const std::string& path, std::stop_token stop,
             std::chrono::seconds patience = limits::notion_pause_max) {
    return read("GET", path, {}, stop, patience);
  }
  Answer write(std::string_view method, const std::string& path, const Json& body,
               std::stop_token stop, std::chrono::seconds patience = limits::notion_pause_max);

  std::int64_t requests() const;  // sent so far, repeated ones too
  // How far Notion's clock is ahead of this machine's, as its last answer said; below a second it
  // is not known.
  std::int64_t ahead_ms() const;
  const std::string& base_url() const { return options_.base_url; }

 private:
  Client(net::Client& net, net::Endpoint endpoint, ClientOptions options);
  Answer call(std::string_view method, const std::string& path, const Json& body, bool reads,
              std::stop_token stop, std::chrono::seconds patience);
  Answer once(std::string_view method, const std::string& path, const std::string& body, bool reads,
              std::stop_token stop);
  Answer answered(const net::ServiceAnswer& got, bool reads);
  Status wait_for_turn(std::stop_token stop, std::chrono::seconds patience);
  Result<std::chrono::steady_clock::duration> take_turn(std::chrono::seconds patience);

  net::Client& net_;
  net::Endpoint endpoint_;
  ClientOptions options_;
  mutable std::mutex mutex_;
  double tokens_ = limits::notion_burst;
  std::chrono::steady_clock::time_point filled_;
  std::chrono::steady_clock::time_point paused_until_;
  std::int64_t requests_ = 0;
  std::int64_t ahead_ms_ = 0;
};

// "Fri, 27 Nov 2026 16:31:14 GMT" (RFC 9110) in milliseconds; 0 if it is no such time.
WallMs http_time(std::string_view text);

// The identifier of a page or data source in what an owner pastes: an id with or without dashes, or
// an address of the app. Code::invalid_argument if there is none.
Result<std::string> notion_id(std::string_view text);

}  // namespace keel::memory::notion
