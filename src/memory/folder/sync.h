// A folder of Markdown files and the memory as two copies of the same pages: what the owner changes
// in a file becomes a revision, what keel changes is written into the file, and where both changed
// the same page, both are merged (docs/formats/memory-folder.md, "Sync"). Nothing is lost by a kill
// at any point: the next pass goes on.
//
// One pass at a time over all processes: a lock file sees to that.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "memory/folder/sync_rows.h"
#include "memory/markdown/front_matter.h"
#include "memory/memory.h"
#include "store/database.h"

namespace keel::memory {

struct SyncOptions {
  std::string root;       // absolute
  std::string lock_path;  // empty: no lock
  // Many files at once went away: their pages are forgotten only with this.
  bool deletions = false;
  bool rewrite = false;  // deleted files are written again, and no page is forgotten
};

struct SyncReport {
  std::int64_t files = 0;
  std::int64_t pages_added = 0;      // from files
  std::int64_t pages_changed = 0;    // by edits of files
  std::int64_t pages_forgotten = 0;  // whose files were deleted
  std::int64_t files_written = 0;    // new pages and changes of keel's
  std::int64_t files_removed = 0;    // of pages that keel forgot
  std::int64_t conflicts = 0;        // new ones
  std::int64_t held_back = 0;        // deletions that the owner has to confirm
  std::vector<Problem> problems;     // at most limits::folder_problems

  bool quiet() const {
    return pages_added + pages_changed + pages_forgotten + files_written + files_removed +
               conflicts ==
           0;
  }
};
Json sync_json(const SyncReport& report);

// One pass. Code::busy if another process is at it; Code::not_found if the folder is gone, in which
// nothing is taken for deleted.
Result<SyncReport> sync_folder(Memory& memory, store::Database& database, const Clock& clock,
                               const SyncOptions& options);

// Many files at once are not taken for deleted by the owner without being asked.
inline constexpr std::int64_t kDeletionsAtOnce = 10;

}  // namespace keel::memory
