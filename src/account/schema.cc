#include "account/schema.h"

#include "base/limits.h"

namespace keel::account {
namespace {

constexpr std::string_view schema_1 = R"sql(
CREATE TABLE spend(
  id INTEGER PRIMARY KEY,
  day TEXT NOT NULL,
  turn TEXT NOT NULL,
  model TEXT NOT NULL,
  reserved_usd REAL NOT NULL CHECK(reserved_usd >= 0),
  cost_usd REAL CHECK(cost_usd >= 0),
  state TEXT NOT NULL CHECK(state IN ('open', 'settled', 'assumed')),
  at_ms INTEGER NOT NULL,
  ended_ms INTEGER
);
CREATE INDEX spend_day ON spend(day);
CREATE INDEX spend_turn ON spend(turn) WHERE turn <> '';
CREATE INDEX spend_open ON spend(id) WHERE state = 'open';

CREATE TABLE egress(
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  host TEXT NOT NULL,
  purpose TEXT NOT NULL,
  subject TEXT NOT NULL,
  turn TEXT NOT NULL,
  pages TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('intent', 'done', 'failed', 'lost')),
  status INTEGER NOT NULL DEFAULT 0,
  bytes_out INTEGER NOT NULL DEFAULT 0,
  bytes_in INTEGER NOT NULL DEFAULT 0,
  ms REAL NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT ''
);
CREATE INDEX egress_at ON egress(at_ms);
CREATE INDEX egress_intent ON egress(id) WHERE state = 'intent';

CREATE TABLE model_call(
  id INTEGER PRIMARY KEY,
  day TEXT NOT NULL,
  channel TEXT NOT NULL,
  model TEXT NOT NULL,
  rule TEXT NOT NULL,
  reason TEXT NOT NULL,
  decision TEXT NOT NULL,
  ok INTEGER NOT NULL CHECK(ok IN (0, 1)),
  prompt_tokens INTEGER NOT NULL,
  cached_tokens INTEGER NOT NULL,
  evaluated_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  cost_usd REAL NOT NULL,
  total_ms REAL NOT NULL,
  at_ms INTEGER NOT NULL
);
CREATE INDEX model_call_at ON model_call(at_ms);
)sql";

// Which program's key asked; empty: that of KEEL_HOME/token.
constexpr std::string_view schema_2 = R"sql(
ALTER TABLE model_call ADD COLUMN key TEXT NOT NULL DEFAULT '';
)sql";

}  // namespace

std::vector<store::Migration> migrations() {
  return {{"account", 1, schema_1}, {"account", 2, schema_2}};
}

Status recover(store::Database& database, const Clock& clock) {
  const WallMs now = clock.wall_ms();
  const WallMs oldest = now - std::int64_t{limits::account_days} * 24 * 3600 * 1000;
  return database.write([&](store::Connection& connection) -> Status {
    store::Statement spent = TRY(connection.prepare(
        "UPDATE spend SET state = 'assumed', cost_usd = reserved_usd, ended_ms = ?1 "
        "WHERE state = 'open'"));
    TRY(spent.bind(1, now).run());
    TRY(connection.execute("UPDATE egress SET state = 'lost' WHERE state = 'intent'"));
    for (const char* table : {"spend", "egress", "model_call"}) {
      store::Statement old =
          TRY(connection.prepare("DELETE FROM " + std::string(table) + " WHERE at_ms < ?1"));
      TRY(old.bind(1, oldest).run());
    }
    return {};
  });
}

}  // namespace keel::account
