// What is likely enough to help to be put before a model by itself. docs/formats/memory.md,
// "Relevant enough". Pure, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "memory/rank/index.h"
#include "memory/rank/query.h"

namespace keel::memory {

// What a page's own fields say of a word: all but those lent by neighbours.
bool holds_itself(const Counts& tf);
// The word's counts in a segment; nullptr if it is not there.
const Counts* counts_of(const WordCounts& words, std::string_view stem);

struct PageRow {
  std::string id, title, origin, kind, state, session, valid_to;
  bool pinned = false;
  bool question = false;
  WallMs updated_ms = 0;
  std::int64_t rev = 0;
};

class Relevance {
 public:
  // `pages` is how many there are; `today` an ISO day, or empty; `asks_of_talk` whether the
  // question is about what was said (asks_what_was_said()).
  Relevance(const std::vector<Term>& terms, std::int64_t pages, double min_share,
            std::string_view today, bool asks_of_talk);
  // Why the page is held back; empty if it is not.
  std::string why_not(const PageRow& page, const WordCounts& segment) const;

 private:
  bool wants_journal(const WordCounts& segment) const;
  bool about(const std::vector<bool>& found, const std::string& title) const;

  const std::vector<Term>& terms_;
  std::vector<double> mass_;  // of each term; 0 for those that are no measure
  double min_share_;
  std::string today_;
  bool asks_of_talk_;
};

}  // namespace keel::memory
