#include "memory/text/porter.h"

#include <algorithm>
#include <span>

namespace keel::memory {
namespace {

struct Rule {
  std::string_view suffix;
  std::string_view replacement;
};

bool is_consonant(std::string_view word, std::size_t i) {
  switch (word[i]) {
    case 'a':
    case 'e':
    case 'i':
    case 'o':
    case 'u':
      return false;
    case 'y':
      return i == 0 || !is_consonant(word, i - 1);
    default:
      return true;
  }
}

// Porter's m: how often a run of vowels is followed by a run of consonants.
int measure(std::string_view stem) {
  int count = 0;
  bool vowel_before = false;
  for (std::size_t i = 0; i < stem.size(); ++i) {
    const bool consonant = is_consonant(stem, i);
    if (consonant && vowel_before) ++count;
    vowel_before = !consonant;
  }
  return count;
}

bool has_vowel(std::string_view stem) {
  for (std::size_t i = 0; i < stem.size(); ++i) {
    if (!is_consonant(stem, i)) return true;
  }
  return false;
}

bool ends_in_double_consonant(std::string_view word) {
  const std::size_t n = word.size();
  return n >= 2 && word[n - 1] == word[n - 2] && is_consonant(word, n - 1);
}

// Porter's *o: consonant, vowel, consonant at the end, the last not w, x or y.
bool ends_in_cvc(std::string_view word) {
  const std::size_t n = word.size();
  if (n < 3) return false;
  const char last = word[n - 1];
  return is_consonant(word, n - 3) && !is_consonant(word, n - 2) && is_consonant(word, n - 1) &&
         last != 'w' && last != 'x' && last != 'y';
}

std::string_view without(std::string_view word, std::string_view suffix) {
  return word.substr(0, word.size() - suffix.size());
}

void replace_suffix(std::string& word, std::string_view suffix, std::string_view replacement) {
  word.resize(word.size() - suffix.size());
  word += replacement;
}

// The longest suffix that fits decides, whether or not its condition then holds.
void apply_longest(std::string& word, std::span<const Rule> rules, int more_than) {
  const Rule* best = nullptr;
  for (const Rule& rule : rules) {
    if (word.ends_with(rule.suffix) &&
        (best == nullptr || rule.suffix.size() > best->suffix.size()))
      best = &rule;
  }
  if (best == nullptr) return;
  const std::string_view stem = without(word, best->suffix);
  if (measure(stem) <= more_than) return;
  if (best->suffix == "ion" && !stem.ends_with('s') && !stem.ends_with('t')) return;
  replace_suffix(word, best->suffix, best->replacement);
}

void step_1a(std::string& word) {
  if (word.ends_with("sses") || word.ends_with("ies")) {
    word.resize(word.size() - 2);
  } else if (word.ends_with('s') && !word.ends_with("ss")) {
    word.pop_back();
  }
}

void step_1b(std::string& word) {
  if (word.ends_with("eed")) {
    if (measure(without(word, "eed")) > 0) word.pop_back();
    return;
  }
  for (const std::string_view suffix : {"ed", "ing"}) {
    if (!word.ends_with(suffix)) continue;
    if (!has_vowel(without(word, suffix))) return;
    replace_suffix(word, suffix, "");
    if (word.ends_with("at") || word.ends_with("bl") || word.ends_with("iz")) {
      word += 'e';
    } else if (ends_in_double_consonant(word)) {
      if (!word.ends_with('l') && !word.ends_with('s') && !word.ends_with('z')) word.pop_back();
    } else if (measure(word) == 1 && ends_in_cvc(word)) {
      word += 'e';
    }
    return;
  }
}

void step_1c(std::string& word) {
  if (word.ends_with('y') && has_vowel(without(word, "y"))) word.back() = 'i';
}

constexpr Rule kStep2[] = {
    {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"},
    {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"}, {"eli", "e"},     {"ousli", "ous"},
    {"ization", "ize"}, {"ation", "ate"},   {"ator", "ate"},  {"alism", "al"},  {"iveness", "ive"},
    {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},  {"iviti", "ive"}, {"biliti", "ble"},
    {"logi", "log"}};
constexpr Rule kStep3[] = {{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"},
                           {"ical", "ic"},  {"ful", ""},   {"ness", ""}};
constexpr Rule kStep4[] = {{"al", ""},   {"ance", ""}, {"ence", ""}, {"er", ""},    {"ic", ""},
                           {"able", ""}, {"ible", ""}, {"ant", ""},  {"ement", ""}, {"ment", ""},
                           {"ent", ""},  {"ion", ""},  {"ou", ""},   {"ism", ""},   {"ate", ""},
                           {"iti", ""},  {"ous", ""},  {"ive", ""},  {"ize", ""}};

void step_5(std::string& word) {
  if (word.ends_with('e')) {
    const std::string_view stem = without(word, "e");
    const int m = measure(stem);
    if (m > 1 || (m == 1 && !ends_in_cvc(stem))) word.pop_back();
  }
  if (word.ends_with("ll") && measure(word) > 1) word.pop_back();
}

}  // namespace

std::string porter_stem(std::string_view text) {
  std::string word(text);
  const bool plain =
      std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  if (word.size() < 3 || !plain) return word;
  step_1a(word);
  step_1b(word);
  step_1c(word);
  apply_longest(word, kStep2, 0);
  apply_longest(word, kStep3, 0);
  apply_longest(word, kStep4, 1);
  step_5(word);
  return word;
}

}  // namespace keel::memory
