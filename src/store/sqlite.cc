#include "store/sqlite.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/limits.h"
#include "base/text.h"

namespace keel::store {
namespace {

bool no_space(int system_error) {
  return system_error == ENOSPC || system_error == EDQUOT;
}

Code constraint_code(int code) {
  switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return Code::already_exists;
    default:
      return Code::invalid_argument;
  }
}

Code keel_code(int code, int system_error) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Code::disk_full;
    case SQLITE_IOERR:
      return no_space(system_error) ? Code::disk_full : Code::io;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::corrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::busy;
    case SQLITE_CONSTRAINT:
      return constraint_code(code);
    case SQLITE_TOOBIG:
      return Code::limit;
    case SQLITE_NOMEM:
      return Code::unavailable;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return Code::permission;
    case SQLITE_CANTOPEN:
      return system_error == EACCES ? Code::permission : Code::io;
    case SQLITE_INTERRUPT:
      return Code::cancelled;
    default:
      return Code::internal;
  }
}

std::string hint_for(Code code, std::string_view path) {
  switch (code) {
    case Code::disk_full:
      return fmt::format(
          "Free some space on the disk that holds {}; nothing that was saved before is lost.",
          path);
    case Code::io:
      return fmt::format(
          "Check the disk that holds {} (system log, mount, cable), then start keel again.", path);
    case Code::corrupt:
      return damage_hint(path);
    case Code::busy:
      return fmt::format("Another program is writing to {}. Close it and try again.", path);
    case Code::permission:
      return fmt::format("Make {} and its folder writable for your user.", path);
    default:
      return {};
  }
}

int count_wal_pages(void* state, sqlite3*, const char*, int pages) {
  static_cast<Connection::State*>(state)->wal_pages = pages;
  return SQLITE_OK;
}

// A body that committed would acknowledge its neighbours' half-done work.
int guard_transactions(void* state, int action, const char*, const char* name, const char*,
                       const char*) {
  if (!static_cast<Connection::State*>(state)->in_body) return SQLITE_OK;
  bool forbidden = action == SQLITE_TRANSACTION || action == SQLITE_ATTACH ||
                   action == SQLITE_DETACH ||
                   (action == SQLITE_SAVEPOINT && sqlite3_stricmp(name, body_savepoint) == 0);
  return forbidden ? SQLITE_DENY : SQLITE_OK;
}

}  // namespace

Connection::State::~State() {
  for (auto& [sql, cached] : statements) sqlite3_finalize(cached.handle);
  sqlite3_close_v2(database);
}

std::string damage_hint(std::string_view path) {
  return fmt::format(
      "Stop keel and keep a copy of {0}, and of {0}-wal if it is there. `sqlite3 {0} .recover` can "
      "often save the "
      "content into a new file. To start anew, move both files away: keel makes an empty database.",
      path);
}

Error sqlite_error(Connection::State& state, int code, std::string_view what) {
  int system_error = sqlite3_system_errno(state.database);
  const char* name = sqlite3_db_filename(state.database, "main");
  std::string path = name == nullptr || *name == 0 ? "the database" : name;
  if ((code & 0xff) != SQLITE_IOERR && (code & 0xff) != SQLITE_CANTOPEN) system_error = 0;

  Code kind = keel_code(code, system_error);
  // A sync that failed for want of space may have lost pages all the same, so only failed writes
  // are harmless.
  bool failed_sync = code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
  bool failed_disk = (code & 0xff) == SQLITE_IOERR && (kind == Code::io || failed_sync);
  bool damaged =
      kind == Code::corrupt && code != SQLITE_CORRUPT_VTAB;  // an index of FTS5 can be made anew
  if ((failed_disk || damaged) && state.io_error == 0) state.io_error = code;

  std::string reason =
      sqlite3_errcode(state.database) == code || sqlite3_extended_errcode(state.database) == code
          ? sqlite3_errmsg(state.database)
          : sqlite3_errstr(code);
  if (system_error != 0) reason += fmt::format(" ({})", std::strerror(system_error));
  std::string message = fmt::format("{}: {}", path, reason);
  // The statement's text helps only whoever wrote it, and holds no values: those are bound.
  if (kind == Code::internal || kind == Code::invalid_argument || kind == Code::already_exists) {
    message += fmt::format(" in \"{}\"", printable(what, 400));
  }
  return Error{kind, std::move(message), hint_for(kind, path), {std::source_location::current()}};
}

Result<std::unique_ptr<Connection>> open_connection(const std::string& path, Access access,
                                                    const std::string& vfs) {
  auto state = std::make_unique<Connection::State>();
  int flags = access == Access::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  int code =
      sqlite3_open_v2(path.c_str(), &state->database, flags, vfs.empty() ? nullptr : vfs.c_str());
  if (state->database == nullptr)
    return fail(Code::unavailable, "there is no memory to open " + path);
  if (code != SQLITE_OK) return tl::unexpected<Error>(sqlite_error(*state, code, "open"));

  sqlite3* database = state->database;
  auto busy_wait = std::chrono::duration_cast<std::chrono::milliseconds>(limits::store_busy_wait);
  sqlite3_busy_timeout(database, static_cast<int>(busy_wait.count()));
  sqlite3_limit(database, SQLITE_LIMIT_LENGTH, limits::store_value_bytes);
  sqlite3_wal_hook(database, count_wal_pages,
                   state.get());  // also switches the automatic checkpoint off
  sqlite3_set_authorizer(database, guard_transactions, state.get());
  sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);

  auto connection = std::make_unique<Connection>(std::move(state));
  TRY(run_sql(*connection,
              "PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; PRAGMA synchronous=FULL; PRAGMA "
              "fullfsync=ON;"
              "PRAGMA checkpoint_fullfsync=ON; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON;"
              "PRAGMA temp_store=MEMORY;"));
  if (access == Access::read_only) TRY(run_sql(*connection, "PRAGMA query_only=ON"));
  return connection;
}

Status run_sql(Connection& connection, const char* sql) {
  Connection::State& state = connection.state();
  int code = sqlite3_exec(state.database, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return tl::unexpected<Error>(sqlite_error(state, code, sql));
  return {};
}

Result<std::string> query_text(Connection& connection, std::string_view sql) {
  Statement select = TRY(connection.prepare(sql));
  if (!TRY(select.step())) return std::string();
  return select.text(0);
}

Result<std::int64_t> query_integer(Connection& connection, std::string_view sql) {
  Statement select = TRY(connection.prepare(sql));
  if (!TRY(select.step())) return std::int64_t{0};
  return select.integer(0);
}

}  // namespace keel::store
