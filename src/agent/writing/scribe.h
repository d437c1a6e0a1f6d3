// Writes down what is worth keeping of turns that have ended, when nobody waits for it: an entry on
// the page of the day once a conversation has been quiet for a while (one revision for all that was
// said until then, so that mirrors send a page once), and what a model finds in the owner's words
// beyond what the rules saw (extractor.h), with less priority than anything else. What waits is in
// the database (memory/writing/ledger.h): a kill loses nothing, and nothing is written twice.
//
// Threads: any; one thread of its own does the work and ends with the object.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>

#include "agent/writing/extractor.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "memory/writing/ledger.h"
#include "rt/thread.h"

namespace keel::store {
class Database;
class Journal;
struct TurnRow;
}  // namespace keel::store

namespace keel::agent {

struct ScribeParts {
  const Clock& clock;
  store::Database& database;
  store::Journal& journal;
  model::Router& router;
  std::string agent_name;
  std::chrono::milliseconds quiet = limits::writing_quiet;          // of a conversation
  std::chrono::milliseconds extract_quiet = limits::extract_quiet;  // of all of them
};

class Scribe {
 public:
  explicit Scribe(ScribeParts parts);
  // What waits for the pages of days is written first; no model is asked.
  ~Scribe();
  Scribe(const Scribe&) = delete;
  Scribe& operator=(const Scribe&) = delete;

  // A turn of the conversation runs from begin() to end().
  void begin();
  void end(const std::string& conversation);

  // Everything that waits for the page of its day, now. Returns the number of entries.
  Result<int> write_days();

 private:
  using Steady = std::chrono::steady_clock::time_point;
  void run(std::stop_token stop);
  bool is_idle_for(std::chrono::milliseconds time) const;  // with mutex_ held
  Status write_quiet_days();
  // False if none waits, or it cannot be looked at now.
  Result<bool> extract_next(std::stop_token stop);
  Status record(const store::TurnRow& row, const Extraction& found);
  Result<memory::Ledger::Entry> entry_for(const memory::Exchange& exchange);

  const ScribeParts parts_;
  memory::Ledger ledger_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  int running_ = 0;
  Steady last_;                          // a turn began or ended
  std::map<std::string, Steady> ended_;  // by conversation, in this process
  bool waits_ = true;                    // there may be something to do
  rt::Thread worker_;                    // last: it uses the others
};

}  // namespace keel::agent
