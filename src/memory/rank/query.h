// A question as terms: which words of it are looked up, which forms they may take, and which were
// left out. docs/formats/memory.md, "Ranker", points 1 and 2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "memory/text/words.h"
#include "store/statement.h"

namespace keel::memory {

inline constexpr double kFormWeight = 0.3;
inline constexpr double kWhenWeight = 0.3;

struct Term {
  enum class Source {
    literal,  // a word of the question
    form,     // irregular form or alias of one
    date,     // a day that the question names, as the index writes it
    when,     // words of time, for a question that asks when; they find no page by themselves
  };
  std::string stem;
  std::string surface;
  Source source = Source::literal;
  std::size_t parent = 0;  // the literal it is a form of; itself for all others
  double weight = 1.0;
  WordClass word_class = WordClass::strong;
  std::int64_t df = 0;  // pages that hold it; scan() tells
  double idf = 0.0;
};
std::string_view source_name(Term::Source source);

struct Terms {
  std::vector<Term> terms;
  std::vector<std::string> left_out;
  std::int64_t left_out_count = 0;
};

// With `only_relevant` a query of nothing but stop words has no terms. `now` is what "yesterday" is
// taken from; 0 takes it from nothing.
Result<Terms> terms_of(store::Connection& connection, std::string_view query, bool only_relevant,
                       WallMs now);

// ln(1 + (pages - df + .5) / (df + .5)): above 0 for every df up to pages.
double idf_of(std::int64_t pages, std::int64_t df);

}  // namespace keel::memory
