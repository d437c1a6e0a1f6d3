// What a folder and the memory agreed on last: a row for each file, and the conflicts that its
// owner has not looked at. docs/formats/memory-folder.md, "Sync". Functions on a connection work
// inside the caller's transaction.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "memory/markdown/tree.h"
#include "memory/merge/merge.h"
#include "store/database.h"

namespace keel::memory {

// To be given to Database::open, after those of memory.
std::vector<store::Migration> folder_migrations();

struct SyncRow {
  std::string path;
  std::string page_id;   // empty: the file has no page; `note` says why
  std::int64_t rev = 0;  // of the page, which the file says
  std::string hash;      // of the file's bytes
  FileStamp stamp;       // with which they were read; bytes < 0: to be read again
  std::string note;
};
using SyncRows = std::map<std::string, SyncRow>;

Result<SyncRows> read_rows(store::Connection& connection, std::string_view root);
Status put_row(store::Connection& connection, std::string_view root, const SyncRow& row);
Status drop_row(store::Connection& connection, std::string_view root, std::string_view path);

struct ConflictRecord {
  std::int64_t number = 0;
  std::string page_id, path;
  WallMs at_ms = 0;
  Conflict texts;  // ours: the folder's, which stands
};
// The same conflict is recorded once.
Status put_conflict(store::Connection& connection, const ConflictRecord& conflict);
// Those that are not settled, oldest first.
Result<std::vector<ConflictRecord>> open_conflicts(store::Connection& connection);
// 0 for all of them; how many there were.
Result<std::int64_t> settle_conflicts(store::Connection& connection, std::int64_t number);

// Every page's newest revision.
Result<std::map<std::string, std::int64_t>> page_revisions(store::Connection& connection);

}  // namespace keel::memory
