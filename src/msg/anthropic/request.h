// Anthropic Messages: requests, both ways. docs/formats/dialects.md has the mapping.
#pragma once

#include "msg/params.h"

namespace keel::msg::anthropic {

// An error names the member and what is wrong with it, for an invalid_request_error.
Result<Parsed> parse_request(std::string body);

// A request that was read from this dialect and not changed goes out byte for byte, unless the
// server would refuse it.
Written write_request(const Conversation& conversation, const Target& target);

}  // namespace keel::msg::anthropic
