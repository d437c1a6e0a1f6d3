#include "account/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace keel::account {
namespace {

// Sums of many small amounts are off by less.
constexpr double rounding_usd = 1e-9;

Result<double> sum(store::Connection& connection, std::string_view sql, const std::string& key) {
  store::Statement select = TRY(connection.prepare(sql));
  select.bind(1, key);
  return TRY(select.step()) ? select.real(0) : 0.0;
}

tl::unexpected<Error> used_up(std::string_view which, double budget, double left, double usd,
                              const std::string& model, std::string_view key) {
  return fail(
      Code::unavailable,
      fmt::format("the budget of the {} ({}) has {} left, and a call of {} may cost {}", which,
                  usd_text(budget), usd_text(std::max(left, 0.0)), model, usd_text(usd)),
      fmt::format("Raise {} under [route], or use a model of this machine.", key));
}

}  // namespace

std::string usd_text(double usd) {
  if (usd == 0) return "$0";
  const double size = std::abs(usd);
  return size >= 0.995   ? fmt::format("${:.2f}", usd)
         : size >= 0.001 ? fmt::format("${:.4f}", usd)
                         : fmt::format("${:.6f}", usd);
}

Result<double> spent_on(store::Connection& connection, const std::string& day) {
  return sum(connection, "SELECT total(coalesce(cost_usd, reserved_usd)) FROM spend WHERE day = ?1",
             day);
}

Result<BudgetLimits> Budget::left_in(store::Connection& connection, const std::string& turn) const {
  BudgetLimits left;
  if (limits_.per_day) {
    left.per_day = *limits_.per_day - TRY(spent_on(connection, local_day(clock_.wall_ms())));
  }
  if (limits_.per_turn) {
    const double spent = turn.empty() ? 0.0
                                      : TRY(sum(connection,
                                                "SELECT total(coalesce(cost_usd, reserved_usd)) "
                                                "FROM spend WHERE turn = ?1 AND turn <> ''",
                                                turn));
    left.per_turn = *limits_.per_turn - spent;
  }
  return left;
}

Result<BudgetLimits> Budget::left(const std::string& turn) {
  if (!limits_.any()) return BudgetLimits{};
  return database_.read([&](store::Connection& connection) { return left_in(connection, turn); });
}

Result<std::int64_t> Budget::reserve(const std::string& turn, const std::string& model,
                                     double usd) {
  return database_.write([&](store::Connection& connection) -> Result<std::int64_t> {
    const BudgetLimits left = TRY(left_in(connection, turn));
    if (left.per_day && usd > *left.per_day + rounding_usd) {
      return used_up("day", *limits_.per_day, *left.per_day, usd, model, "budget_usd_per_day");
    }
    if (left.per_turn && usd > *left.per_turn + rounding_usd) {
      return used_up("turn", *limits_.per_turn, *left.per_turn, usd, model, "budget_usd_per_turn");
    }
    const WallMs now = clock_.wall_ms();
    store::Statement insert =
        TRY(connection.prepare("INSERT INTO spend(day, turn, model, reserved_usd, state, at_ms) "
                               "VALUES(?1, ?2, ?3, ?4, 'open', ?5)"));
    TRY(insert.bind(1, local_day(now))
            .bind(2, turn)
            .bind(3, model)
            .bind(4, usd)
            .bind(5, now)
            .run());
    return connection.last_row_id();
  });
}

Status Budget::settle(std::int64_t reservation, double cost_usd) {
  return database_.write([&](store::Connection& connection) -> Status {
    store::Statement update = TRY(connection.prepare(
        "UPDATE spend SET state = 'settled', cost_usd = ?2, ended_ms = ?3 WHERE id = ?1"));
    return update.bind(1, reservation)
        .bind(2, std::max(cost_usd, 0.0))
        .bind(3, clock_.wall_ms())
        .run();
  });
}

Status Budget::assume(std::int64_t reservation) {
  return database_.write([&](store::Connection& connection) -> Status {
    store::Statement update =
        TRY(connection.prepare("UPDATE spend SET state = 'assumed', cost_usd = reserved_usd, "
                               "ended_ms = ?2 WHERE id = ?1"));
    return update.bind(1, reservation).bind(2, clock_.wall_ms()).run();
  });
}

}  // namespace keel::account
