// What text from outside must not be able to do to a model: become one of its special tokens, or
// bring the grammar compiler down through a tool's schema.
//
// SpecialGuard swaps every special token's text inside content for one private-use character before
// a chat template is rendered; afterwards split() gives the rendered text in parts, where a literal
// part is to be tokenised as plain text. One guard serves one rendering. Pure; not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace keel::local {

// The texts of a vocabulary's special tokens, arranged for searching.
class SpecialTexts {
 public:
  explicit SpecialTexts(std::vector<std::string> texts);
  // The length of the longest special text that `text` begins with; 0 if none.
  std::size_t match(std::string_view text) const;

 private:
  std::array<std::vector<std::string>, 256> by_first_byte_;  // longest first
};

class SpecialGuard {
 public:
  struct Part {
    std::string text;
    bool literal = false;
  };

  // With breaking, special texts are broken up by a zero-width space instead, and there is nothing
  // to split.
  explicit SpecialGuard(const SpecialTexts& specials, bool breaking = false)
      : specials_(&specials), breaking_(breaking) {}

  // Bytes that are not UTF-8, and NUL, become U+FFFD. Content with more different texts to swap
  // than there are stand-ins (limits::guard_stand_ins) loses what is beyond: special texts are
  // broken up there too, and private characters become U+FFFD.
  std::string protect(std::string_view content);
  std::vector<Part> split(std::string_view rendered) const;
  // Whether a character that stands for a special text went missing, because a template changed it.
  bool lost(std::string_view rendered) const;

 private:
  char32_t stand_in_for(std::string_view text);  // 0 if there are no more

  const SpecialTexts* specials_;
  bool breaking_;
  std::vector<std::string> table_;
  std::unordered_map<std::string, std::uint32_t> index_;  // into table_
};

// Whether a tool's schema is within the bounds that the grammar compiler can be trusted with: an
// object, size, depth, repetitions, no recursion, no patterns it does not know. The error says what
// is wrong with it.
Status check_schema(const Json& schema);

// The schema without what only narrows a value (patterns, formats, lengths, ranges): the second try
// when the whole schema cannot become a grammar. Types, required names and enumerations stay.
// References become "anything".
Json loosen_schema(const Json& schema);

}  // namespace keel::local
