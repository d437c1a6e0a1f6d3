#include "store/schema.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>

#include "base/limits.h"
#include "base/text.h"
#include "log/log.h"
#include "rt/fd.h"
#include "rt/file.h"
#include "store/sqlite.h"

namespace keel::store {
namespace {

constexpr const char* create_migration_table =
    "CREATE TABLE migration(room TEXT NOT NULL, version INTEGER NOT NULL, applied_at INTEGER NOT "
    "NULL,"
    " PRIMARY KEY(room, version)) STRICT, WITHOUT ROWID";

Result<bool> has_migration_table(Connection& connection) {
  return TRY(query_integer(
             connection,
             "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name='migration'")) > 0;
}

// True if this migration was missing and is now in place.
Status apply(Connection& connection, const Migration& migration) {
  if (!TRY(has_migration_table(connection))) {
    TRY(run_sql(connection, fmt::format("PRAGMA application_id={}", application_id).c_str()));
    TRY(run_sql(connection, create_migration_table));
  }
  {
    Statement find =
        TRY(connection.prepare("SELECT 1 FROM migration WHERE room=?1 AND version=?2"));
    if (TRY(find.bind(1, migration.room).bind(2, migration.version).step())) return {};
  }
  log::info("store", "migrating {} to version {}", migration.room, migration.version);
  connection.state().in_body = true;  // a migration may not end its transaction either
  Status done = connection.execute(migration.sql);
  connection.state().in_body = false;
  if (!done) return pass(std::move(done).error());
  Statement insert =
      TRY(connection.prepare("INSERT INTO migration(room, version, applied_at) VALUES(?1, ?2, "
                             "CAST(unixepoch('subsec') * 1000 AS INTEGER))"));
  return insert.bind(1, migration.room).bind(2, migration.version).run();
}

Status check_whole(Connection& connection, const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0)
    return tl::unexpected<Error>(rt::errno_error(errno, "cannot look at " + path));
  if (static_cast<std::uint64_t>(info.st_size) > limits::store_quick_check_bytes) return {};
  std::string first = TRY(query_text(connection, "PRAGMA quick_check(1)"));
  if (first == "ok") return {};
  return fail(Code::corrupt, fmt::format("{} is damaged: {}", path, printable(first, 400)),
              damage_hint(path));
}

}  // namespace

Status check_migrations(const std::vector<Migration>& migrations) {
  std::map<std::string_view, int> newest;
  for (const Migration& migration : migrations) {
    int& version = newest[migration.room];
    if (migration.version != version + 1) {
      return fail(Code::internal, fmt::format("migration {} of {} should be number {}",
                                              migration.version, migration.room, version + 1));
    }
    version = migration.version;
  }
  return {};
}

Status prepare_file(const std::string& path) {
  // Only a new file is opened here: closing a descriptor of a file drops every lock this process
  // holds on it, so an existing one, which may be open in this process already, is looked at by
  // name.
  rt::Fd created(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (created) return {};
  if (errno != EEXIST) {
    return tl::unexpected<Error>(rt::errno_error(errno, "cannot make the database " + path));
  }
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0)
    return tl::unexpected<Error>(rt::errno_error(errno, "cannot look at " + path));
  if (!S_ISREG(info.st_mode)) {
    return fail(Code::invalid_argument, path + " is not a file, so it cannot be the database",
                "Move it away; keel makes a new database there.");
  }
  if ((info.st_mode & 0077) != 0 && ::chmod(path.c_str(), info.st_mode & 0700) != 0) {
    return tl::unexpected<Error>(
        rt::errno_error(errno, "cannot take other users' access away from " + path));
  }
  return {};
}

Status check_file(Connection& connection, const std::string& path,
                  const std::vector<Migration>& migrations) {
  std::int64_t id = TRY(query_integer(connection, "PRAGMA application_id"));
  std::int64_t objects = TRY(query_integer(connection, "SELECT count(*) FROM sqlite_schema"));
  if (id == 0 && objects == 0) return {};  // new, or made and never used
  if (id != application_id) {
    return fail(Code::corrupt, path + " is a database, but of another program",
                fmt::format("Move {} away; keel makes a new database there.", path));
  }
  TRY(check_whole(connection, path));
  if (!TRY(has_migration_table(connection))) {
    return fail(Code::corrupt, path + " has lost its table of versions", damage_hint(path));
  }

  std::map<std::string, std::int64_t> known;
  for (const Migration& migration : migrations)
    known[std::string(migration.room)] = migration.version;
  Statement select =
      TRY(connection.prepare("SELECT room, max(version) FROM migration GROUP BY room"));
  while (TRY(select.step())) {
    std::string room = select.text(0);
    if (select.integer(1) <= known[room]) continue;
    return fail(
        Code::unsupported,
        fmt::format("{} was written by a newer keel ({} is at version {}, this keel knows {})",
                    path, room, select.integer(1), known[room]),
        "Start the newer keel. Nothing was changed.");
  }
  return {};
}

Status migrate(Connection& connection, const std::vector<Migration>& migrations) {
  for (const Migration& migration : migrations) {
    TRY(run_sql(connection, "BEGIN IMMEDIATE"));
    Status done = apply(connection, migration);
    if (done) done = run_sql(connection, "COMMIT");
    if (done) continue;
    Error error = std::move(done).error();
    if (sqlite3_get_autocommit(connection.state().database) == 0) {
      // Its own failure adds nothing: the file is left as it was either way.
      Status undone = run_sql(connection, "ROLLBACK");
      if (!undone) log::error("store", "{}", undone.error().text());
    }
    error.message = fmt::format("cannot bring the tables of {} to version {}: {}", migration.room,
                                migration.version, error.message);
    return pass(std::move(error));
  }
  return {};
}

}  // namespace keel::store
