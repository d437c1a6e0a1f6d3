// OpenAI Responses: requests, both ways. docs/formats/dialects.md has the mapping.
#pragma once

#include "msg/params.h"
#include "msg/raw.h"

namespace keel::msg::responses {

Result<Parsed> parse_request(std::string body);
// See anthropic::write_request.
Written write_request(const Conversation& conversation, const Target& target);

// Output items of an answer have the form of input items.
Status read_item(const Value& value, const std::string& where, const std::string& model,
                 std::vector<Item>& items, Losses& losses);

}  // namespace keel::msg::responses
