#include "memory/rank/query.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "base/limits.h"
#include "base/text.h"
#include "memory/text/dates.h"
#include "memory/text/porter.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

// The query's words; of a very long one those near its start and its end, where people put what
// they want.
std::vector<Word> query_words(std::string_view text) {
  constexpr std::size_t kHalf = limits::memory_query_bytes / 2;
  if (text.size() <= 2 * kHalf) return words_of(text, Use::query);
  std::vector<Word> words = words_of(text.substr(0, kHalf), Use::query);
  std::vector<Word> tail = words_of(text.substr(text.size() - kHalf), Use::query);
  words.insert(words.end(), std::make_move_iterator(tail.begin()),
               std::make_move_iterator(tail.end()));
  return words;
}

// Different words in order; stop words only where nothing else is there and they are wanted.
std::vector<Word> different_words(std::string_view text, bool stop_words_too) {
  std::vector<Word> all = query_words(text);
  for (const bool take_stop_words : {false, true}) {
    std::vector<Word> kept;
    std::unordered_set<std::string_view> seen;
    for (const Word& word : all) {
      if ((class_of(word) == WordClass::stop) != take_stop_words) continue;
      if (seen.insert(word.stem).second) kept.push_back(word);
    }
    if (!kept.empty() || !stop_words_too) return kept;
  }
  return {};
}

// Keeps half of the bound from the start and half from the end.
void bound(std::vector<Word>& words, Terms& out) {
  constexpr std::size_t kMost = limits::memory_query_terms;
  if (words.size() <= kMost) return;
  const auto from = words.begin() + kMost / 2;
  const auto to = words.end() - kMost / 2;
  out.left_out_count = to - from;
  for (auto it = from; it != to && out.left_out.size() < kMost; ++it)
    out.left_out.push_back(it->surface);
  words.erase(from, to);
}

struct Form {
  std::string stem;
  double weight;
};

Result<std::vector<Form>> forms_of(Connection& connection, const std::string& stem) {
  std::vector<Form> forms;
  for (std::string& other : irregular_forms(stem)) forms.push_back({std::move(other), kFormWeight});
  Statement select = TRY(connection.prepare(
      "SELECT expands_to, weight FROM alias WHERE term = ?1 AND enabled = 1 ORDER BY expands_to"));
  select.bind(1, stem);
  while (TRY(select.step())) forms.push_back({select.text(0), select.real(1)});
  if (forms.size() > limits::memory_term_forms) forms.resize(limits::memory_term_forms);
  return forms;
}

constexpr std::string_view kTimeWords[] = {
    "yesterday", "today", "tomorrow", "last",  "week", "ago",      "month",   "year",  "next",
    "weekend",   "since", "day",      "night", "date", "recently", "gestern", "heute", "morgen"};

void add_forms(Terms& out, std::size_t parent, const std::vector<Form>& forms,
               std::unordered_set<std::string>& known) {
  for (const Form& form : forms) {
    if (!known.insert(form.stem).second) continue;
    Term term;
    term.surface = term.stem = form.stem;
    term.source = Term::Source::form;
    term.parent = parent;
    term.weight = form.weight;
    term.word_class = out.terms[parent].word_class;
    out.terms.push_back(std::move(term));
  }
}

// Days and words of time.
void add_times(Terms& out, std::string_view query, WallMs now,
               std::unordered_set<std::string>& known) {
  const auto add = [&](std::string stem, std::string_view surface, Term::Source source,
                       double weight) {
    if (!known.insert(stem).second) return;
    Term term;
    term.stem = std::move(stem);
    term.surface = surface;
    term.source = source;
    term.parent = out.terms.size();
    term.weight = weight;
    out.terms.push_back(std::move(term));
  };
  for (const std::string& day : days_asked(query, now)) add(day, day, Term::Source::date, 1.0);
  if (!asks_when(query)) return;
  for (const std::string_view word : kTimeWords)
    add(porter_stem(word), word, Term::Source::when, kWhenWeight);
}

}  // namespace

double idf_of(std::int64_t pages, std::int64_t df) {
  const auto n = static_cast<double>(df);
  const double others = std::max(0.0, static_cast<double>(pages) - n);
  return std::log(1.0 + (others + 0.5) / (n + 0.5));
}

std::string_view source_name(Term::Source source) {
  switch (source) {
    case Term::Source::literal:
      return "literal";
    case Term::Source::form:
      return "form";
    case Term::Source::date:
      return "date";
    case Term::Source::when:
      return "when";
  }
  return "literal";
}

Result<Terms> terms_of(Connection& connection, std::string_view query, bool only_relevant,
                       WallMs now) {
  Terms out;
  std::vector<Word> words = different_words(query, !only_relevant);
  bound(words, out);
  std::unordered_set<std::string> known;
  for (const Word& word : words) {
    known.insert(word.stem);
    Term term;
    term.stem = word.stem;
    term.surface = word.surface;
    term.parent = out.terms.size();
    term.word_class = class_of(word);
    out.terms.push_back(std::move(term));
  }
  const std::size_t literals = out.terms.size();
  for (std::size_t parent = 0; parent < literals; ++parent)
    add_forms(out, parent, TRY(forms_of(connection, out.terms[parent].stem)), known);
  add_times(out, query, now, known);
  return out;
}

}  // namespace keel::memory
