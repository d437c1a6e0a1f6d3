#include "memory/folder/sync_rows.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

// A page that is forgotten takes its text out of the conflicts.
constexpr std::string_view kFolderSchema1 = R"sql(
CREATE TABLE folder_file(
  root TEXT NOT NULL,
  path TEXT NOT NULL,
  page_id TEXT NOT NULL,
  rev INTEGER NOT NULL,
  hash TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  changed_ns INTEGER NOT NULL,
  note TEXT NOT NULL DEFAULT '',
  PRIMARY KEY(root, path)) WITHOUT ROWID;
CREATE TABLE folder_conflict(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  page_id TEXT NOT NULL,
  path TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  base TEXT NOT NULL,
  ours TEXT NOT NULL,
  theirs TEXT NOT NULL,
  settled INTEGER NOT NULL DEFAULT 0);
CREATE INDEX folder_conflict_page ON folder_conflict(page_id);
CREATE TRIGGER folder_conflict_forgotten AFTER INSERT ON tombstone BEGIN
  DELETE FROM folder_conflict WHERE page_id = NEW.page_id;
END;
)sql";

}  // namespace

std::vector<store::Migration> folder_migrations() {
  return {{"memory_folder", 1, kFolderSchema1}};
}

Result<SyncRows> read_rows(Connection& connection, std::string_view root) {
  Statement select =
      TRY(connection.prepare("SELECT path, page_id, rev, hash, bytes, changed_ns, note FROM "
                             "folder_file WHERE root = ?1"));
  select.bind(1, root);
  SyncRows rows;
  while (TRY(select.step()))
    rows[select.text(0)] = {select.text(0),
                            select.text(1),
                            select.integer(2),
                            select.text(3),
                            {select.integer(4), select.integer(5)},
                            select.text(6)};
  return rows;
}

Status put_row(Connection& connection, std::string_view root, const SyncRow& row) {
  Statement put = TRY(connection.prepare(
      "INSERT OR REPLACE INTO folder_file(root, path, page_id, rev, hash, bytes, changed_ns, "
      "note) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
  put.bind(1, root).bind(2, row.path).bind(3, row.page_id).bind(4, row.rev).bind(5, row.hash);
  return put.bind(6, row.stamp.bytes).bind(7, row.stamp.changed_ns).bind(8, row.note).run();
}

Status drop_row(Connection& connection, std::string_view root, std::string_view path) {
  Statement erase =
      TRY(connection.prepare("DELETE FROM folder_file WHERE root = ?1 AND path = ?2"));
  return erase.bind(1, root).bind(2, path).run();
}

Status put_conflict(Connection& connection, const ConflictRecord& conflict) {
  Statement put = TRY(connection.prepare(
      "INSERT INTO folder_conflict(page_id, path, at_ms, base, ours, theirs) SELECT ?1, ?2, ?3, "
      "?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM folder_conflict WHERE page_id = ?1 AND base = ?4 "
      "AND ours = ?5 AND theirs = ?6)"));
  put.bind(1, conflict.page_id).bind(2, conflict.path).bind(3, conflict.at_ms);
  put.bind(4, conflict.texts.base).bind(5, conflict.texts.ours).bind(6, conflict.texts.theirs);
  return put.run();
}

Result<std::vector<ConflictRecord>> open_conflicts(Connection& connection) {
  Statement select = TRY(connection.prepare(
      "SELECT number, page_id, path, at_ms, base, ours, theirs FROM folder_conflict WHERE "
      "settled = 0 ORDER BY number"));
  std::vector<ConflictRecord> found;
  while (TRY(select.step()))
    found.push_back({select.integer(0),
                     select.text(1),
                     select.text(2),
                     select.integer(3),
                     {select.text(4), select.text(5), select.text(6)}});
  return found;
}

Result<std::int64_t> settle_conflicts(Connection& connection, std::int64_t number) {
  Statement update = TRY(connection.prepare(
      "UPDATE folder_conflict SET settled = 1 WHERE settled = 0 AND (?1 = 0 OR number = ?1)"));
  TRY(update.bind(1, number).run());
  return connection.changes();
}

Result<std::map<std::string, std::int64_t>> page_revisions(Connection& connection) {
  Statement select = TRY(connection.prepare("SELECT id, rev FROM page"));
  std::map<std::string, std::int64_t> found;
  while (TRY(select.step())) found[select.text(0)] = select.integer(1);
  return found;
}

}  // namespace keel::memory
