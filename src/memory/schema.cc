#include "memory/schema.h"

namespace keel::memory {

const std::string_view kSchema1 = R"sql(
CREATE TABLE page(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  gist TEXT NOT NULL DEFAULT '',
  lang TEXT NOT NULL DEFAULT '',
  origin TEXT NOT NULL CHECK(origin IN ('owner', 'agent', 'import', 'untrusted', 'system')),
  source_uri TEXT NOT NULL DEFAULT '',
  session TEXT NOT NULL DEFAULT '',
  turn TEXT NOT NULL DEFAULT '',
  quote TEXT NOT NULL DEFAULT '',
  author_model TEXT NOT NULL DEFAULT '',
  importance INTEGER NOT NULL DEFAULT 1,
  pinned INTEGER NOT NULL DEFAULT 0,
  question INTEGER NOT NULL DEFAULT 0,
  valid_from INTEGER,
  valid_to INTEGER,
  subject TEXT NOT NULL DEFAULT '',
  attribute TEXT NOT NULL DEFAULT '',
  value TEXT NOT NULL DEFAULT '',
  supersedes TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL DEFAULT 'live' CHECK(state IN ('live', 'superseded')),
  rev INTEGER NOT NULL,
  norm_hash TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL);
CREATE INDEX page_norm ON page(norm_hash);
CREATE INDEX page_session ON page(session, number) WHERE session <> '';
CREATE INDEX page_attribute ON page(subject, attribute) WHERE subject <> '';
CREATE INDEX page_kind ON page(kind);

CREATE TABLE revision(
  page INTEGER NOT NULL REFERENCES page(number) ON DELETE CASCADE,
  rev INTEGER NOT NULL,
  parent_rev INTEGER,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  props TEXT NOT NULL,
  by TEXT NOT NULL,
  reason TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY(page, rev)) WITHOUT ROWID;

CREATE TABLE tag(
  page INTEGER NOT NULL REFERENCES page(number) ON DELETE CASCADE,
  ord INTEGER NOT NULL,
  tag TEXT NOT NULL,
  kind TEXT NOT NULL DEFAULT 'topic',
  PRIMARY KEY(page, ord)) WITHOUT ROWID;

CREATE TABLE tombstone(
  page_id TEXT PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  by TEXT NOT NULL,
  reason TEXT NOT NULL,
  rev INTEGER NOT NULL,
  body_hash TEXT NOT NULL,
  hash TEXT NOT NULL,
  seq INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE corpus(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  seq INTEGER NOT NULL,
  pages INTEGER NOT NULL,
  segments INTEGER NOT NULL,
  tokens INTEGER NOT NULL);
INSERT INTO corpus VALUES(1, 0, 0, 0, 0);

CREATE TABLE segment(
  id INTEGER PRIMARY KEY,
  page INTEGER NOT NULL REFERENCES page(number) ON DELETE CASCADE,
  rev INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  text TEXT NOT NULL);
CREATE INDEX segment_page ON segment(page);
CREATE VIRTUAL TABLE memory_fts USING fts5(title, body, tags, near, tokenize = 'ascii');
INSERT INTO memory_fts(memory_fts, rank) VALUES('secure-delete', 1);
CREATE VIRTUAL TABLE memory_vocab USING fts5vocab(memory_fts, instance);

CREATE TABLE alias(
  term TEXT NOT NULL,
  expands_to TEXT NOT NULL,
  weight REAL NOT NULL,
  source TEXT NOT NULL,
  enabled INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY(term, expands_to)) WITHOUT ROWID;

CREATE TABLE retrieval(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  at_ms INTEGER NOT NULL,
  session TEXT NOT NULL,
  turn TEXT NOT NULL,
  trigger TEXT NOT NULL,
  query TEXT NOT NULL,
  ranker TEXT NOT NULL,
  params_hash TEXT NOT NULL,
  corpus_seq INTEGER NOT NULL,
  pages INTEGER NOT NULL,
  candidates INTEGER NOT NULL,
  left_out TEXT NOT NULL,
  left_out_count INTEGER NOT NULL,
  took_us INTEGER NOT NULL,
  empty INTEGER NOT NULL);
CREATE INDEX retrieval_turn ON retrieval(turn) WHERE turn <> '';

CREATE TABLE retrieval_term(
  retrieval INTEGER NOT NULL REFERENCES retrieval(number) ON DELETE CASCADE,
  ord INTEGER NOT NULL,
  term TEXT NOT NULL,
  surface TEXT NOT NULL,
  source TEXT NOT NULL,
  weight REAL NOT NULL,
  df INTEGER NOT NULL,
  idf REAL NOT NULL,
  PRIMARY KEY(retrieval, ord)) WITHOUT ROWID;

CREATE TABLE retrieval_hit(
  retrieval INTEGER NOT NULL REFERENCES retrieval(number) ON DELETE CASCADE,
  ord INTEGER NOT NULL,
  page_id TEXT NOT NULL,
  segment INTEGER NOT NULL,
  rev INTEGER NOT NULL,
  title TEXT NOT NULL,
  snippet TEXT NOT NULL,
  origin TEXT NOT NULL,
  score REAL NOT NULL,
  injected INTEGER NOT NULL DEFAULT 0,
  cited INTEGER NOT NULL DEFAULT 0,
  held_back TEXT NOT NULL DEFAULT '',
  PRIMARY KEY(retrieval, ord)) WITHOUT ROWID;
CREATE INDEX retrieval_hit_page ON retrieval_hit(page_id);

CREATE TABLE retrieval_contrib(
  retrieval INTEGER NOT NULL REFERENCES retrieval(number) ON DELETE CASCADE,
  hit INTEGER NOT NULL,
  ord INTEGER NOT NULL,
  term TEXT NOT NULL,
  field TEXT NOT NULL,
  tf INTEGER NOT NULL,
  value REAL NOT NULL,
  PRIMARY KEY(retrieval, hit, ord)) WITHOUT ROWID;
)sql";

// The columns valid_from and valid_to of the first version were never written; as days they are
// text.
const std::string_view kSchema2 = R"sql(
ALTER TABLE page DROP COLUMN valid_from;
ALTER TABLE page DROP COLUMN valid_to;
ALTER TABLE page ADD COLUMN valid_from TEXT NOT NULL DEFAULT '';
ALTER TABLE page ADD COLUMN valid_to TEXT NOT NULL DEFAULT '';
ALTER TABLE page ADD COLUMN speaker TEXT NOT NULL DEFAULT '';
ALTER TABLE page ADD COLUMN day TEXT NOT NULL DEFAULT '';
ALTER TABLE page ADD COLUMN aliases TEXT NOT NULL DEFAULT '[]';
ALTER TABLE page ADD COLUMN extra TEXT NOT NULL DEFAULT '{}';
DROP INDEX page_session;
CREATE INDEX page_session ON page(session, created_ms, number) WHERE session <> '';
CREATE INDEX revision_seq ON revision(seq);
CREATE INDEX tombstone_seq ON tombstone(seq);

CREATE TABLE page_event(
  seq INTEGER PRIMARY KEY,
  page INTEGER NOT NULL REFERENCES page(number) ON DELETE CASCADE,
  state TEXT NOT NULL,
  updated_ms INTEGER NOT NULL);
CREATE INDEX page_event_page ON page_event(page);
)sql";

// The index is made anew from the pages at the next use (rank/index.h).
const std::string_view kSchema3 = R"sql(
DROP TABLE memory_vocab;
DROP TABLE memory_fts;
DROP TABLE segment;
CREATE TABLE segment(
  id INTEGER PRIMARY KEY,
  page INTEGER NOT NULL REFERENCES page(number) ON DELETE CASCADE,
  rev INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  packed INTEGER NOT NULL DEFAULT 0,
  text TEXT NOT NULL,
  words BLOB NOT NULL);
CREATE INDEX segment_page ON segment(page);
CREATE INDEX segment_waiting ON segment(id) WHERE packed = 0;
CREATE TABLE posting(
  term TEXT NOT NULL,
  first INTEGER NOT NULL,
  pages INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY(term, first)) WITHOUT ROWID;
UPDATE corpus SET segments = 0, tokens = 0;
ALTER TABLE corpus ADD COLUMN index_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE retrieval ADD COLUMN options TEXT NOT NULL DEFAULT '{}';

CREATE TABLE alias_event(
  seq INTEGER NOT NULL,
  term TEXT NOT NULL,
  expands_to TEXT NOT NULL,
  weight REAL NOT NULL,
  PRIMARY KEY(seq, term, expands_to)) WITHOUT ROWID;
INSERT INTO alias_event(seq, term, expands_to, weight)
  SELECT 0, term, expands_to, weight FROM alias WHERE enabled = 1;
CREATE TRIGGER alias_added AFTER INSERT ON alias BEGIN
  INSERT OR REPLACE INTO alias_event(seq, term, expands_to, weight)
    SELECT seq, new.term, new.expands_to, iif(new.enabled, new.weight, 0) FROM corpus;
END;
CREATE TRIGGER alias_changed AFTER UPDATE ON alias BEGIN
  INSERT OR REPLACE INTO alias_event(seq, term, expands_to, weight)
    SELECT seq, new.term, new.expands_to, iif(new.enabled, new.weight, 0) FROM corpus;
END;
)sql";

// An exchange is a turn that has ended: what of it is still to be written down (writing/ledger.h).
const std::string_view kSchema4 = R"sql(
CREATE TABLE exchange(
  turn TEXT PRIMARY KEY,
  session TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  day TEXT NOT NULL,
  tainted INTEGER NOT NULL,
  tags TEXT NOT NULL,
  journal TEXT NOT NULL,
  page TEXT NOT NULL DEFAULT '',
  extraction TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  pages INTEGER NOT NULL DEFAULT 0,
  model TEXT NOT NULL DEFAULT '',
  note TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE INDEX exchange_journal ON exchange(at_ms) WHERE journal = 'waiting';
CREATE INDEX exchange_extraction ON exchange(at_ms) WHERE extraction = 'waiting';
CREATE INDEX exchange_day ON exchange(session, day, at_ms);
CREATE INDEX page_turn ON page(turn) WHERE turn <> '';
)sql";

}  // namespace keel::memory
