// What of ended turns is still to be written down: the table `exchange` (docs/formats/memory.md,
// "Exchanges"). A page and the row that says it was made are one transaction, so that a turn is
// written down once, whatever is killed when.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "memory/memory.h"
#include "store/database.h"

namespace keel::memory {

struct Exchange {
  std::string turn;
  std::string session;  // the conversation
  WallMs at_ms = 0;     // of the message
  // Text of others was in what the model was shown.
  bool tainted = false;
  std::vector<std::string> tags;  // of every page made of it: what makes it private
  bool journal = true;            // an entry on the page of its day, if it is worth one
  bool extract = true;            // a model may look for what the rules did not see
  std::string day;                // read only: the owner's local day at `at_ms`
  int attempts = 0;               // read only: at extracting
};

class Ledger {
 public:
  Ledger(store::Database& database, const Clock& clock) : database_(database), clock_(clock) {}

  // A turn that is known already stays as it is.
  Status note(const Exchange& exchange);

  // Those that wait, the oldest first.
  Result<std::vector<Exchange>> for_journal(std::size_t limit);
  Result<std::vector<Exchange>> for_extraction(std::size_t limit);

  struct Entry {
    Exchange exchange;
    std::string text;  // empty: it is worth none
  };
  // Appends the entries to the pages of their days, one revision a page; those that were written
  // before are left out. In any order; returns how many went onto a page.
  Result<int> write_entries(std::vector<Entry> entries);

  // Adds what a model found in the exchange, but for what a page of this turn quotes already; each
  // page gets its session, tags, turn and author. Once: later calls add nothing. Returns how many.
  Result<int> write_found(const Exchange& exchange, std::span<const NewPage> pages,
                          std::string_view model);
  // It is not to be looked at again; `why` is for people.
  Status pass_over(std::string_view turn, std::string_view why);
  // The model could not be asked; after limits::extract_attempts it is passed over.
  Status failed(const Exchange& exchange, std::string_view why);

 private:
  Result<std::vector<Exchange>> waiting(std::string_view column, std::size_t limit);

  store::Database& database_;
  const Clock& clock_;
};

}  // namespace keel::memory
