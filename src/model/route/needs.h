// What an answer needs, read off the request by plain signs that can be named; no model is asked.
// Pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "model/model.h"
#include "model/route/decide.h"

namespace keel::model {

// Tools, length, images, and whether the newest words are about code. The rest is the caller's.
Needs needs_of(const Request& request);
// Without the length of the answer; code only if it is asked for (Router::asks_for_code).
Needs needs_of(const std::vector<msg::Item>& items, const std::vector<msg::Tool>& tools, bool code,
               bool ends_with_note = false);

// A fenced block, lines that end or begin as code does, or words that only programs and their
// makers use, at least two of them.
bool is_about_code(std::string_view text);

std::int64_t bytes_of(const std::vector<msg::Item>& items, const std::vector<msg::Tool>& tools);

}  // namespace keel::model
