// What keel knows of its pages in Notion: which row holds a page, which revision it holds, what is
// on its way. There is no queue: what is to be sent is what differs, found by a join, so that
// nothing can be lost or stay behind when keel is killed. docs/formats/notion.md has the tables.
//
// Threads: any; each call is a transaction of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "memory/memory.h"
#include "memory/notion/rows.h"
#include "store/database.h"

namespace keel::memory::notion {

// To be given to Database::open behind memory::migrations().
std::vector<store::Migration> migrations();

struct Entry {
  std::string page_id;
  std::string remote_id;  // empty: not known to be there
  // synced; sending (a request is under way, or what became of it is not known); refused (Notion
  // does not take it; tried again when it changes); held (waits for the owner); trashed
  std::string state = "synced";
  std::int64_t base_rev = 0;     // the revision that Notion has
  std::string base_state;        // live or superseded, as Notion shows it
  std::string marks;             // flavor.h
  bool verified = false;         // Notion's form of the text has been read
  WallMs edited_ms = 0;          // of our own last write, by Notion's clock
  WallMs checked_ms = 0;         // when the text was last compared
  std::int64_t sending_rev = 0;  // what a request under way carries
  bool sending_body = false;     // it changes the text
  WallMs retry_ms = 0;           // of refused
  std::string note;              // why, for the owner
};

// A page's text at one revision.
struct Version {
  Face face;
  std::string body;
};

struct ConflictRecord {
  std::string page_id, title, kind;
  std::int64_t kept_rev = 0, lost_rev = 0;
  WallMs at_ms = 0;
};

struct Counts {
  std::int64_t pages = 0, synced = 0, waiting = 0, sending = 0, refused = 0, held = 0;
  std::int64_t conflicts = 0;
};

class Ledger {
 public:
  explicit Ledger(store::Database& database) : database_(database) {}

  Result<std::optional<Entry>> by_page(std::string_view page_id);
  Result<std::optional<Entry>> by_remote(std::string_view remote_id);
  Status put(const Entry& entry);
  Status erase(std::string_view page_id);

  // Pages that Notion does not have in their newest form, oldest first, after `after` (a page's
  // number, moved on). `fresh`: also those that it does not have at all.
  Result<std::vector<std::string>> outdated(WallMs now, bool fresh, int limit, std::int64_t& after);
  // Rows of pages that are forgotten here.
  Result<std::vector<Entry>> orphans(int limit);
  Result<std::vector<Entry>> in_state(std::string_view state, int limit);
  // Settled rows whose text was not compared since, the longest first.
  Result<std::vector<Entry>> unchecked(WallMs since, int limit);
  Result<std::vector<Entry>> settled();

  Result<std::optional<Version>> version(std::string_view page_id, std::int64_t revision);
  Result<bool> is_forgotten(std::string_view page_id);

  // Forgets all rows: another data source is used from now on.
  Status reset();

  Result<std::string> setting(std::string_view name);
  Result<WallMs> setting_ms(std::string_view name);  // 0 where it was never set
  Status set(std::string_view name, std::string_view value);

  Status add_conflict(const ConflictRecord& record);
  Result<std::vector<ConflictRecord>> conflicts(int limit);
  // The owner has seen them all; how many there were.
  Result<std::int64_t> clear_conflicts();
  Result<Counts> counts(WallMs now);

 private:
  Result<std::vector<Entry>> select(std::string_view where, std::string_view text, WallMs number,
                                    int limit);
  store::Database& database_;
};

}  // namespace keel::memory::notion
