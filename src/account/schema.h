// The tables of this room (docs/formats/account.md), and what is done with them at a start.
#pragma once

#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"

namespace keel::account {

// To be given to Database::open.
std::vector<store::Migration> migrations();

// Once, by the process that holds the right to run turns: what a crash left open is closed, as
// spent and as lost, and rows older than limits::account_days go.
Status recover(store::Database& database, const Clock& clock);

}  // namespace keel::account
