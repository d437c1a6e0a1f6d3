#include "store/statement.h"

#include <fmt/format.h>

#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "store/sqlite.h"

namespace keel::store {

Statement::Statement(CachedStatement* cached) : cached_(cached) {
  cached_->in_use = true;
}

Statement::Statement(Statement&& other) noexcept
    : cached_(std::exchange(other.cached_, nullptr)), bind_error_(other.bind_error_) {}

Statement::~Statement() {
  if (cached_ == nullptr) return;
  sqlite3_reset(cached_->handle);
  sqlite3_clear_bindings(cached_->handle);  // the next user must not inherit values
  cached_->in_use = false;
}

sqlite3_stmt* Statement::handle() const {
  KEEL_ASSERT(cached_ != nullptr);
  return cached_->handle;
}

Error Statement::failure(int code) const {
  return sqlite_error(*cached_->owner, code, sqlite3_sql(cached_->handle));
}

Statement& Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL, but an empty text is meant.
  const char* data = text.data() == nullptr ? "" : text.data();
  int code = sqlite3_bind_text64(handle(), index, data, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK && bind_error_ == SQLITE_OK) bind_error_ = code;
  return *this;
}

Statement& Statement::bind(int index, std::int64_t value) {
  int code = sqlite3_bind_int64(handle(), index, value);
  if (code != SQLITE_OK && bind_error_ == SQLITE_OK) bind_error_ = code;
  return *this;
}

Statement& Statement::bind(int index, double value) {
  int code = sqlite3_bind_double(handle(), index, value);
  if (code != SQLITE_OK && bind_error_ == SQLITE_OK) bind_error_ = code;
  return *this;
}

Statement& Statement::bind_null(int index) {
  int code = sqlite3_bind_null(handle(), index);
  if (code != SQLITE_OK && bind_error_ == SQLITE_OK) bind_error_ = code;
  return *this;
}

Statement& Statement::bind_optional(int index, const std::optional<std::string>& text) {
  return text ? bind(index, std::string_view(*text)) : bind_null(index);
}

Result<bool> Statement::step() {
  sqlite3_stmt* statement = handle();
  if (bind_error_ != SQLITE_OK) {
    int code = std::exchange(bind_error_, SQLITE_OK);
    return tl::unexpected<Error>(failure(code));
  }
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = failure(code);
  sqlite3_reset(statement);  // after failure(): a reset overwrites the connection's message
  return tl::unexpected<Error>(std::move(error));
}

Status Statement::run() {
  while (true) {
    Result<bool> row = step();
    if (!row || !*row) {
      reset();
      if (!row) return pass(std::move(row).error());
      return {};
    }
  }
}

void Statement::reset() {
  sqlite3_reset(handle());
  bind_error_ = SQLITE_OK;
}

std::string Statement::text(int column) const {
  sqlite3_stmt* statement = handle();
  const void* data = sqlite3_column_type(statement, column) == SQLITE_BLOB
                         ? sqlite3_column_blob(statement, column)
                         : static_cast<const void*>(sqlite3_column_text(statement, column));
  if (data == nullptr) return {};
  int size = sqlite3_column_bytes(statement, column);
  return std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle(), column);
}

double Statement::real(int column) const {
  return sqlite3_column_double(handle(), column);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle(), column) == SQLITE_NULL;
}

std::optional<std::string> Statement::optional_text(int column) const {
  if (is_null(column)) return std::nullopt;
  return text(column);
}

Connection::Connection(std::unique_ptr<State> state) : state_(std::move(state)) {}
Connection::~Connection() = default;

Result<Statement> Connection::prepare(std::string_view sql) {
  auto found = state_->statements.find(sql);
  if (found != state_->statements.end()) {
    if (found->second.in_use) {
      return fail(Code::internal, fmt::format("a statement is still in use: {}",
                                              printable(sql, limits::config_text_bytes)));
    }
    return Statement(&found->second);
  }

  if (state_->statements.size() >= limits::store_statements) {
    std::erase_if(state_->statements, [](auto& entry) {
      if (entry.second.in_use) return false;
      sqlite3_finalize(entry.second.handle);
      return true;
    });
  }

  sqlite3_stmt* handle = nullptr;
  const char* rest = nullptr;
  int code = sqlite3_prepare_v3(state_->database, sql.data(), static_cast<int>(sql.size()),
                                SQLITE_PREPARE_PERSISTENT, &handle, &rest);
  if (code != SQLITE_OK) return tl::unexpected<Error>(sqlite_error(*state_, code, sql));
  std::string_view tail = sql.substr(static_cast<std::size_t>(rest - sql.data()));
  if (handle == nullptr || !trim(tail).empty()) {
    sqlite3_finalize(handle);
    return fail(Code::internal,
                fmt::format("prepare() takes exactly one statement: {}", printable(sql)));
  }
  CachedStatement& cached = state_->statements[std::string(sql)];
  cached.handle = handle;
  cached.owner = state_.get();
  return Statement(&cached);
}

Status Connection::execute(std::string_view sql) {
  std::string text(sql);
  if (text.find('\0') != std::string::npos) return fail(Code::internal, "an SQL text holds a NUL");
  int code = sqlite3_exec(state_->database, text.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return tl::unexpected<Error>(sqlite_error(*state_, code, sql));
  return {};
}

std::int64_t Connection::changes() const {
  return sqlite3_changes64(state_->database);
}

std::int64_t Connection::last_row_id() const {
  return sqlite3_last_insert_rowid(state_->database);
}

}  // namespace keel::store
