// What happened to memory, the newest first: every revision with who wrote it and what it changed,
// and every page that was forgotten.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "memory/memory.h"
#include "store/database.h"

namespace keel::memory {

struct Entry {
  std::string page_id;
  std::int64_t rev = 0;
  std::string hash;   // of the revision; of the last one for a page that was forgotten
  std::string by;     // owner, agent, sync, import
  std::string what;   // "added", "edited: text, tags", "forgotten"
  std::string title;  // empty for a page that was forgotten
  WallMs at_ms = 0;
};

// Of one page, or of all of memory where `page` is empty. `page` as Memory::get() takes it; one
// that was forgotten gives what is left of it.
Result<std::vector<Entry>> chronicle(Memory& memory, store::Database& database,
                                     std::string_view page, int limit);
Json entry_json(const Entry& entry);

}  // namespace keel::memory
