#include "store/database.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/limits.h"
#include "log/log.h"
#include "rt/queue.h"
#include "rt/thread.h"
#include "store/schema.h"
#include "store/sqlite.h"

namespace keel::store {
namespace {

using Body = std::function<Status(Connection&)>;

// The one place where an exception of a body ends.
Status call(const Body& body, Connection& connection) {
  try {
    return body(connection);
  } catch (const std::exception& exception) {
    return fail(Code::internal,
                fmt::format("an exception ended work on the database: {}", exception.what()));
  } catch (...) {
    return fail(Code::internal, "an exception ended work on the database");
  }
}

}  // namespace

class Database::State {
 public:
  explicit State(const DatabaseOptions& options)
      : path_(options.path), after_commit_(options.after_commit) {}

  Status open(const DatabaseOptions& options);
  void stop();
  Status run_write(const Body* body);
  Status run_read(const Body& body);

 private:
  struct Job {
    const Body* body = nullptr;  // of the caller, who waits; nullptr asks for a checkpoint
    std::promise<Status> done;
  };

  // The writer thread.
  void write_loop();
  void handle(std::vector<Job>& batch);
  Status begin();
  std::vector<Status> run_bodies(std::vector<Job>& batch);
  Status run_body(const Body& body);
  Status undo_body();
  void commit(std::vector<Status>& results);
  void roll_back();
  void note_io_error();
  void checkpoint_if_due();
  Status checkpoint_now(int mode);
  bool in_transaction() const { return sqlite3_get_autocommit(writer_->state().database) == 0; }

  Result<Connection*> take_reader();
  void give_reader(Connection* reader);

  const std::string path_;
  const std::function<void(std::int64_t)> after_commit_;

  // Used by the writer thread alone once it runs.
  std::unique_ptr<Connection> writer_;
  std::optional<Error> refused_;  // set by an I/O error or by damage: no more writes
  std::int64_t commits_ = 0;
  int checkpoint_at_pages_ = limits::store_checkpoint_pages;

  std::vector<std::unique_ptr<Connection>> readers_;
  std::mutex readers_mutex_;
  std::condition_variable reader_free_;
  std::vector<Connection*> free_readers_;

  rt::Queue<Job> queue_{limits::store_queue};
  std::thread::id writer_id_;
  rt::Thread thread_;  // last: it ends before what it uses
};

Status check_sqlite_version(int version_number, int connections) {
  if (connections <= 1 || version_number >= 3051003) return {};
  return fail(
      Code::unsupported,
      fmt::format("SQLite {}.{}.{} can damage a database that has more than one connection",
                  version_number / 1000000, version_number / 1000 % 1000, version_number % 1000),
      "Build keel with SQLite 3.51.3 or newer (deps/deps.lock).");
}

Status Database::State::open(const DatabaseOptions& options) {
  if (options.readers < 1 || options.readers > limits::store_readers) {
    return fail(Code::internal,
                fmt::format("a database cannot have {} reading connections", options.readers));
  }
  TRY(check_sqlite_version(sqlite3_libversion_number(), options.readers + 1));
  if (sqlite3_threadsafe() == 0)
    return fail(Code::unsupported, "this SQLite was built without threads");
  TRY(check_migrations(options.migrations));
  TRY(prepare_file(path_));

  writer_ = TRY(open_connection(path_, Access::read_write, options.vfs));
  sqlite3* database = writer_->state().database;
  // Until the file is known to be ours to change, closing it must not write either.
  sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  TRY(check_file(*writer_, path_, options.migrations));

  std::string mode = TRY(query_text(*writer_, "PRAGMA journal_mode=WAL"));
  if (mode != "wal") {
    return fail(
        Code::unsupported, fmt::format("{} cannot use a write-ahead log (mode '{}')", path_, mode),
        "Put KEEL_HOME on a local disk: network and some shared folders lack the locks it needs.");
  }
  TRY(run_sql(*writer_,
              fmt::format("PRAGMA journal_size_limit={}", limits::store_wal_bytes).c_str()));
  TRY(migrate(*writer_, options.migrations));
  sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);

  for (int i = 0; i < options.readers; ++i) {
    readers_.push_back(TRY(open_connection(path_, Access::read_only, options.vfs)));
    free_readers_.push_back(readers_.back().get());
  }
  thread_ = rt::start_thread("store-writer", [this](std::stop_token) { write_loop(); });
  writer_id_ = thread_.get_id();
  return {};
}

void Database::State::stop() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
  readers_.clear();
  writer_.reset();  // last, so that it writes the log back
}

Status Database::State::run_write(const Body* body) {
  if (std::this_thread::get_id() == writer_id_) {
    return fail(Code::internal, "a write was asked for inside a write; it would wait for itself",
                "Use the connection that the write was given.");
  }
  Job job;
  job.body = body;
  std::future<Status> done = job.done.get_future();
  if (!queue_.push_wait(std::move(job))) {
    return fail(Code::unavailable, "the database is being closed");
  }
  return done.get();
}

void Database::State::write_loop() {
  std::vector<Job> batch;
  while (std::optional<Job> job = queue_.pop()) {
    batch.push_back(std::move(*job));
    while (batch.size() < limits::store_batch && (job = queue_.try_pop()))
      batch.push_back(std::move(*job));
    handle(batch);
    batch.clear();
    checkpoint_if_due();
  }
}

void Database::State::handle(std::vector<Job>& batch) {
  std::vector<Status> results(batch.size());
  bool writes =
      std::any_of(batch.begin(), batch.end(), [](const Job& job) { return job.body != nullptr; });
  if (refused_) {
    std::fill(results.begin(), results.end(), Status(tl::unexpected<Error>(*refused_)));
  } else if (writes) {
    if (Status begun = begin(); !begun) {
      std::fill(results.begin(), results.end(), begun);
    } else {
      results = run_bodies(batch);
      commit(results);
    }
    note_io_error();
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch[i].body == nullptr && results[i])
      results[i] = checkpoint_now(SQLITE_CHECKPOINT_TRUNCATE);
    batch[i].done.set_value(std::move(results[i]));
  }
}

Status Database::State::begin() {
  if (in_transaction()) roll_back();
  return run_sql(*writer_, "BEGIN IMMEDIATE");
}

std::vector<Status> Database::State::run_bodies(std::vector<Job>& batch) {
  std::vector<Status> results(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch[i].body == nullptr) continue;
    results[i] = run_body(*batch[i].body);
    if (in_transaction()) continue;
    // SQLite gave the whole transaction up (disk full, I/O error, no memory): what ran before is
    // gone too.
    Error error = results[i] ? Error{Code::internal, "the database gave up a write", {}, {}}
                             : results[i].error();
    for (std::size_t j = 0; j < batch.size(); ++j) {
      if (results[j]) results[j] = tl::unexpected<Error>(error);
    }
    break;
  }
  return results;
}

// In a savepoint of its own, so that it can be undone alone.
Status Database::State::run_body(const Body& body) {
  Connection::State& state = writer_->state();
  TRY(run_sql(*writer_, "SAVEPOINT keel_body"));
  state.in_body = true;
  Status done = call(body, *writer_);
  state.in_body = false;
  if (!in_transaction()) return done;

  if (done) {
    // Deferred foreign keys are looked at by COMMIT only, where they would fail every neighbour.
    int open_keys = 0;
    int unused = 0;
    sqlite3_db_status(state.database, SQLITE_DBSTATUS_DEFERRED_FKS, &open_keys, &unused, 0);
    if (open_keys != 0)
      done = fail(Code::invalid_argument, "a row refers to another row that does not exist");
  }
  if (done) done = run_sql(*writer_, "RELEASE keel_body");
  if (done) return done;
  if (in_transaction()) {
    if (Status undone = undo_body(); !undone) {
      log::error("store", "a failed write could not be undone alone: {}", undone.error().text());
      roll_back();
    }
  }
  return done;
}

Status Database::State::undo_body() {
  TRY(run_sql(*writer_, "ROLLBACK TO keel_body"));
  return run_sql(*writer_, "RELEASE keel_body");
}

// Every result that is still good becomes the commit's.
void Database::State::commit(std::vector<Status>& results) {
  if (!in_transaction()) return;
  bool any = std::any_of(results.begin(), results.end(),
                         [](const Status& result) { return result.has_value(); });
  if (!any) return roll_back();

  Status committed = run_sql(*writer_, "COMMIT");
  if (committed) {
    ++commits_;
    if (after_commit_) after_commit_(commits_);
    return;
  }
  roll_back();
  for (Status& result : results) {
    if (result) result = committed;
  }
}

void Database::State::roll_back() {
  if (!in_transaction()) return;
  Status undone = run_sql(*writer_, "ROLLBACK");
  if (!undone) log::error("store", "{}", undone.error().text());
}

void Database::State::note_io_error() {
  int code = writer_->state().io_error;
  if (code == 0 || refused_) return;
  bool damaged = (code & 0xff) != SQLITE_IOERR;
  refused_ =
      Error{damaged ? Code::corrupt : Code::io,
            fmt::format(
                "{} takes no more writes after an error ({}); what was acknowledged before is kept",
                path_, sqlite3_errstr(code)),
            damaged ? damage_hint(path_)
                    : "Check the disk (system log, mount, cable), then start keel again.",
            {std::source_location::current()}};
  log::error("store", "{}", refused_->text());
  // What the failed sync left in the log is looked at afresh by the next start, not copied now.
  sqlite3_db_config(writer_->state().database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

void Database::State::checkpoint_if_due() {
  if (refused_ || writer_->state().wal_pages < checkpoint_at_pages_) return;
  Status done = checkpoint_now(SQLITE_CHECKPOINT_PASSIVE);
  if (done || done.error().code == Code::busy) return;  // another process is at it
  log::warn("store", "the write-ahead log was not written back: {}", done.error().text());
}

Status Database::State::checkpoint_now(int mode) {
  Connection::State& state = writer_->state();
  int pages = 0;
  int written = 0;
  int code = sqlite3_wal_checkpoint_v2(state.database, nullptr, mode, &pages, &written);
  // A reader may hold the rest back: then not again until the log has grown by as much once more.
  bool complete = code == SQLITE_OK && written >= pages;
  checkpoint_at_pages_ =
      limits::store_checkpoint_pages + (complete ? 0 : std::max(pages, state.wal_pages));
  if (complete) state.wal_pages = 0;
  if (code == SQLITE_OK) return {};
  Error error = sqlite_error(state, code, "checkpoint");
  note_io_error();
  return tl::unexpected<Error>(std::move(error));
}

namespace {

// The reading connections this thread holds now: a read inside a read must not wait for a second
// one.
struct Held {
  const void* owner;
  Connection* connection;
};
thread_local std::vector<Held> held_readers;

}  // namespace

Status Database::State::run_read(const Body& body) {
  if (std::this_thread::get_id() == writer_id_) {
    return fail(Code::internal,
                "a read was asked for inside a write; it would not see what was just written",
                "Use the connection that the write was given.");
  }
  for (const Held& held : held_readers) {
    if (held.owner == this) return call(body, *held.connection);
  }
  Connection* reader = TRY(take_reader());
  held_readers.push_back({this, reader});
  Status done = run_sql(*reader, "BEGIN");
  if (done) {
    reader->state().in_body = true;
    done = call(body, *reader);
    reader->state().in_body = false;
  }
  if (sqlite3_get_autocommit(reader->state().database) == 0) {
    Status ended = run_sql(*reader, "ROLLBACK");
    if (!ended) log::error("store", "{}", ended.error().text());
  }
  std::erase_if(held_readers, [&](const Held& held) { return held.connection == reader; });
  give_reader(reader);
  return done;
}

Result<Connection*> Database::State::take_reader() {
  std::unique_lock lock(readers_mutex_);
  if (!reader_free_.wait_for(lock, limits::store_reader_wait,
                             [&] { return !free_readers_.empty(); })) {
    return fail(Code::busy, "all reading connections of the database are in use", "Try again.");
  }
  Connection* reader = free_readers_.back();
  free_readers_.pop_back();
  return reader;
}

void Database::State::give_reader(Connection* reader) {
  {
    std::lock_guard lock(readers_mutex_);
    free_readers_.push_back(reader);
  }
  reader_free_.notify_one();
}

Result<std::unique_ptr<Database>> Database::open(const DatabaseOptions& options) {
  auto state = std::make_unique<State>(options);
  TRY(state->open(options));
  return std::unique_ptr<Database>(new Database(std::move(state)));
}

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::~Database() {
  state_->stop();
}

Status Database::run_write(const Body& body) {
  return state_->run_write(&body);
}
Status Database::run_read(const Body& body) {
  return state_->run_read(body);
}

Status Database::check() {
  return read([&](Connection& connection) -> Status {
    std::string path = sqlite3_db_filename(connection.state().database, "main");
    std::string first = TRY(query_text(connection, "PRAGMA integrity_check(1)"));
    if (first != "ok")
      return fail(Code::corrupt, fmt::format("{} is damaged: {}", path, first), damage_hint(path));
    Statement select = TRY(connection.prepare("PRAGMA foreign_key_check"));
    if (!TRY(select.step())) return {};
    return fail(Code::corrupt,
                fmt::format("{} is damaged: a row of {} refers to a row of {} that does not exist",
                            path, select.text(0), select.text(2)),
                damage_hint(path));
  });
}

void Database::checkpoint() {
  Status done = state_->run_write(nullptr);
  if (!done)
    log::warn("store", "the write-ahead log was not written back: {}", done.error().text());
}

Result<std::unique_ptr<Connection>> scratch_connection(const std::vector<Migration>& migrations) {
  TRY(check_sqlite_version(sqlite3_libversion_number(), 1));
  TRY(check_migrations(migrations));
  std::unique_ptr<Connection> connection = TRY(open_connection(":memory:", Access::read_write, ""));
  TRY(migrate(*connection, migrations));
  return connection;
}

}  // namespace keel::store
