// When to ask a cloud model again, and how long to wait before that.
#pragma once

#include <chrono>
#include <optional>

#include "msg/fault.h"
#include "net/client.h"

namespace keel::model {

// What the server asks to wait: retry-after-ms, or retry-after in seconds. A date is not read.
std::optional<std::chrono::milliseconds> asked_wait(const net::Headers& headers);

// Whether the same request may succeed later: overloaded, too many requests, a fault of the server.
bool worth_another_try(msg::Fault kind);

// The wait before attempt `next` (1 is the first repetition): what the server asked for, or twice
// as long each time, shortened by up to a quarter by `luck` (0 to 1) so that many clients do not
// come back at once. Nothing: no more attempts, or the server asks for more than
// limits::cloud_server_wait.
std::optional<std::chrono::milliseconds> wait_before(int next,
                                                     std::optional<std::chrono::milliseconds> asked,
                                                     double luck);

}  // namespace keel::model
