// A retrieval asked again: the corpus as it was then, built from the revisions in this process's
// memory, and the same question to it. docs/formats/memory.md, "Audit".
#pragma once

#include <string_view>
#include <vector>

#include "memory/memory.h"
#include "store/statement.h"

namespace keel::memory {

// Reads `connection` only. Code::not_found for an unknown retrieval, Code::limit for a corpus of
// more than limits::memory_replay_pages.
Result<Replay> replay_retrieval(store::Connection& connection,
                                const std::vector<store::Migration>& tables,
                                std::string_view retrieval);

}  // namespace keel::memory
