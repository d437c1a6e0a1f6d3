#include "memory/rank/relevance.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "memory/text/words.h"

namespace keel::memory {
namespace {

constexpr double kWeakMass = 0.25;
constexpr std::int64_t kSteadyPages = 100;  // keeps the mass of a word steady in a small store

bool is_asked(const Term& term) {
  return term.source == Term::Source::literal || term.source == Term::Source::date;
}

bool is_over(const std::string& valid_to, const std::string& today) {
  return !valid_to.empty() && !today.empty() && today.substr(0, valid_to.size()) > valid_to;
}

}  // namespace

bool holds_itself(const Counts& tf) {
  return tf[kBody] > 0 || tf[kTitle] > 0 || tf[kTags] > 0 || tf[kGist] > 0;
}

const Counts* counts_of(const WordCounts& words, std::string_view stem) {
  const auto at =
      std::lower_bound(words.begin(), words.end(), stem,
                       [](const auto& one, std::string_view wanted) { return one.first < wanted; });
  return at != words.end() && at->first == stem ? &at->second : nullptr;
}

Relevance::Relevance(const std::vector<Term>& terms, std::int64_t pages, double min_share,
                     std::string_view today, bool asks_of_talk)
    : terms_(terms), min_share_(min_share), today_(today), asks_of_talk_(asks_of_talk) {
  for (const Term& term : terms_) {
    const double mass = idf_of(pages + kSteadyPages, std::max<std::int64_t>(term.df, 1));
    mass_.push_back(!is_asked(term)                        ? 0.0
                    : term.word_class == WordClass::strong ? mass
                                                           : mass * kWeakMass);
  }
}

// keel's own record of a day quotes questions and answers. An answer that leaned on those would be
// evidence for the next one; so they come by themselves only to a question about that day or about
// what was said.
bool Relevance::wants_journal(const WordCounts& segment) const {
  if (asks_of_talk_) return true;
  return std::any_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const Counts* tf = counts_of(segment, term.stem);
    return term.source == Term::Source::date && tf != nullptr && (*tf)[kDay] > 0;
  });
}

// Whether the weak words found are what the page is about: at least half of its title, all of it
// with clock words.
bool Relevance::about(const std::vector<bool>& found, const std::string& title) const {
  std::unordered_set<std::string> stems;
  for (const Word& word : words_of(title, Use::query)) {
    if (class_of(word) != WordClass::stop) stems.insert(word.stem);
  }
  std::size_t weak = 0, clock = 0;
  std::unordered_set<std::string_view> counted;
  for (const Term& term : terms_) {
    if (!found[term.parent] || !stems.contains(term.stem) || !counted.insert(term.stem).second)
      continue;
    if (term.word_class == WordClass::clock)
      ++clock;
    else
      ++weak;
  }
  return weak + clock > 0 && (2 * weak >= stems.size() || weak + clock == stems.size());
}

std::string Relevance::why_not(const PageRow& page, const WordCounts& segment) const {
  if (page.state == "superseded") return "a newer page has another value";
  if (is_over(page.valid_to, today_)) return fmt::format("it was valid until {}", page.valid_to);
  const bool own_journal = page.kind == "journal" && page.origin == "agent";
  if (own_journal && !wants_journal(segment))
    return "a record of what was said that day; the question names no day and no conversation";
  if (page.question && !own_journal) return "it is a question, not evidence";
  if (page.kind == "persona" || (page.kind == "preference" && page.pinned))
    return "it is part of the identity already";
  // Which words of the question it holds itself, as they are or in another form.
  std::vector<bool> found(terms_.size(), false);
  for (const Term& term : terms_) {
    const Counts* tf = counts_of(segment, term.stem);
    if (tf == nullptr || term.source == Term::Source::when) continue;
    if (holds_itself(*tf) || (term.source == Term::Source::date && (*tf)[kDay] > 0))
      found[term.parent] = true;
  }
  double all = 0.0, covered = 0.0;
  std::size_t strong_asked = 0, strong_found = 0;
  for (std::size_t i = 0; i < terms_.size(); ++i) {
    if (!is_asked(terms_[i])) continue;
    const bool strong = terms_[i].word_class == WordClass::strong;
    all += mass_[i];
    strong_asked += strong ? 1 : 0;
    if (!found[i]) continue;
    covered += mass_[i];
    strong_found += strong ? 1 : 0;
  }
  const double share = all > 0.0 ? covered / all : 0.0;
  if (strong_found >= 1 && share >= min_share_) return {};
  if (strong_found >= 2 && share >= min_share_ / 2) return {};
  if (strong_asked == 0 && share >= min_share_ && about(found, page.title)) return {};
  if (strong_found == 0) return "no telling word of the question is in it";
  return fmt::format("it covers {:.0f}% of the question's weight", share * 100.0);
}

}  // namespace keel::memory
