// OpenAI Chat Completions: requests, both ways. docs/formats/dialects.md has the mapping.
#pragma once

#include "msg/params.h"

namespace keel::msg::chat {

Result<Parsed> parse_request(std::string body);
// See anthropic::write_request.
Written write_request(const Conversation& conversation, const Target& target);

}  // namespace keel::msg::chat
