// Text to sentences: code blocks, quoted lines and addresses are left out, quotations are not
// split, and a question is told from a statement. Also the frame in which a page quotes its owner.
// Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keel::memory {

// Sentences in order, trimmed.
std::vector<std::string_view> sentences_of(std::string_view text);
// Whether the sentence asks something: a question mark at its end, or the word order of a question.
bool asks(std::string_view sentence);
// True if the text holds nothing but questions: it cannot be evidence for anything.
bool is_question(std::string_view text);

// Whether it asks about an earlier conversation: "what did we talk about", "did I tell you",
// "you recommended".
bool asks_what_was_said(std::string_view question);

// The form in which the owner's words are kept: The owner said: "...".
std::string said_by_owner(std::string_view sentence);
// The other way round; text without the frame comes back as it is.
std::string_view without_frame(std::string_view body);

}  // namespace keel::memory
