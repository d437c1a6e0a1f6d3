// Text to words: the one tokeniser behind the index, the queries and the comparison of pages, and
// what keel knows of single words (stop words, weak words, irregular forms).
// docs/formats/memory.md, "Index", says what counts as a word.
//
// Pure, any thread. Any bytes are accepted; what is not valid UTF-8 separates words.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace keel::memory {

struct Word {
  std::string stem;       // what is indexed and looked up: no spaces, no ASCII but a-z and 0-9
  std::string surface;    // the word as it stood, case folded
  std::size_t begin = 0;  // where it stood, in bytes
  std::size_t end = 0;
};

enum class Use {
  index,  // single Han characters too
  query,  // pairs only, unless a character stands alone
};
std::vector<Word> words_of(std::string_view text, Use use);

// How much a query's word says by itself.
enum class WordClass {
  stop,   // nothing
  clock,  // "time", "today": about now, hardly ever about a page
  weak,   // "call", "page", short numbers
  strong,
};
WordClass class_of(const Word& word);

// The other stems of an irregular word: "go" for "went". Empty for regular words.
std::vector<std::string> irregular_forms(std::string_view stem);

}  // namespace keel::memory
