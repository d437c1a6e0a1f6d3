// What a sentence of the owner says, by rules alone, in English and a little German: whether it
// states something lasting, and whether it names a value that can be compared with another one ("my
// boat is called Ariadne"). Pure, any thread. docs/formats/memory.md, "What of a turn becomes a
// page" and "Supersession".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keel::memory {

struct OwnerStatement {
  std::string kind;  // fact, preference, commitment
  std::string
      content;  // what is stated: without "remember that", a capital first, no stop at the end
  std::string sentence;      // as it was written
  bool from_now_on = false;  // a wish that is to hold always
};
// At most limits::memory_turn_pages, in order. The text may be anything a person sends.
std::vector<OwnerStatement> statements_of(std::string_view owner_text);

// Whether the message is work to be done on its text ("translate: ..."): nothing in it is meant.
bool is_text_work(std::string_view owner_text);
// A sentence as a page holds it: without "by the way" and "remember that", a capital first, no stop
// at the end.
std::string content_of_sentence(std::string_view sentence);

struct Attribute {
  std::string subject;
  std::string attribute;
  std::string value;  // case folded, words only
  bool whole = true;  // the sentence ends with the value
};
// Of a text of one sentence; nothing for all others. The frame of said_by_owner() is looked
// through.
std::optional<Attribute> attribute_of(std::string_view text);

}  // namespace keel::memory
