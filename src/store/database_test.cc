#include "store/database.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <stdexcept>

#include "rt/patience_test.h"
#include "rt/thread.h"
#include "store/sqlite.h"
#include "store/test_folder.h"

namespace keel::store {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

mode_t mode_of(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
}

class Gate {
 public:
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

TEST(Database, the_files_are_private_even_with_a_wide_umask) {
  TestFolder folder;
  mode_t old = ::umask(0);
  auto database = MUST(Database::open(note_options(folder)));
  MUST(database->write([](Connection& c) { return add_note(c, 1, "one"); }));
  ::umask(old);
  EXPECT_EQ(mode_of(folder.file("keel.db")), 0600u);
  EXPECT_EQ(mode_of(folder.file("keel.db-wal")), 0600u);
  EXPECT_EQ(mode_of(folder.file("keel.db-shm")), 0600u);
}

TEST(Database, a_file_others_can_read_is_closed_to_them) {
  TestFolder folder;
  MUST(Database::open(note_options(folder)));
  ASSERT_EQ(::chmod(folder.file("keel.db").c_str(), 0664), 0);
  auto database = MUST(Database::open(note_options(folder)));
  EXPECT_EQ(mode_of(folder.file("keel.db")), 0600u);
}

TEST(Database, the_settings_that_durability_rests_on_are_on) {
  TestFolder folder;
  auto database = MUST(Database::open(note_options(folder)));
  auto settings = [](Connection& c) -> Result<std::string> {
    std::string all;
    for (const char* name : {"journal_mode", "synchronous", "foreign_keys", "secure_delete",
                             "fullfsync", "checkpoint_fullfsync", "mmap_size", "query_only"}) {
      all += std::string(name) + "=" + TRY(query_text(c, "PRAGMA " + std::string(name))) + " ";
    }
    return all;
  };
  EXPECT_EQ(MUST(database->write(settings)),
            "journal_mode=wal synchronous=2 foreign_keys=1 secure_delete=1 fullfsync=1 "
            "checkpoint_fullfsync=1 "
            "mmap_size=0 query_only=0 ");
  EXPECT_NE(MUST(database->read(settings)).find("query_only=1"), std::string::npos);
}

TEST(Database, writes_that_wait_together_share_one_commit) {
  TestFolder folder;
  std::atomic<int> commits{0};
  DatabaseOptions options = note_options(folder);
  options.after_commit = [&](std::int64_t number) {
    EXPECT_EQ(number, commits + 1);
    ++commits;
  };
  auto database = MUST(Database::open(options));
  Gate running;
  Gate go;
  std::atomic<int> failures{0};
  std::vector<rt::Thread> threads;
  threads.push_back(rt::start_thread("first", [&](std::stop_token) {
    MUST(database->write([&](Connection& c) -> Status {
      running.open();
      go.wait();
      return add_note(c, 1000, "first");
    }));
  }));
  running.wait();
  std::atomic<int> calling{0};
  for (int i = 0; i < 20; ++i) {
    threads.push_back(rt::start_thread("write", [&, i](std::stop_token) {
      ++calling;
      // Number 7 collides with itself, number 8 breaks a key that is checked at the end: they alone
      // must fail.
      Status done = database->write([&](Connection& c) -> Status {
        TRY(add_note(c, i, "body"));
        if (i == 7) TRY(add_note(c, i, "again"));
        if (i == 8) TRY(c.execute("INSERT INTO tag(note, name) VALUES(99999, 'x')"));
        return {};
      });
      if (!done) ++failures;
    }));
  }
  while (calling < 20) rt::sleep_ms(1);
  rt::sleep_ms(rt::sanitized ? 500 : 50);  // the last of them may not be in the queue yet
  go.open();
  threads.clear();
  EXPECT_EQ(failures, 2);
  EXPECT_EQ(count_notes(*database), 19);
  EXPECT_GE(commits, 2);
  EXPECT_LE(commits, 4);
}

TEST(Database, a_failing_body_is_undone_alone_and_keeps_its_error) {
  TestFolder folder;
  auto database = MUST(Database::open(note_options(folder)));
  Status done = database->write([](Connection& c) -> Status {
    TRY(add_note(c, 1, "one"));
    return fail(Code::limit, "enough");
  });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "enough");
  EXPECT_EQ(count_notes(*database), 0);
  EXPECT_EQ(MUST(database->write([](Connection& c) -> Result<int> {
              TRY(add_note(c, 1, "one"));
              return 42;
            })),
            42);
  EXPECT_EQ(count_notes(*database), 1);
}

TEST(Database, a_body_that_throws_is_undone_and_the_writer_lives) {
  TestFolder folder;
  auto database = MUST(Database::open(note_options(folder)));
  Status thrown = database->write([](Connection& c) -> Status {
    TRY(add_note(c, 1, "one"));
    throw std::runtime_error("boom");
  });
  ASSERT_FALSE(thrown);
  EXPECT_EQ(thrown.error().code, Code::internal);
  EXPECT_NE(thrown.error().message.find("boom"), std::string::npos);
  Status odd = database->write([](Connection&) -> Status { throw 1; });
  EXPECT_EQ(odd.error().code, Code::internal);
  Status in_read = database->read([](Connection&) -> Status { throw std::runtime_error("boom"); });
  EXPECT_EQ(in_read.error().code, Code::internal);
  MUST(database->write([](Connection& c) { return add_note(c, 2, "two"); }));
  EXPECT_EQ(count_notes(*database), 1);
}

TEST(Database, a_broken_deferred_key_fails_its_own_write_only) {
  TestFolder folder;
  auto database = MUST(Database::open(note_options(folder)));
  Status broken = database->write(
      [](Connection& c) { return c.execute("INSERT INTO tag(note, name) VALUES(99, 'x')"); });
  EXPECT_EQ(broken.error().code, Code::invalid_argument);
  MUST(database->write([](Connection& c) -> Status {
    TRY(c.execute("INSERT INTO tag(note, name) VALUES(5, 'x')"));
    return add_note(c, 5, "late");
  }));
  MUST(database->check());
}

TEST(Database, a_body_cannot_end_the_shared_transaction) {
  TestFolder folder;
  auto database = MUST(Database::open(note_options(folder)));
  for (const char* sql : {"COMMIT", "ROLLBACK", "BEGIN", "RELEASE keel_body",
                          "ROLLBACK TO keel_body", "ATTACH ':memory:' AS other"}) {
    Status done = database->write([&](Connection& c) -> Status {
      TRY(add_note(c, 1, "one"));
      return c.execute(sql);
    });
    EXPECT_FALSE(done) << sql;
  }
  EXPECT_EQ(count_notes(*database), 0);
  MUST(database->write([](Connection& c) -> Status {
    TRY(c.execute("SAVEPOINT mine"));
    TRY(add_note(c, 1, "one"));
    TRY(c.execute("ROLLBACK TO mine"));
    TRY(c.execute("RELEASE mine"));
    return add_note(c, 2, "two");
  }));
  EXPECT_EQ(count_notes(*database), 1);
}

TEST(Database, a_write_inside_a_write_fails_instead_of_hanging) {
  TestFolder folder;
  auto database = MUST(Database::open(note_options(folder)));
  MUST(database->write([&](Connection& c) -> Status {
    Status inner = database->write([](Connection& d) { return add_note(d, 1, "inner"); });
    EXPECT_EQ(inner.error().code, Code::internal);
    Result<int> read = database->read([](Connection&) -> Result<int> { return 1; });
    EXPECT_EQ(read.error().code, Code::internal);
    database->checkpoint();
    return add_note(c, 2, "outer");
  }));
  EXPECT_EQ(count_notes(*database), 1);
}

TEST(Database, a_read_inside_a_read_takes_no_second_connection) {
  TestFolder folder;
  DatabaseOptions options = note_options(folder);
  options.readers = 1;
  auto database = MUST(Database::open(options));
  int value = MUST(database->read([&](Connection&) -> Result<int> {
    return database->read([](Connection&) -> Result<int> { return 7; });
  }));
  EXPECT_EQ(value, 7);
}

TEST(Database, a_read_sees_one_moment_and_committed_data_only) {
  TestFolder folder;
  auto database = MUST(Database::open(note_options(folder)));
  Gate written;
  Gate go;
  rt::Thread writer = rt::start_thread("write", [&](std::stop_token) {
    MUST(database->write([&](Connection& c) -> Status {
      TRY(add_note(c, 1, "one"));
      written.open();
      go.wait();
      return {};
    }));
  });
  written.wait();
  EXPECT_EQ(count_notes(*database), 0);
  go.open();
  writer.join();
  EXPECT_EQ(count_notes(*database), 1);

  MUST(database->read([&](Connection& c) -> Status {
    EXPECT_EQ(TRY(query_integer(c, "SELECT count(*) FROM note")), 1);
    MUST(database->write([](Connection& d) { return add_note(d, 2, "two"); }));
    EXPECT_EQ(TRY(query_integer(c, "SELECT count(*) FROM note")), 1);
    return {};
  }));
  EXPECT_EQ(count_notes(*database), 2);
}

TEST(Database, a_reading_connection_cannot_write) {
  TestFolder folder;
  auto database = MUST(Database::open(note_options(folder)));
  Status done = database->read([](Connection& c) { return add_note(c, 1, "one"); });
  EXPECT_FALSE(done);
  EXPECT_EQ(count_notes(*database), 0);
}

TEST(Database, eight_threads_with_two_hundred_writes_each_lose_nothing) {
  TestFolder folder;
  auto database = MUST(Database::open(note_options(folder)));
  std::atomic<int> acknowledged{0};
  {
    std::vector<rt::Thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.push_back(rt::start_thread("write", [&, t](std::stop_token) {
        for (int i = 0; i < 200; ++i) {
          if (database->write([&](Connection& c) { return add_note(c, t * 1000 + i, "body"); }))
            ++acknowledged;
          if (i % 20 == 0) {
            EXPECT_GE(count_notes(*database), i);
          }
        }
      }));
    }
  }
  EXPECT_EQ(acknowledged, 1600);
  EXPECT_EQ(count_notes(*database), 1600);
  MUST(database->check());
  database->checkpoint();
  EXPECT_EQ(std::filesystem::file_size(folder.file("keel.db-wal")), 0u);
}

TEST(Database, the_log_is_written_back_before_it_grows_without_bound) {
  TestFolder folder;
  auto database = MUST(Database::open(note_options(folder)));
  std::string body(20000, 'x');
  for (int i = 0; i < 400; ++i)
    MUST(database->write([&](Connection& c) { return add_note(c, i, body); }));
  // 400 notes of 5 pages and more would be 8 MB without a checkpoint; one is due after 1000 pages.
  EXPECT_LT(std::filesystem::file_size(folder.file("keel.db-wal")), 6u << 20);
  EXPECT_GT(std::filesystem::file_size(folder.file("keel.db")), 4u << 20);
}

TEST(Database, forgotten_text_is_gone_from_all_files_after_a_checkpoint) {
  TestFolder folder;
  auto database = MUST(Database::open(note_options(folder)));
  MUST(database->write([](Connection& c) { return add_note(c, 1, "the canary sang"); }));
  database->checkpoint();
  EXPECT_NE(content(folder.file("keel.db")).find("canary"), std::string::npos);
  MUST(database->write([](Connection& c) { return c.execute("DELETE FROM note"); }));
  database->checkpoint();
  EXPECT_EQ(content(folder.file("keel.db")).find("canary"), std::string::npos);
  EXPECT_EQ(content(folder.file("keel.db-wal")).find("canary"), std::string::npos);
}

TEST(Database, an_old_sqlite_is_refused_with_several_connections) {
  EXPECT_EQ(check_sqlite_version(3051002, 2).error().code, Code::unsupported);
  EXPECT_EQ(check_sqlite_version(3040001, 4).error().code, Code::unsupported);
  EXPECT_TRUE(check_sqlite_version(3051002, 1));
  EXPECT_TRUE(check_sqlite_version(3051003, 4));
}

TEST(Database, many_readers_wait_for_their_turn) {
  TestFolder folder;
  DatabaseOptions options = note_options(folder);
  options.readers = 2;
  auto database = MUST(Database::open(options));
  std::atomic<int> done{0};
  {
    std::vector<rt::Thread> threads;
    for (int t = 0; t < 12; ++t) {
      threads.push_back(rt::start_thread("read", [&](std::stop_token) {
        for (int i = 0; i < 50; ++i) done += count_notes(*database) == 0 ? 1 : 0;
      }));
    }
  }
  EXPECT_EQ(done, 600);
}

TEST(Database, a_scratch_connection_has_the_tables_and_leaves_nothing) {
  const std::vector<Migration> migrations = {{"notes", 1, "CREATE TABLE note(text TEXT)"}};
  for (int round = 0; round < 2; ++round) {
    std::unique_ptr<Connection> scratch = MUST(scratch_connection(migrations));
    MUST(scratch->execute("INSERT INTO note VALUES('a')"));
    Statement select = MUST(scratch->prepare("SELECT count(*) FROM note"));
    ASSERT_TRUE(MUST(select.step()));
    EXPECT_EQ(select.integer(0), 1);
  }
  EXPECT_FALSE(scratch_connection({{"notes", 2, "SELECT 1"}})) << "versions begin with 1";
}

}  // namespace
}  // namespace keel::store
