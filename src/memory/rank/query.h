// A question as terms: which words of it are looked up, which forms they may take, and which were
// left out. docs/formats/memory.md, "Ranker", points 1 and 2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "memory/rank/index.h"
#include "memory/text/words.h"
#include "store/statement.h"

namespace keel::memory {

inline constexpr double kFormWeight = 0.3;
inline constexpr std::size_t kFields = 4;
inline constexpr std::string_view kFieldNames[kFields] = {"title", "body", "tags", "near"};

// How often a term is in each field of a segment.
struct Posting {
  std::int64_t segment = 0;
  std::uint32_t tf[kFields] = {};
};

struct Term {
  std::string stem;
  std::string surface;
  bool literal = true;
  std::size_t parent = 0;  // the literal it is a form of; itself for a literal
  double weight = 1.0;
  WordClass word_class = WordClass::strong;
  std::int64_t df = 0;  // pages
  double idf = 0.0;
  std::vector<Posting> postings;  // by segment
};

struct Terms {
  std::vector<Term> terms;
  std::vector<std::string> left_out;
  std::int64_t left_out_count = 0;
};

// With `only_relevant` a query of nothing but stop words has no terms. Reads the postings too.
Result<Terms> terms_of(store::Connection& connection, std::string_view query, bool only_relevant,
                       const Corpus& corpus);

// ln(1 + (pages - df + .5) / (df + .5)): above 0 for every df up to pages.
double idf_of(std::int64_t pages, std::int64_t df);

}  // namespace keel::memory
