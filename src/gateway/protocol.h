// The messages between `keel chat` and the daemon as typed values; docs/formats/local-socket.md
// describes the frames. Both ends use this file. Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "agent/event.h"
#include "agent/session.h"
#include "base/json.h"
#include "base/result.h"

namespace keel::gateway {

inline constexpr int protocol_version = 1;

struct Greeting {
  int protocol = protocol_version;
  std::int64_t process = 0;
};

struct RunRequest {
  agent::TurnRequest turn;
};
struct StopRequest {};
struct PrepareRequest {
  std::string conversation = "main";
};
struct StatusRequest {};
struct WhyRequest {
  std::string turn;
};
struct UseModelRequest {
  std::string name;
};
using Request = std::variant<RunRequest, StopRequest, PrepareRequest, StatusRequest, WhyRequest,
                             UseModelRequest>;

// What the daemon sends after its greeting: any number of events, then one result or error for each
// request but stop.
struct Answer {
  Json result;
};
using Reply = std::variant<agent::Event, Answer, Error>;

std::string encode(const Greeting& greeting);
std::string encode(const Request& request);
std::string encode(const Reply& reply);
Result<Greeting> decode_greeting(std::string_view frame);
Result<Request> decode_request(std::string_view frame);
Result<Reply> decode_reply(std::string_view frame);

}  // namespace keel::gateway
