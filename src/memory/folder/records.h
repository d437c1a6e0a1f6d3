// What an export keeps beside the pages, as lines of JSON, read from and put into the tables of
// docs/formats/memory.md: tombstones, the owner's word list, the record of retrievals. Functions
// work inside the caller's transaction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/statement.h"

namespace keel::memory {

enum class Records { tombstones, aliases, retrievals };

// In order of their making, the next `limit` after `after`, which moves on.
Result<std::vector<std::string>> read_records(store::Connection& connection, Records what,
                                              std::int64_t& after, int limit);
// True if it was not there yet. Code::corrupt for a line that is no such record.
Result<bool> write_record(store::Connection& connection, Records what, std::string_view line);

// The ids of all pages, in the order in which they were made.
Result<std::vector<std::string>> all_page_ids(store::Connection& connection);
// Takes tombstones away, so that these pages can come back.
Status unbury(store::Connection& connection, const std::vector<std::string>& page_ids);

}  // namespace keel::memory
