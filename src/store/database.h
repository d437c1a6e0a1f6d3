// The one SQLite database of keel (KEEL_HOME/keel.db): WAL, synchronous=FULL, foreign keys on,
// secure_delete on.
//
// Threads: one writer thread owns the write connection. write() hands it a function and returns
// after the transaction that holds it has been committed and synced; functions that wait at the
// same time share one commit (group commit), each in a savepoint of its own, so that one that fails
// is undone alone. read() runs on the calling thread with a read-only connection from a small pool
// and sees committed data only, all of it of one moment. All members may be called from any thread,
// but not from inside a write body: that is Code::internal, because it would wait for itself. A
// read() inside a read() uses the same connection and moment; a write() inside a read() is allowed
// and is not seen by that read.
//
// Errors: disk full is Code::disk_full and loses nothing that was acknowledged; the next write
// works when there is space again. After an I/O error the outcome of the writes it hit is unknown:
// they fail, and the database refuses writes until it is opened again, and says so. A body that
// throws is undone and is Code::internal.
//
// Bounds: limits::store_queue writes wait, further callers wait for room; limits::store_batch share
// a commit; a caller waits limits::store_reader_wait for a reading connection, then gets
// Code::busy.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "store/statement.h"

namespace keel::store {

struct Migration {
  std::string_view room;  // memory, journal ...: versions count per room
  int version;            // 1, 2, 3 ... without a gap
  std::string_view sql;   // run once, in one transaction with the row that records it
};

struct DatabaseOptions {
  std::string path;
  std::vector<Migration> migrations;
  int readers = 3;

  // For tests: the name of a registered SQLite VFS (empty: the system's), and a function that the
  // writer thread calls after each commit, before anybody is told of it; commits are counted from 1
  // since open().
  std::string vfs;
  std::function<void(std::int64_t commit_number)> after_commit;
};

// Versions before 3.51.3 can corrupt a database in WAL mode that has more than one connection.
Status check_sqlite_version(int version_number, int connections);

// A database in this process's memory with the tables of `migrations`, for working out something
// that is thrown away afterwards. It belongs to the calling thread; every statement is its own
// transaction.
Result<std::unique_ptr<Connection>> scratch_connection(const std::vector<Migration>& migrations);

class Database {
 public:
  // Creates the file (0600, in a folder that exists) and migrates it. A file of a newer keel is
  // Code::unsupported, a damaged one or another program's Code::corrupt with what to do; neither is
  // touched. Files up to limits::store_quick_check_bytes are checked as a whole, larger ones by
  // check() only.
  static Result<std::unique_ptr<Database>> open(const DatabaseOptions& options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // F: Result<T>(Connection&). An error of F rolls its savepoint back and is returned.
  template <class F>
  auto write(F&& body) -> std::invoke_result_t<F, Connection&> {
    using R = std::invoke_result_t<F, Connection&>;
    R result = fail(Code::internal, "the write did not run");
    Status done = run_write([&](Connection& connection) -> Status {
      result = body(connection);
      if (!result) return tl::unexpected<Error>(result.error());
      return {};
    });
    if (!done) return tl::unexpected<Error>(std::move(done).error());
    return result;
  }

  // F: Result<T>(Connection&), reading only.
  template <class F>
  auto read(F&& body) -> std::invoke_result_t<F, Connection&> {
    using R = std::invoke_result_t<F, Connection&>;
    R result = fail(Code::internal, "the read did not run");
    Status done = run_read([&](Connection& connection) -> Status {
      result = body(connection);
      return {};
    });
    if (!done) return tl::unexpected<Error>(std::move(done).error());
    return result;
  }

  // PRAGMA integrity_check and foreign_key_check; the first problem as Code::corrupt.
  Status check();
  // Writes the WAL back into the database file and empties it: on shutdown, and after something was
  // forgotten, because deleted text stays readable in the WAL until then. Durability does not
  // depend on it.
  void checkpoint();

 private:
  class State;
  explicit Database(std::unique_ptr<State> state);
  Status run_write(const std::function<Status(Connection&)>& body);
  Status run_read(const std::function<Status(Connection&)>& body);
  std::unique_ptr<State> state_;
};

}  // namespace keel::store
