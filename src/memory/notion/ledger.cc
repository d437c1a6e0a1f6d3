#include "memory/notion/ledger.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "base/json.h"
#include "base/limits.h"
#include "memory/pages.h"

namespace keel::memory::notion {
namespace {

using store::Connection;
using store::Statement;

// A forgotten page leaves its row's identifier, so that the row can be put into Notion's trash, and
// nothing of what it said.
constexpr std::string_view kLedgerTables = R"sql(
CREATE TABLE notion_page(
  page_id TEXT PRIMARY KEY,
  remote_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK(state IN ('synced', 'sending', 'refused', 'held', 'trashed')),
  base_rev INTEGER NOT NULL,
  base_state TEXT NOT NULL,
  marks TEXT NOT NULL,
  verified INTEGER NOT NULL,
  edited_ms INTEGER NOT NULL,
  checked_ms INTEGER NOT NULL,
  sending_rev INTEGER NOT NULL,
  sending_body INTEGER NOT NULL,
  retry_ms INTEGER NOT NULL,
  note TEXT NOT NULL) WITHOUT ROWID;
CREATE UNIQUE INDEX notion_page_remote ON notion_page(remote_id) WHERE remote_id <> '';
CREATE INDEX notion_page_unsettled ON notion_page(state) WHERE state <> 'synced';
CREATE INDEX notion_page_checked ON notion_page(checked_ms) WHERE state = 'synced';

CREATE TABLE notion_setting(
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE notion_conflict(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  page_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  kept_rev INTEGER NOT NULL,
  lost_rev INTEGER NOT NULL,
  at_ms INTEGER NOT NULL);

CREATE TRIGGER notion_forget AFTER DELETE ON page BEGIN
  UPDATE notion_page SET marks = '', note = '' WHERE page_id = old.id;
  DELETE FROM notion_conflict WHERE page_id = old.id;
END;
)sql";

constexpr std::string_view kEntryColumns =
    "page_id, remote_id, state, base_rev, base_state, marks, verified, edited_ms, checked_ms, "
    "sending_rev, sending_body, retry_ms, note";

Entry entry_of(const Statement& row) {
  Entry entry;
  entry.page_id = row.text(0);
  entry.remote_id = row.text(1);
  entry.state = row.text(2);
  entry.base_rev = row.integer(3);
  entry.base_state = row.text(4);
  entry.marks = row.text(5);
  entry.verified = row.integer(6) != 0;
  entry.edited_ms = row.integer(7);
  entry.checked_ms = row.integer(8);
  entry.sending_rev = row.integer(9);
  entry.sending_body = row.integer(10) != 0;
  entry.retry_ms = row.integer(11);
  entry.note = row.text(12);
  return entry;
}

// What makes a page one that is to be sent: ?1 is the time now.
constexpr std::string_view kOutdated =
    "(n.state = 'synced' AND (n.base_rev <> p.rev OR n.base_state <> p.state)) OR "
    "(n.state = 'refused' AND (n.sending_rev <> p.rev OR n.retry_ms <= ?1))";

}  // namespace

std::vector<store::Migration> migrations() {
  return {{"notion", 1, kLedgerTables}};
}

Result<std::vector<Entry>> Ledger::select(std::string_view where, std::string_view text,
                                          WallMs number, int limit) {
  return database_.read([&](Connection& connection) -> Result<std::vector<Entry>> {
    Statement rows = TRY(connection.prepare(
        fmt::format("SELECT {} FROM notion_page WHERE {} LIMIT ?3", kEntryColumns, where)));
    rows.bind(1, text).bind(2, number).bind(3, limit);
    std::vector<Entry> entries;
    while (TRY(rows.step())) entries.push_back(entry_of(rows));
    return entries;
  });
}

Result<std::optional<Entry>> Ledger::by_page(std::string_view page_id) {
  std::vector<Entry> found = TRY(select("page_id = ?1 AND ?2 = 0", page_id, 0, 1));
  return found.empty() ? std::optional<Entry>() : std::optional<Entry>(std::move(found[0]));
}

Result<std::optional<Entry>> Ledger::by_remote(std::string_view remote_id) {
  std::vector<Entry> found =
      TRY(select("remote_id = ?1 AND remote_id <> '' AND ?2 = 0", remote_id, 0, 1));
  return found.empty() ? std::optional<Entry>() : std::optional<Entry>(std::move(found[0]));
}

Status Ledger::put(const Entry& entry) {
  return database_.write([&](Connection& connection) -> Status {
    Statement put = TRY(connection.prepare(fmt::format(
        "INSERT OR REPLACE INTO notion_page({}) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
        "?11, ?12, ?13)",
        kEntryColumns)));
    put.bind(1, entry.page_id).bind(2, entry.remote_id).bind(3, entry.state);
    put.bind(4, entry.base_rev).bind(5, entry.base_state).bind(6, entry.marks);
    put.bind(7, entry.verified).bind(8, entry.edited_ms).bind(9, entry.checked_ms);
    put.bind(10, entry.sending_rev).bind(11, entry.sending_body).bind(12, entry.retry_ms);
    return put.bind(13, entry.note).run();
  });
}

Status Ledger::erase(std::string_view page_id) {
  return database_.write([&](Connection& connection) -> Status {
    Statement erase = TRY(connection.prepare("DELETE FROM notion_page WHERE page_id = ?1"));
    return erase.bind(1, page_id).run();
  });
}

Result<std::vector<std::string>> Ledger::outdated(WallMs now, bool fresh, int limit,
                                                  std::int64_t& after) {
  return database_.read([&](Connection& connection) -> Result<std::vector<std::string>> {
    Statement rows = TRY(connection.prepare(fmt::format(
        "SELECT p.number, p.id FROM page p LEFT JOIN notion_page n ON n.page_id = p.id "
        "WHERE p.number > ?3 AND ((?2 AND n.page_id IS NULL) OR {}) ORDER BY p.number LIMIT ?4",
        kOutdated)));
    rows.bind(1, now).bind(2, fresh).bind(3, after).bind(4, limit);
    std::vector<std::string> ids;
    while (TRY(rows.step())) {
      after = rows.integer(0);
      ids.push_back(rows.text(1));
    }
    return ids;
  });
}

Result<std::vector<Entry>> Ledger::orphans(int limit) {
  return select(
      "state <> 'trashed' AND ?1 = '' AND ?2 = 0 AND NOT EXISTS (SELECT 1 FROM page WHERE page.id "
      "= notion_page.page_id)",
      "", 0, limit);
}

Result<std::vector<Entry>> Ledger::in_state(std::string_view state, int limit) {
  return select("state = ?1 AND state <> 'synced' AND ?2 = 0 ORDER BY page_id", state, 0, limit);
}

Result<std::vector<Entry>> Ledger::unchecked(WallMs since, int limit) {
  return select("state = 'synced' AND ?1 = '' AND checked_ms < ?2 ORDER BY checked_ms", "", since,
                limit);
}

Result<std::vector<Entry>> Ledger::settled() {
  return select("state = 'synced' AND remote_id <> '' AND ?1 = '' AND ?2 = 0", "", 0,
                std::numeric_limits<int>::max());
}

Result<std::optional<Version>> Ledger::version(std::string_view page_id, std::int64_t revision) {
  return database_.read([&](Connection& connection) -> Result<std::optional<Version>> {
    Statement row = TRY(connection.prepare(
        "SELECT r.title, r.body, r.props, p.state FROM revision r JOIN page p ON p.number = r.page "
        "WHERE p.id = ?1 AND r.rev = ?2"));
    row.bind(1, page_id).bind(2, revision);
    if (!TRY(row.step())) return std::optional<Version>();
    Version version;
    version.face.title = row.text(0);
    version.body = row.text(1);
    version.face.state = row.text(3);
    const Json props = TRY(parse_json(row.text(2), "a revision's properties"));
    version.face.kind = json_string_or(props, "kind", "");
    version.face.origin = json_string_or(props, "origin", "");
    version.face.valid_from = whole_day(json_string_or(props, "valid_from", ""));
    version.face.valid_to = whole_day(json_string_or(props, "valid_to", ""));
    version.face.source = web_address(json_string_or(props, "source", ""));
    version.face.importance = static_cast<int>(json_int_or(props, "importance", 1));
    version.face.tags = json_texts(props, "tags");
    return std::optional<Version>(std::move(version));
  });
}

Result<bool> Ledger::is_forgotten(std::string_view page_id) {
  return database_.read([&](Connection& connection) -> Result<bool> {
    return TRY(forgotten_ms(connection, page_id)).has_value();
  });
}

Status Ledger::reset() {
  return database_.write([](Connection& connection) -> Status {
    return connection.execute("DELETE FROM notion_page; DELETE FROM notion_setting;");
  });
}

Result<WallMs> Ledger::setting_ms(std::string_view name) {
  const std::string text = TRY(setting(name));
  WallMs ms = 0;
  std::from_chars(text.data(), text.data() + text.size(), ms);
  return ms;
}

Result<std::string> Ledger::setting(std::string_view name) {
  return database_.read([&](Connection& connection) -> Result<std::string> {
    Statement row = TRY(connection.prepare("SELECT value FROM notion_setting WHERE name = ?1"));
    row.bind(1, name);
    return TRY(row.step()) ? row.text(0) : std::string();
  });
}

Status Ledger::set(std::string_view name, std::string_view value) {
  return database_.write([&](Connection& connection) -> Status {
    Statement put = TRY(
        connection.prepare("INSERT OR REPLACE INTO notion_setting(name, value) VALUES(?1, ?2)"));
    return put.bind(1, name).bind(2, value).run();
  });
}

Status Ledger::add_conflict(const ConflictRecord& record) {
  return database_.write([&](Connection& connection) -> Status {
    Statement add = TRY(connection.prepare(
        "INSERT INTO notion_conflict(page_id, kind, kept_rev, lost_rev, at_ms) VALUES(?1, ?2, ?3, "
        "?4, ?5)"));
    add.bind(1, record.page_id).bind(2, record.kind).bind(3, record.kept_rev);
    return add.bind(4, record.lost_rev).bind(5, record.at_ms).run();
  });
}

Result<std::vector<ConflictRecord>> Ledger::conflicts(int limit) {
  return database_.read([&](Connection& connection) -> Result<std::vector<ConflictRecord>> {
    Statement rows = TRY(connection.prepare(
        "SELECT c.page_id, p.title, c.kind, c.kept_rev, c.lost_rev, c.at_ms FROM notion_conflict c "
        "JOIN page p ON p.id = c.page_id ORDER BY c.number DESC LIMIT ?1"));
    rows.bind(1, limit);
    std::vector<ConflictRecord> out;
    while (TRY(rows.step()))
      out.push_back({rows.text(0), rows.text(1), rows.text(2), rows.integer(3), rows.integer(4),
                     rows.integer(5)});
    return out;
  });
}

Result<std::int64_t> Ledger::clear_conflicts() {
  return database_.write([](Connection& connection) -> Result<std::int64_t> {
    Statement clear = TRY(connection.prepare("DELETE FROM notion_conflict"));
    TRY(clear.run());
    return connection.changes();
  });
}

Result<Counts> Ledger::counts(WallMs now) {
  return database_.read([&](Connection& connection) -> Result<Counts> {
    Counts counts;
    {
      Statement row = TRY(connection.prepare(fmt::format(
          "SELECT count(*), sum(n.state = 'synced' AND n.base_rev = p.rev AND n.base_state = "
          "p.state), sum(n.page_id IS NULL OR {}), sum(n.state = 'sending'), sum(n.state = "
          "'refused'), sum(n.state = 'held') FROM page p LEFT JOIN notion_page n ON n.page_id = "
          "p.id",
          kOutdated)));
      row.bind(1, now);
      TRY(row.step());
      counts.pages = row.integer(0);
      counts.synced = row.integer(1);
      counts.waiting = row.integer(2);
      counts.sending = row.integer(3);
      counts.refused = row.integer(4);
      counts.held = row.integer(5);
    }
    Statement row = TRY(connection.prepare("SELECT count(*) FROM notion_conflict"));
    TRY(row.step());
    counts.conflicts = row.integer(0);
    return counts;
  });
}

}  // namespace keel::memory::notion
