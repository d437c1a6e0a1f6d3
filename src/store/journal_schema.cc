#include "store/journal.h"

namespace keel::store {
namespace {

constexpr std::string_view schema_1 = R"sql(
CREATE TABLE conversation(
  name TEXT PRIMARY KEY,
  system TEXT NOT NULL DEFAULT '',
  identity_hash TEXT NOT NULL DEFAULT '',
  window_start INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE inbox(
  id TEXT PRIMARY KEY,
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  conversation TEXT NOT NULL REFERENCES conversation(name),
  external_id TEXT,
  text TEXT NOT NULL,
  received_ms INTEGER NOT NULL,
  UNIQUE(channel, account, external_id)
);

CREATE TABLE turn(
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  conversation TEXT NOT NULL REFERENCES conversation(name),
  inbox TEXT NOT NULL UNIQUE REFERENCES inbox(id),
  state TEXT NOT NULL CHECK(state IN ('received', 'running', 'replied', 'done', 'failed')),
  wish TEXT NOT NULL,
  model TEXT NOT NULL DEFAULT '',
  attempts INTEGER NOT NULL DEFAULT 1,
  error_code TEXT,
  error TEXT,
  error_hint TEXT,
  result TEXT,
  started_ms INTEGER NOT NULL,
  ended_ms INTEGER
);
CREATE INDEX turn_open ON turn(number) WHERE state IN ('received', 'running', 'replied');
CREATE INDEX turn_conversation ON turn(conversation, number);

CREATE TABLE step(
  turn TEXT NOT NULL REFERENCES turn(id),
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY(turn, seq)
) WITHOUT ROWID;

CREATE TABLE item(
  conversation TEXT NOT NULL REFERENCES conversation(name),
  position INTEGER NOT NULL,
  turn TEXT NOT NULL REFERENCES turn(id),
  item TEXT NOT NULL,
  integrity TEXT NOT NULL,
  confidentiality TEXT NOT NULL,
  hidden INTEGER NOT NULL DEFAULT 0 CHECK(hidden IN (0, 1)),
  UNIQUE(conversation, position)
);
CREATE INDEX item_turn ON item(turn);

CREATE TABLE tool_call(
  turn TEXT NOT NULL REFERENCES turn(id),
  call_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  name TEXT NOT NULL,
  arguments TEXT NOT NULL,
  args_hash TEXT NOT NULL,
  effect TEXT NOT NULL CHECK(effect IN ('pure', 'idempotent', 'unsafe', 'none')),
  state TEXT NOT NULL CHECK(state IN ('intent', 'result')),
  is_error INTEGER NOT NULL DEFAULT 0,
  outcome TEXT NOT NULL DEFAULT '',
  integrity TEXT NOT NULL DEFAULT 'owner',
  confidentiality TEXT NOT NULL DEFAULT 'open',
  ms REAL NOT NULL DEFAULT 0,
  intent_ms INTEGER,
  result_ms INTEGER,
  PRIMARY KEY(turn, call_id)
);

CREATE TABLE outbox(
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  turn TEXT NOT NULL UNIQUE REFERENCES turn(id),
  conversation TEXT NOT NULL,
  channel TEXT NOT NULL,
  kind TEXT NOT NULL CHECK(kind IN ('reply', 'failure')),
  text TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('pending', 'sent')),
  message_id TEXT,
  created_ms INTEGER NOT NULL,
  sent_ms INTEGER
);
CREATE INDEX outbox_pending ON outbox(channel, number) WHERE state = 'pending';

CREATE TABLE usage(
  id INTEGER PRIMARY KEY,
  turn TEXT NOT NULL REFERENCES turn(id),
  conversation TEXT NOT NULL,
  model TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  cached_tokens INTEGER NOT NULL,
  evaluated_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  cost_usd REAL NOT NULL,
  ttft_ms REAL NOT NULL,
  total_ms REAL NOT NULL,
  decode_tps REAL NOT NULL,
  at_ms INTEGER NOT NULL
);
CREATE INDEX usage_turn ON usage(turn);
CREATE INDEX usage_at ON usage(at_ms);
)sql";

// What stands for the turns that no longer fit.
constexpr std::string_view schema_2 = R"sql(
ALTER TABLE conversation ADD COLUMN summary TEXT NOT NULL DEFAULT '';
ALTER TABLE conversation ADD COLUMN summary_integrity TEXT NOT NULL DEFAULT 'owner';
ALTER TABLE conversation ADD COLUMN summary_confidentiality TEXT NOT NULL DEFAULT 'open';
)sql";

// The tools in the frozen prefix, and those the conversation was told of last.
constexpr std::string_view schema_3 = R"sql(
ALTER TABLE conversation ADD COLUMN tools TEXT NOT NULL DEFAULT '';
ALTER TABLE conversation ADD COLUMN tools_told TEXT NOT NULL DEFAULT '';
)sql";

}  // namespace

std::vector<Migration> journal_migrations() {
  return {{"journal", 1, schema_1}, {"journal", 2, schema_2}, {"journal", 3, schema_3}};
}

}  // namespace keel::store
