// The chain of revisions: every form a page had, each hashed with the one before. Functions on a
// connection work inside the caller's transaction.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "memory/memory.h"
#include "store/statement.h"

namespace keel::memory {

// Appends the page's newest form to its chain; page.hash becomes the new head.
Status write_revision(store::Connection& connection, std::int64_t number, Page& page,
                      std::string_view by, std::string_view reason, WallMs now);
// A form of another machine or an export, as it is; only its seq is this corpus's.
Status write_revision_as_is(store::Connection& connection, std::int64_t number,
                            const Revision& revision);
// The newest first.
Result<std::vector<Revision>> read_revisions(store::Connection& connection, std::int64_t number);
Result<Revision> read_revision(store::Connection& connection, std::int64_t number,
                               std::int64_t rev);
// Code::corrupt if one does not follow from the one before. Oldest first, of one page.
Status check_chain(const std::vector<Revision>& revisions);
// The content a revision holds, its id and times too (created_ms 0 where it is not told).
Result<NewPage> content_of(const Revision& revision);

// Records that a page's state or date is another one now.
Status write_event(store::Connection& connection, std::int64_t number);
Result<std::vector<Change>> read_changes(store::Connection& connection, std::int64_t after_seq,
                                         std::size_t limit);
// Checks every page's chain against its page.
Status verify_revisions(store::Connection& connection);

}  // namespace keel::memory
