// What OpenAI's two dialects share: data: addresses, effort, usage, and which parts they can carry.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "msg/carry.h"
#include "msg/stream/event.h"

namespace keel::msg::openai {

// "data:image/png;base64,AAAA", or the address of a picture that lies elsewhere.
std::string data_url(const Media& media);
Media media_of(std::string url);

// What the dialect has no part for becomes words, with a loss: documents without a file, file ids
// of another provider.
void settle_media(std::vector<Item>& items, Dialect dialect, Losses& losses);

// Brings a conversation to what both dialects take. `judge` says which thoughts go; `own`: this
// model had it. True if nothing had to be changed.
using Judge = std::function<std::optional<Loss>(const Thinking&, bool own)>;
bool prepare(Conversation& c, const Target& target, Dialect dialect, IdForm ids, const Judge& judge,
             Written& written);

// The word for how much to think; "" to leave it out.
std::string effort_word(const ThinkingWish& wish, Losses& losses);

Result<Tool> function_tool(const Value& function, const std::string& where, Losses& losses);

void read_usage(const Value& usage, TokenUsage& out);

}  // namespace keel::msg::openai
