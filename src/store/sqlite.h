// What the files of this room share: a connection's state, SQLite's result codes as errors, and
// opening a connection with keel's settings. Not for other rooms: it includes sqlite3.h.
#pragma once

#include <sqlite3.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/statement.h"

namespace keel::store {

// Around each body of a write.
inline constexpr const char* body_savepoint = "keel_body";

struct CachedStatement {
  sqlite3_stmt* handle = nullptr;
  bool in_use = false;
  Connection::State* owner = nullptr;
};

struct Connection::State {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  sqlite3* database = nullptr;
  std::map<std::string, CachedStatement, std::less<>> statements;  // nodes stay where they are
  bool in_body = false;  // a body runs: it may not begin or end transactions
  int io_error = 0;      // the first I/O error or damage seen, a full disk excepted; 0 for none
  int wal_pages = 0;     // after the newest commit of this connection
};

// The error for `code`, and a note in `state` if it is an I/O error or damage.
Error sqlite_error(Connection::State& state, int code, std::string_view what);

enum class Access { read_write, read_only };
// `vfs` may be empty. Sets what does not touch the file: busy wait, limits, read-only, foreign keys
// and so on.
Result<std::unique_ptr<Connection>> open_connection(const std::string& path, Access access,
                                                    const std::string& vfs);

// Runs one SQL text outside the cache and the body guard: transactions and pragmas.
Status run_sql(Connection& connection, const char* sql);
// The first column of the first row, empty if there is none.
Result<std::string> query_text(Connection& connection, std::string_view sql);
Result<std::int64_t> query_integer(Connection& connection, std::string_view sql);

// What the owner can do about a damaged file.
std::string damage_hint(std::string_view path);

}  // namespace keel::store
