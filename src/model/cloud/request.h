// A model::Request in the form that the dialects' codecs take, and an answer's parts in the form
// the agent takes.
#pragma once

#include "model/model.h"
#include "msg/dialect/dialect.h"

namespace keel::model {

// Prices in USD a million tokens. 0: unknown, and the cost is then said to be 0.
struct Prices {
  double in = 0.0;
  double out = 0.0;
  double cache_read = 0.0;
  double cache_write = 0.0;
};
// What reading from and writing to the cache cost in this dialect, from the two prices of
// keel.toml.
Prices prices_for(msg::Dialect dialect, double in, double out);
double cost_usd(const msg::TokenUsage& usage, const Prices& prices);

// `model`: the name that the server knows.
msg::Conversation conversation_for(const Request& request, const std::string& model);
// Anthropic caches a prompt up to marked blocks. Marks: the end of the tools and rules, which never
// change, the end of the conversation, and where it ended at the owner's message before.
void mark_for_cache(msg::Conversation& conversation);

Usage usage_of(const msg::TokenUsage& usage, const Prices& prices);
StopReason stop_reason_of(msg::Stop stop);

}  // namespace keel::model
