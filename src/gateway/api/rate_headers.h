// What is left of a key's bounds, in the headers that the clients of each dialect read. Pure
// functions.
#pragma once

#include "base/clock.h"
#include "gateway/door/quota.h"
#include "msg/conversation.h"
#include "net/http/message.h"

namespace keel::api {

// None for bounds that the key does not have.
http::Headers rate_headers(msg::Dialect dialect, const Quotas::State& state, WallMs now);

// "1m30s", "250ms": how OpenAI's API writes a time to wait.
std::string duration_text(std::chrono::milliseconds time);

}  // namespace keel::api
