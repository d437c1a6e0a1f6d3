// Money before it is spent: what a call may cost is reserved in one transaction against the budgets
// of the owner's day and of the turn, and settled with what it did cost. Answers side by side
// cannot overspend together, and a restart forgets nothing.
//
// Threads: any. Each call but left() waits for its commit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"

namespace keel::account {

struct BudgetLimits {
  std::optional<double> per_day;  // US dollars; nothing: no bound
  std::optional<double> per_turn;
  bool any() const { return per_day || per_turn; }
};

class Budget {
 public:
  Budget(store::Database& database, const Clock& clock, BudgetLimits limits)
      : database_(database), clock_(clock), limits_(limits) {}

  const BudgetLimits& limits() const { return limits_; }

  // What is left of each budget; below 0 where more was spent than was reserved. `turn` may be
  // empty.
  Result<BudgetLimits> left(const std::string& turn);
  // The reservation's id. Code::unavailable, with the figures, if `usd` is more than is left.
  Result<std::int64_t> reserve(const std::string& turn, const std::string& model, double usd);
  Status settle(std::int64_t reservation, double cost_usd);
  // What it did cost nobody knows: as much as was reserved.
  Status assume(std::int64_t reservation);

 private:
  Result<BudgetLimits> left_in(store::Connection& connection, const std::string& turn) const;

  store::Database& database_;
  const Clock& clock_;
  const BudgetLimits limits_;
};

// What was spent or is reserved on a day, in USD.
Result<double> spent_on(store::Connection& connection, const std::string& day);

// "$0.0312": as many digits as say something.
std::string usd_text(double usd);

}  // namespace keel::account
