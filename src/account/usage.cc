#include "account/usage.h"

#include <algorithm>

#include "account/budget.h"
#include "base/limits.h"
#include "base/text.h"
#include "store/journal.h"

namespace keel::account {
namespace {

// Both kinds of answer, by day and model.
Result<std::vector<ModelSum>> models_since(store::Connection& connection, WallMs since) {
  store::Statement select = TRY(connection.prepare(
      "SELECT day, model, count(*), sum(prompt), sum(cached), sum(completion), sum(cost), sum(ms) "
      "FROM (SELECT date(at_ms / 1000, 'unixepoch', 'localtime') AS day, model, "
      "prompt_tokens AS prompt, cached_tokens AS cached, completion_tokens AS completion, "
      "cost_usd AS cost, total_ms AS ms FROM usage WHERE at_ms >= ?1 UNION ALL "
      "SELECT day, model, prompt_tokens, cached_tokens, completion_tokens, cost_usd, total_ms "
      "FROM model_call WHERE at_ms >= ?1) GROUP BY day, model ORDER BY day DESC, model"));
  select.bind(1, since);
  std::vector<ModelSum> sums;
  while (TRY(select.step())) {
    sums.push_back({select.text(0), select.text(1), select.integer(2), select.integer(3),
                    select.integer(4), select.integer(5), select.real(6), select.real(7)});
  }
  return sums;
}

Result<std::vector<HostSum>> hosts_since(store::Connection& connection, WallMs since) {
  store::Statement select = TRY(connection.prepare(
      "SELECT host, purpose, count(*), sum(state <> 'done'), sum(bytes_out), sum(bytes_in) "
      "FROM egress WHERE at_ms >= ?1 GROUP BY host, purpose ORDER BY count(*) DESC, host"));
  select.bind(1, since);
  std::vector<HostSum> sums;
  while (TRY(select.step())) {
    sums.push_back({select.text(0), select.text(1), select.integer(2), select.integer(3),
                    select.integer(4), select.integer(5)});
  }
  return sums;
}

Result<std::vector<KeySum>> keys_since(store::Connection& connection, WallMs since) {
  store::Statement select = TRY(connection.prepare(
      "SELECT key, count(*), sum(prompt_tokens - cached_tokens), sum(completion_tokens), "
      "sum(cost_usd) FROM model_call WHERE at_ms >= ?1 GROUP BY key ORDER BY key"));
  select.bind(1, since);
  std::vector<KeySum> sums;
  while (TRY(select.step())) {
    sums.push_back(
        {select.text(0), select.integer(1), select.integer(2), select.integer(3), select.real(4)});
  }
  return sums;
}

// The last of each kind says why in its own words.
Result<std::vector<RouteSum>> routes_since(store::Connection& connection, WallMs since) {
  store::Statement select = TRY(connection.prepare(
      "SELECT model, rule, count(*), reason, max(at_ms) FROM ("
      "SELECT json_extract(data, '$.model') AS model, json_extract(data, '$.rule') AS rule, "
      "json_extract(data, '$.reason') AS reason, at_ms FROM step "
      "WHERE kind = 'route' AND at_ms >= ?1 UNION ALL "
      "SELECT model, rule, reason, at_ms FROM model_call WHERE at_ms >= ?1) "
      "GROUP BY model, rule ORDER BY count(*) DESC, model, rule"));
  select.bind(1, since);
  std::vector<RouteSum> sums;
  while (TRY(select.step())) {
    sums.push_back({select.text(0), select.text(1), select.integer(2), select.text(3)});
  }
  return sums;
}

}  // namespace

Status Usage::record(const ModelCall& call) {
  const WallMs now = clock_.wall_ms();
  return database_.write([&](store::Connection& connection) -> Status {
    store::Statement insert = TRY(connection.prepare(
        "INSERT INTO model_call(day, channel, model, rule, reason, decision, ok, prompt_tokens, "
        "cached_tokens, evaluated_tokens, completion_tokens, cost_usd, total_ms, at_ms, key) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"));
    return insert.bind(1, local_day(now))
        .bind(2, call.channel)
        .bind(3, call.model)
        .bind(4, call.rule)
        .bind(5, call.reason)
        .bind(6, call.decision)
        .bind(7, call.ok)
        .bind(8, call.prompt_tokens)
        .bind(9, call.cached_tokens)
        .bind(10, call.evaluated_tokens)
        .bind(11, call.completion_tokens)
        .bind(12, call.cost_usd)
        .bind(13, call.total_ms)
        .bind(14, now)
        .bind(15, call.key)
        .run();
  });
}

WallMs Usage::since(int days) const {
  const int back = std::clamp(days, 1, limits::usage_days_max) - 1;
  return local_midnight(clock_.wall_ms(), -back);
}

Result<std::vector<KeySum>> Usage::keys(int days) {
  return database_.read(
      [&](store::Connection& connection) { return keys_since(connection, since(days)); });
}

Result<Report> Usage::report(int days) {
  const WallMs from = since(days);
  return database_.read([&](store::Connection& connection) -> Result<Report> {
    Report report;
    report.since = from;
    report.models = TRY(models_since(connection, from));
    report.hosts = TRY(hosts_since(connection, from));
    report.routes = TRY(routes_since(connection, from));
    report.keys = TRY(keys_since(connection, from));
    report.spent_today_usd = TRY(spent_on(connection, local_day(clock_.wall_ms())));
    return report;
  });
}

}  // namespace keel::account
