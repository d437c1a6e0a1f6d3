// The first half of a search: every term's list is read, each segment gets the sum of its terms,
// and each page its best segment. docs/formats/memory.md, "Ranker", points 2 to 4. Reads only; one
// call works on one state of the database.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "memory/rank/index.h"
#include "memory/rank/postings.h"
#include "memory/rank/query.h"
#include "store/statement.h"

namespace keel::memory {

// By Field.
inline constexpr std::array<double, kFields> kFieldWeights = {4.0, 1.0, 0.5, 5.0,
                                                              2.0, 3.0, 3.0, 1.0};
double weighted_tf(const Counts& tf);

// What a term gives a segment: weight * idf * w * (k1 + 1) / (w + k1 * (1 - b + b * tokens /
// average)).
class Saturation {
 public:
  explicit Saturation(const Corpus& corpus);
  double value(double weighted, std::int64_t tokens) const;

 private:
  double length(std::int64_t tokens) const;
  double average_;
  std::array<double, 512> lengths_;  // of so many tokens, worked out once
};

struct Found {
  std::int64_t segment = 0;  // the page's best
  double own = 0.0;          // the sum of its terms
  bool distrusted = false;
  bool speaker = false;  // a word of the question is its speaker's name
  bool tag = false;      // a word of the question is one of its tags'
};

struct Scan {
  std::vector<Found> pages;  // best first, at most limits::memory_candidates
  std::vector<Found>
      refused;  // those of the best that are not trusted, where only trusted are asked
  std::int64_t candidates = 0;  // segments with at least one term
};
// Bytes of a list, from which on it pays to look whether all of it is needed.
inline constexpr std::size_t kLongList = 64u << 10;
// Fills df and idf of the terms and takes out forms that are in no page. `long_list` is for tests:
// what is found does not depend on it.
Result<Scan> scan(store::Connection& connection, std::vector<Term>& terms, const Corpus& corpus,
                  bool trusted_only, std::size_t long_list = kLongList);

}  // namespace keel::memory
