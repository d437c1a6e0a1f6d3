// A connection and its prepared statements, as values and Results. A Connection belongs to the
// thread that was handed it. Statements are cached by their SQL text, so prepare() in a loop costs
// a map look-up; a Statement is reset when it goes out of scope, and at most one Statement of the
// same SQL may be alive at a time on a connection. A Statement must not outlive the body of the
// write() or read() it was made in.
//
// Errors: disk_full (no space left), io, corrupt (with what to do), busy (another process holds the
// database), already_exists (UNIQUE or PRIMARY KEY), invalid_argument (other constraints), limit
// (over limits::store_value_bytes), permission, cancelled; internal for SQL that is wrong.
//
//   Statement insert = TRY(connection.prepare("INSERT INTO page(id, title) VALUES(?1, ?2)"));
//   TRY(insert.bind(1, id).bind(2, title).run());
//
//   Statement select = TRY(connection.prepare("SELECT id, title FROM page"));
//   while (TRY(select.step())) use(select.text(0), select.text(1));
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace keel::store {

struct CachedStatement;  // sqlite.h, this room only

class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Parameters count from 1. Text is copied. A failed bind is reported by the next step() or run().
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, const char* text) { return bind(index, std::string_view(text)); }
  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, int value) { return bind(index, static_cast<std::int64_t>(value)); }
  Statement& bind(int index, bool value) { return bind(index, static_cast<std::int64_t>(value)); }
  Statement& bind(int index, double value);
  Statement& bind_null(int index);
  Statement& bind_optional(int index, const std::optional<std::string>& text);

  // True while there is a row.
  Result<bool> step();
  // Runs to the end and resets, so that the statement can be bound again.
  Status run();
  void reset();

  // Columns count from 0; of the row step() came to. text() of a blob is its bytes, of NULL the
  // empty string.
  std::string text(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  bool is_null(int column) const;
  std::optional<std::string> optional_text(int column) const;

 private:
  friend class Connection;
  explicit Statement(CachedStatement* cached);
  sqlite3_stmt* handle() const;
  Error failure(int code) const;
  CachedStatement* cached_;
  int bind_error_ = 0;
};

class Connection {
 public:
  struct State;  // sqlite.h, this room only
  explicit Connection(std::unique_ptr<State> state);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<Statement> prepare(std::string_view sql);
  // One or more statements without parameters; rows are ignored. BEGIN, COMMIT and ROLLBACK are the
  // Database's own and are refused inside a body; savepoints are allowed.
  Status execute(std::string_view sql);
  std::int64_t changes() const;  // rows changed by the last statement
  std::int64_t last_row_id() const;

  State& state() { return *state_; }  // sqlite.h, this room only

 private:
  std::unique_ptr<State> state_;
};

}  // namespace keel::store
