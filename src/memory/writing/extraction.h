// What a model is asked about a message of the owner, and what of its answer is believed. It may
// point at sentences; the page holds the owner's own words, never the model's: a quote that does
// not stand in the message, a question, quoted and pasted text are dropped, and what the model says
// in its own words is kept only as far as the words of the message bear it.
// docs/formats/memory.md, "What of a turn becomes a page".
//
// Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "memory/memory.h"
#include "msg/conversation.h"

namespace keel::memory {

// Whether a model may find more in it than the rules did: there is a sentence of some length that
// neither asks nor is a page already, and the message is no text to be worked on.
bool may_hold_more(std::string_view owner_text);

// The whole prompt: instructions and examples, the same for every message, then the message.
std::vector<msg::Item> extraction_items(std::string_view owner_text);
// The call in which the answer comes.
msg::Tool extraction_tool();

// The pages of an answer: the call's arguments. Each quotes a sentence of its own; session, turn
// and model are the caller's. Nothing where the answer is of another form.
std::vector<NewPage> pages_found(std::string_view arguments, std::string_view owner_text);

}  // namespace keel::memory
