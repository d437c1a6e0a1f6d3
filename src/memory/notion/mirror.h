// The mirror of memory in Notion: one row of one data source for each page, both ways. The database
// is what counts; Notion is the owner's copy to read and to write in. docs/formats/notion.md says
// what is sent, what is taken over and what happens when both sides changed.
//
// Threads: one sync() at a time, also across processes (app/ holds a lock); status() any time.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "memory/memory.h"
#include "memory/notion/client.h"
#include "memory/notion/ledger.h"
#include "store/database.h"

namespace keel::memory::notion {

struct MirrorOptions {
  std::string data_source;  // an id or an address, of the data source or of its database
  std::string owner;        // the id of the owner's user; empty: whoever may edit is the owner
};

struct Report {
  std::int64_t created = 0, updated = 0, trashed = 0;            // there
  std::int64_t taken = 0, adopted = 0, merged = 0, deleted = 0;  // here
  std::int64_t conflicts = 0, refused = 0, held = 0;
  std::int64_t requests = 0;
  std::vector<std::string> notices;  // for the owner, at most limits::notion_shown
  bool full = false;                 // Notion takes no new pages

  std::int64_t changes() const { return created + updated + trashed + taken + adopted + deleted; }
  Json json() const;
};

struct SyncOptions {
  bool send_only = false;         // do not look for changes in Notion
  bool compare_all = false;       // compare the text of every row
  bool accept_deletions = false;  // also when many rows are gone at once
};

class Mirror {
 public:
  Mirror(Memory& memory, store::Database& database, Client& client, const Clock& clock,
         MirrorOptions options);
  ~Mirror();

  // One pass: settles what is uncertain, takes over what changed in Notion, sends what changed
  // here. The report says what was done until then where it fails. An error is also kept for
  // status(); nothing is lost by it.
  Status sync(const SyncOptions& options, Report& report, std::stop_token stop);
  // Whether there is something to send.
  Result<bool> waiting();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What the ledger says, without a request.
struct MirrorStatus {
  Counts counts;
  std::string problem;  // why the last pass ended early; empty if it did not
  std::string problem_hint;
  WallMs problem_ms = 0;
  WallMs synced_ms = 0;  // the last pass that went to its end
  bool full = false;
  std::vector<Entry> troubled;  // refused and held, at most limits::notion_shown
  std::vector<ConflictRecord> conflicts;
  Json json() const;
};
Result<MirrorStatus> mirror_status(store::Database& database, const Clock& clock);

}  // namespace keel::memory::notion
