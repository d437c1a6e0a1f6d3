#include "memory/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/id.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/audit.h"
#include "memory/identity.h"
#include "memory/pages.h"
#include "memory/ranker.h"
#include "memory/text/sentences.h"
#include "memory/text/statement.h"
#include "memory/text/words.h"

namespace keel::memory {

namespace {

// docs/formats/memory.md describes each table.
constexpr std::string_view kVersion1 = R"sql(
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

}  // namespace

using store::Connection;
using store::Statement;

std::vector<store::Migration> migrations() {
  return {{"memory", 1, kVersion1}};
}

bool has_tag(const Page& page, const std::vector<std::string>& tags) {
  return std::any_of(page.tags.begin(), page.tags.end(), [&](const std::string& tag) {
    return std::any_of(tags.begin(), tags.end(),
                       [&](const std::string& one) { return fold_case(tag) == fold_case(one); });
  });
}

std::vector<NewPage> significant(std::string_view owner_text, std::string_view turn) {
  std::vector<NewPage> pages;
  for (const OwnerStatement& statement : statements_of(owner_text)) {
    NewPage page;
    page.kind = statement.kind;
    page.title = shorten(statement.content, limits::memory_title_bytes);
    page.body = said_by_owner(statement.content + ".");
    page.origin = "owner";
    page.source_turn = turn;
    page.source_quote = statement.sentence;
    page.pinned = statement.from_now_on;
    pages.push_back(std::move(page));
  }
  return pages;
}

struct Memory::State {
  store::Database& database;
  const Clock& clock;
};

Memory::Memory(store::Database& database, const Clock& clock)
    : state_(std::make_unique<State>(State{database, clock})) {}
Memory::~Memory() = default;

Result<Added> Memory::add(const NewPage& page) {
  const Draft draft = TRY(make_draft(page));
  const WallMs now = state_->clock.wall_ms();
  return state_->database.write([&](Connection& connection) -> Result<Added> {
    return insert_page(connection, draft, make_ulid(now), now);
  });
}

Result<Page> Memory::get(std::string_view id_or_prefix) {
  return state_->database.read([&](Connection& connection) -> Result<Page> {
    return TRY(find_page(connection, id_or_prefix)).page;
  });
}

Result<std::vector<Page>> Memory::list(std::string_view kind, int limit) {
  return state_->database.read([&](Connection& connection) -> Result<std::vector<Page>> {
    return list_pages(connection, kind, limit);
  });
}

Result<std::string> Memory::forget(std::string_view id_or_prefix) {
  const WallMs now = state_->clock.wall_ms();
  const Forgotten gone =
      TRY(state_->database.write([&](Connection& connection) -> Result<Forgotten> {
        return forget_page(connection, id_or_prefix, now);
      }));
  state_->database.checkpoint();
  std::string receipt = fmt::format(
      "Forgotten: page {} with {} revision(s) and {} index row(s); its text was taken out of {} "
      "retrieval record(s). "
      "What remains is its id, the time and the hash {}. Conversations in which it was said are "
      "kept by the journal.",
      gone.page.id, gone.revisions, gone.segments, gone.audit_rows, gone.page.hash);
  if (!gone.revived.empty())
    receipt += fmt::format(" The page it had taken the place of, {}, counts again.", gone.revived);
  return receipt;
}

Result<Page> Memory::edit(std::string_view id, const NewPage& changed, std::string_view by) {
  constexpr std::string_view kBy[] = {"owner", "agent", "sync", "import"};
  if (std::find(std::begin(kBy), std::end(kBy), by) == std::end(kBy))
    return fail(Code::invalid_argument, fmt::format("'{}' cannot edit a page.", printable(by, 40)));
  const WallMs now = state_->clock.wall_ms();
  return state_->database.write([&](Connection& connection) -> Result<Page> {
    const Stored stored = TRY(find_page(connection, id));
    if (stored.page.kind == "persona" && by != "owner")
      return fail(Code::permission, "A persona page can only be changed by the owner.",
                  "Use `keel memory edit` on the page.");
    NewPage whole = changed;
    whole.kind = stored.page.kind;
    whole.origin = stored.page.origin;
    if (whole.title.empty()) whole.title = stored.page.title;
    if (whole.body.empty()) whole.body = stored.page.body;
    if (whole.tags.empty()) whole.tags = stored.page.tags;
    Draft draft = TRY(make_draft(whole));
    draft.page.pinned = stored.page.pinned;
    return revise_page(connection, stored.number, draft, by,
                       draft.cleaned ? "invalid bytes were replaced" : "edited", now);
  });
}

Result<Page> Memory::pin(std::string_view id, bool pinned) {
  const WallMs now = state_->clock.wall_ms();
  return state_->database.write([&](Connection& connection) -> Result<Page> {
    const Stored stored = TRY(find_page(connection, id));
    if (stored.page.pinned == pinned) return stored.page;
    Draft draft;
    draft.page.title = stored.page.title;
    draft.page.body = stored.page.body;
    draft.page.tags = stored.page.tags;
    draft.page.pinned = pinned;
    return revise_page(connection, stored.number, draft, "owner", pinned ? "pinned" : "unpinned",
                       now);
  });
}

Status Memory::set_alias(std::string_view term, std::string_view expands_to, double weight) {
  const std::vector<Word> from = words_of(term, Use::query);
  const std::vector<Word> to = words_of(expands_to, Use::query);
  if (from.size() != 1 || to.empty() || to.size() > limits::memory_term_forms)
    return fail(
        Code::invalid_argument,
        fmt::format("'{}' cannot stand for '{}'.", printable(term, 40), printable(expands_to, 40)),
        fmt::format("An alias is one word that also looks for one to {} others.",
                    limits::memory_term_forms));
  if (!(weight >= 0.0 && weight <= 1.0))
    return fail(Code::invalid_argument, "The weight of an alias is a number from 0 to 1.");
  return state_->database.write([&](Connection& connection) -> Status {
    Statement put = TRY(connection.prepare(
        "INSERT INTO alias(term, expands_to, weight, source, enabled) VALUES(?1, ?2, ?3, 'owner', "
        "?3 > 0) "
        "ON CONFLICT(term, expands_to) DO UPDATE SET weight = ?3, enabled = ?3 > 0"));
    for (const Word& word : to)
      TRY(put.bind(1, from[0].stem).bind(2, word.stem).bind(3, weight).run());
    return change_corpus(connection, {1, 0, 0, 0});
  });
}

Status Memory::verify() {
  return state_->database.read(
      [](Connection& connection) -> Status { return verify_revisions(connection); });
}

Result<Retrieval> Memory::search(const Query& query) {
  const auto started = state_->clock.steady();
  Ranked ranked = TRY(state_->database.read(
      [&](Connection& connection) -> Result<Ranked> { return rank(connection, query); }));
  const double took_ms = ms_between(started, state_->clock.steady());
  const WallMs now = state_->clock.wall_ms();
  ranked.retrieval.id = make_ulid(now);
  ranked.retrieval.at_ms = now;
  TRY(state_->database.write([&](Connection& connection) -> Status {
    return write_retrieval(connection, ranked, query.session,
                           static_cast<std::int64_t>(took_ms * 1000.0));
  }));
  return std::move(ranked.retrieval);
}

Result<std::vector<Retrieval>> Memory::why(std::string_view turn_or_retrieval) {
  return state_->database.read([&](Connection& connection) -> Result<std::vector<Retrieval>> {
    return read_retrievals(connection, turn_or_retrieval);
  });
}

Result<std::string> Memory::latest_turn() {
  return state_->database.read([](Connection& connection) -> Result<std::string> {
    Statement select = TRY(connection.prepare(
        "SELECT turn FROM retrieval WHERE turn <> '' ORDER BY number DESC LIMIT 1"));
    return TRY(select.step()) ? select.text(0) : std::string();
  });
}

Status Memory::mark_injected(std::string_view retrieval, const std::vector<std::string>& page_ids) {
  if (page_ids.empty()) return {};
  return state_->database.write([&](Connection& connection) -> Status {
    return write_injected(connection, retrieval, page_ids);
  });
}

Result<std::string> Memory::identity_text(std::string_view agent_name,
                                          const std::vector<std::string>& without_tags) {
  return state_->database.read([&](Connection& connection) -> Result<std::string> {
    return render_identity(connection, agent_name, without_tags);
  });
}

Status Memory::ensure_identity(std::string_view agent_name) {
  // Every start asks; none but the first has to wait for the writer.
  if (!TRY(list("persona", 1)).empty()) return {};
  const WallMs now = state_->clock.wall_ms();
  return state_->database.write([&](Connection& connection) -> Status {
    if (!TRY(list_pages(connection, "persona", 1)).empty()) return {};
    for (const NewPage& page : first_identity(agent_name))
      TRY(insert_page(connection, TRY(make_draft(page)), make_ulid(now), now));
    return {};
  });
}

}  // namespace keel::memory
