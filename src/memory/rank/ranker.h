// keel-lex 1: the sum that decides which pages answer a question, and the rule for what is relevant
// enough to be put before the model by itself. docs/formats/memory.md, "Ranker", is the
// specification.
//
// Reads only; one call works on one state of the database.
#pragma once

#include <cstdint>
#include <string_view>

#include "memory/rank/index.h"
#include "memory/rank/retrieval.h"
#include "store/statement.h"

namespace keel::memory {

inline constexpr std::string_view kRanker = "keel-lex 1";
// The ranker's parameters as text; its hash is stored with every retrieval.
std::string_view ranker_parameters();

struct Ranked {
  Retrieval retrieval;          // without id and time
  std::int64_t candidates = 0;  // segments with at least one term
  Query query;                  // as it was asked, with what its defaults came to
};
Result<Ranked> rank(store::Connection& connection, const Query& query);

}  // namespace keel::memory
