// The repository of pages: the tables of docs/formats/memory.md and the statements on page,
// revision, tag, segment and the index. Every function works inside the caller's transaction and
// leaves the index in step with the page.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "memory/draft.h"
#include "memory/memory.h"
#include "store/statement.h"

namespace keel::memory {

struct Stored {
  std::int64_t number = 0;
  Page page;
};

Result<Stored> find_page(store::Connection& connection, std::string_view id_or_prefix);
Result<Stored> read_page(store::Connection& connection, std::int64_t number);
// When a page of exactly this id was forgotten; nothing if it was not.
Result<std::optional<WallMs>> forgotten_ms(store::Connection& connection, std::string_view page_id);
Result<std::vector<Page>> list_pages(store::Connection& connection, std::string_view kind,
                                     int limit);

// The caller gives `to_index` to index_pages() afterwards: once for many pages. Fails before
// anything was written where the page itself is what is wrong.
Result<Added> insert_page(store::Connection& connection, const Draft& draft, WallMs now,
                          std::vector<std::int64_t>& to_index);
// With its chain of revisions as it was elsewhere.
Result<Page> restore_page(store::Connection& connection, const History& history,
                          std::vector<std::int64_t>& to_index);
// Writes `changed` (all of it) as the next revision. Times that are 0: created_ms stays, updated_ms
// is now.
Result<Page> revise_page(store::Connection& connection, std::int64_t number, const Draft& changed,
                         std::string_view by, std::string_view reason, WallMs now);
struct Forgotten {
  Page page;
  std::int64_t revisions = 0;
  std::int64_t segments = 0;
  std::int64_t audit_rows = 0;
  std::string revived;  // id of the page that is live again
  std::string quoted;   // id of the page of a day that quotes the same turn
};
Result<Forgotten> forget_page(store::Connection& connection, std::string_view id_or_prefix,
                              WallMs now);

}  // namespace keel::memory
