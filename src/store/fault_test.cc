// What a disk that fails, a disk that is full and a process that is killed do to the database.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>

#include "log/log.h"
#include "store/database.h"
#include "store/fault_vfs.h"
#include "store/test_folder.h"

namespace keel::store {
namespace {

std::set<std::int64_t> stored_ids(Database& database) {
  std::set<std::int64_t> ids;
  MUST(database.read([&](Connection& c) -> Status {
    Statement select = TRY(c.prepare("SELECT id FROM note"));
    while (TRY(select.step())) ids.insert(select.integer(0));
    return {};
  }));
  return ids;
}

DatabaseOptions faulty_options(const TestFolder& folder) {
  MUST(log::open({.path = "", .level = log::Level::off}));  // a sweep would print hundreds of lines
  DatabaseOptions options = note_options(folder);
  options.vfs = FaultVfs::name;
  return options;
}

TEST(Fault, a_full_disk_is_said_and_writes_work_again_when_there_is_space) {
  FaultVfs faults;
  TestFolder folder;
  auto database = MUST(Database::open(faulty_options(folder)));
  MUST(database->write([](Connection& c) { return add_note(c, 1, "before"); }));
  faults.fail_at(0, SQLITE_FULL);
  for (int i = 0; i < 3; ++i) {
    Status full = database->write([](Connection& c) { return add_note(c, 2, "during"); });
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Code::disk_full) << full.error().text();
    EXPECT_NE(full.error().hint.find("Free some space"), std::string::npos);
    EXPECT_EQ(count_notes(*database), 1);
  }
  faults.heal();
  MUST(database->write([](Connection& c) { return add_note(c, 2, "after"); }));
  EXPECT_EQ(count_notes(*database), 2);
  MUST(database->check());
}

TEST(Fault, a_write_larger_than_the_page_cache_on_a_full_disk_is_undone_whole) {
  FaultVfs faults;
  TestFolder folder;
  auto database = MUST(Database::open(faulty_options(folder)));
  faults.fail_at(faults.calls() + 100, SQLITE_FULL);
  Status full = database->write([](Connection& c) -> Status {
    for (int i = 0; i < 4000; ++i) TRY(add_note(c, i, std::string(2000, 'x')));
    return {};
  });
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Code::disk_full);
  faults.heal();
  EXPECT_EQ(count_notes(*database), 0);
  MUST(database->write([](Connection& c) { return add_note(c, 1, "after"); }));
  MUST(database->check());
}

TEST(Fault, after_an_io_error_no_write_is_acknowledged_until_the_database_is_opened_again) {
  FaultVfs faults;
  TestFolder folder;
  {
    auto database = MUST(Database::open(faulty_options(folder)));
    MUST(database->write([](Connection& c) { return add_note(c, 1, "before"); }));
    faults.fail_at(faults.calls() + 1, SQLITE_IOERR, true);
    Status failed = database->write([](Connection& c) { return add_note(c, 2, "during"); });
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Code::io) << failed.error().text();
    Status refused = database->write([](Connection& c) { return add_note(c, 3, "after"); });
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::io);
    EXPECT_NE(refused.error().message.find("no more writes"), std::string::npos);
    EXPECT_FALSE(refused.error().hint.empty());
    EXPECT_EQ(count_notes(*database), 1);
  }
  auto database = MUST(Database::open(faulty_options(folder)));
  MUST(database->write([](Connection& c) { return add_note(c, 3, "after"); }));
  MUST(database->check());
}

// Runs the same writes with the n-th disk call failing, for every n until none fails any more.
void sweep(int code, bool once) {
  int failing_runs = 0;
  for (int n = 1; n < 500; ++n) {
    FaultVfs faults;
    TestFolder folder;
    std::set<std::int64_t> acknowledged;
    bool failed = false;
    faults.fail_at(n, code, once);
    if (auto database = Database::open(faulty_options(folder)); database) {
      for (std::int64_t i = 1; i <= 8; ++i) {
        Status done = (*database)->write(
            [&](Connection& c) { return add_note(c, i, std::string(3000, 'x')); });
        if (done)
          acknowledged.insert(i);
        else
          failed = true;
        if (i == 4) (*database)->checkpoint();
      }
    } else {
      failed = true;
      EXPECT_TRUE(database.error().code == Code::io || database.error().code == Code::disk_full)
          << n << ": " << database.error().text();
    }
    failing_runs += failed ? 1 : 0;
    faults.heal();
    auto database = Database::open(faulty_options(folder));
    ASSERT_TRUE(database) << n << ": " << database.error().text();
    ASSERT_TRUE((*database)->check()) << n;
    std::set<std::int64_t> stored = stored_ids(**database);
    for (std::int64_t id : acknowledged)
      EXPECT_TRUE(stored.contains(id)) << "call " << n << " lost note " << id;
    if (!failed && faults.calls() < n) {
      EXPECT_GT(failing_runs, 10);
      return;
    }
  }
  ADD_FAILURE() << "the sweep did not come to its end";
}

TEST(Fault, a_full_disk_at_any_call_loses_nothing_acknowledged) {
  sweep(SQLITE_FULL, false);
}
TEST(Fault, an_io_error_at_any_call_loses_nothing_acknowledged) {
  sweep(SQLITE_IOERR, false);
}
TEST(Fault, one_io_error_at_any_call_loses_nothing_acknowledged) {
  sweep(SQLITE_IOERR, true);
}

// Writes notes for ever and says each acknowledged number through the pipe.
[[noreturn]] void write_until_killed(const DatabaseOptions& options, std::int64_t first, int pipe) {
  auto database = Database::open(options);
  if (!database) ::_exit(1);
  for (std::int64_t i = first;; ++i) {
    Status done =
        (*database)->write([&](Connection& c) { return add_note(c, i, std::string(500, 'x')); });
    if (!done || ::write(pipe, &i, sizeof i) != sizeof i) ::_exit(2);
  }
}

TEST(Fault, kill_dash_nine_keeps_every_acknowledged_note) {
  TestFolder folder;
  std::set<std::int64_t> acknowledged;
  for (int round = 0; round < 12; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      write_until_killed(note_options(folder), 1 + round * 1000000, ends[1]);
    }
    ::close(ends[1]);
    ::usleep(static_cast<useconds_t>(40000 + round * 7300));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    std::int64_t id = 0;
    while (::read(ends[0], &id, sizeof id) == sizeof id) acknowledged.insert(id);
    ::close(ends[0]);
  }
  auto database = MUST(Database::open(note_options(folder)));
  MUST(database->check());
  std::set<std::int64_t> stored = stored_ids(*database);
  EXPECT_GT(acknowledged.size(), 12u);
  for (std::int64_t id : acknowledged) EXPECT_TRUE(stored.contains(id)) << id;
  EXPECT_LE(stored.size(), acknowledged.size() + 12);
}

TEST(Fault, killed_between_commit_and_answer_the_note_is_there) {
  TestFolder folder;
  DatabaseOptions options = note_options(folder);
  options.after_commit = [](std::int64_t number) {
    if (number == 3) ::raise(SIGKILL);
  };
  pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto database = Database::open(options);
    for (std::int64_t i = 1; i < 10; ++i) {
      Status done = (*database)->write([&](Connection& c) { return add_note(c, i, "x"); });
      if (!done) ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto database = MUST(Database::open(note_options(folder)));
  EXPECT_EQ(stored_ids(*database), (std::set<std::int64_t>{1, 2, 3}));
}

}  // namespace
}  // namespace keel::store
