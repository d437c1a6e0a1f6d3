// The record of retrievals: what was asked, which terms were looked up, and every addend of every
// hit. Written in one transaction of the caller's after the search, read back by `why`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "memory/rank/ranker.h"
#include "memory/rank/retrieval.h"
#include "store/statement.h"

namespace keel::memory {

Status write_retrieval(store::Connection& connection, const Ranked& ranked,
                       std::string_view session, std::int64_t took_us);
// Those of a turn, or the one with this id; oldest first.
Result<std::vector<Retrieval>> read_retrievals(store::Connection& connection,
                                               std::string_view turn_or_retrieval);
Status write_injected(store::Connection& connection, std::string_view retrieval,
                      const std::vector<std::string>& page_ids);
// Of the injected pages, those of which the answer holds a telling word that the question did not.
// None for a retrieval that is not there. Reads every such page: not for the writer's thread.
struct Cited {
  std::int64_t retrieval = 0;      // its number
  std::vector<std::int64_t> hits;  // their places in it
};
Result<Cited> find_cited(store::Connection& connection, std::string_view retrieval,
                         std::string_view answer);
Status write_cited(store::Connection& connection, const Cited& cited);

}  // namespace keel::memory
