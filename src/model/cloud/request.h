// A model::Request in the form that the dialects' codecs take, and an answer's parts in the form
// the agent takes.
#pragma once

#include "model/model.h"
#include "msg/dialect/dialect.h"

namespace keel::model {

// `model`: the name that the server knows. A program's own request is taken as it is.
msg::Conversation conversation_for(const Request& request, const std::string& model);
// Anthropic caches a prompt up to marked blocks. Marks: the end of the tools and rules, which never
// change, the end of the conversation, and where it ended at the owner's message before.
void mark_for_cache(msg::Conversation& conversation);

Usage usage_of(const msg::TokenUsage& usage, const Prices& prices);
StopReason stop_reason_of(msg::Stop stop);

// A request to Anthropic's API as its count_tokens takes it: without what is about the answer.
Result<std::string> counting_body(std::string body);

}  // namespace keel::model
