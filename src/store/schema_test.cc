#include "store/schema.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "store/sqlite.h"
#include "store/test_folder.h"

namespace keel::store {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void put(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
}

void run(const std::string& path, const char* sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

// Opening fails with `code`, with advice, and leaves the file's bytes alone.
Error expect_refused(const TestFolder& folder, Code code) {
  std::string before = content(folder.file("keel.db"));
  auto database = Database::open(note_options(folder));
  EXPECT_FALSE(database);
  if (database) return {};
  EXPECT_EQ(database.error().code, code) << database.error().text();
  EXPECT_FALSE(database.error().hint.empty());
  EXPECT_NE(database.error().message.find(folder.file("keel.db")), std::string::npos);
  EXPECT_EQ(content(folder.file("keel.db")), before);
  return database.error();
}

TEST(Schema, migrations_run_once_and_in_order) {
  TestFolder folder;
  DatabaseOptions options = note_options(folder);
  options.migrations.pop_back();
  {
    auto database = MUST(Database::open(options));
    MUST(database->write([](Connection& c) { return add_note(c, 1, "kept"); }));
  }
  auto database = MUST(Database::open(note_options(folder)));
  EXPECT_EQ(count_notes(*database), 1);
  EXPECT_EQ(MUST(database->read([](Connection& c) {
              return query_text(c,
                                "SELECT group_concat(room || version, ' ') FROM (SELECT * FROM "
                                "migration ORDER BY 1, 2)");
            })),
            "note1 note2");
}

TEST(Schema, a_newer_database_is_refused_and_not_touched) {
  TestFolder folder;
  DatabaseOptions newer = note_options(folder);
  newer.migrations.push_back({"note", 3, "CREATE TABLE later(x INTEGER) STRICT"});
  MUST(Database::open(newer));
  Error error = expect_refused(folder, Code::unsupported);
  EXPECT_NE(error.message.find("version 3"), std::string::npos);
  MUST(Database::open(newer));
}

TEST(Schema, a_room_this_keel_does_not_know_is_a_newer_database) {
  TestFolder folder;
  DatabaseOptions newer = note_options(folder);
  newer.migrations.push_back({"dream", 1, "CREATE TABLE dream(x INTEGER) STRICT"});
  MUST(Database::open(newer));
  expect_refused(folder, Code::unsupported);
}

TEST(Schema, a_newer_database_left_by_a_crash_is_not_written_back_either) {
  TestFolder folder;
  DatabaseOptions newer = note_options(folder);
  newer.migrations.push_back({"note", 3, "CREATE TABLE later(x INTEGER) STRICT"});
  TestFolder copy;
  {
    auto database = MUST(Database::open(newer));
    // What a crash leaves: the log holds everything.
    std::filesystem::copy(folder.file("keel.db"), copy.file("keel.db"));
    std::filesystem::copy(folder.file("keel.db-wal"), copy.file("keel.db-wal"));
  }
  std::string wal = content(copy.file("keel.db-wal"));
  ASSERT_FALSE(wal.empty());
  expect_refused(copy, Code::unsupported);
  EXPECT_EQ(content(copy.file("keel.db-wal")), wal);
}

TEST(Schema, a_migration_that_fails_leaves_the_database_as_it_was) {
  TestFolder folder;
  {
    MUST(Database::open(note_options(folder)));
  }
  for (const char* sql : {"CREATE TABLE half(x INTEGER); INSERT INTO nowhere VALUES(1)",
                          "CREATE TABLE half(x); COMMIT"}) {
    DatabaseOptions options = note_options(folder);
    options.migrations.push_back({"note", 3, sql});
    auto failed = Database::open(options);
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message.find("note to version 3"), std::string::npos);
  }
  auto database = MUST(Database::open(note_options(folder)));
  EXPECT_EQ(MUST(database->read([](Connection& c) {
              return query_integer(c, "SELECT count(*) FROM sqlite_schema WHERE name='half'");
            })),
            0);
}

TEST(Schema, a_gap_in_the_migrations_is_a_defect) {
  EXPECT_EQ(check_migrations({{"a", 1, ""}, {"a", 3, ""}}).error().code, Code::internal);
  EXPECT_EQ(check_migrations({{"a", 2, ""}}).error().code, Code::internal);
  EXPECT_EQ(check_migrations({{"a", 1, ""}, {"a", 1, ""}}).error().code, Code::internal);
  EXPECT_TRUE(check_migrations({{"a", 1, ""}, {"b", 1, ""}, {"a", 2, ""}}));
}

TEST(Schema, a_file_that_is_no_database_is_corrupt) {
  TestFolder folder;
  put(folder.file("keel.db"), std::string(5000, 'x'));
  Error error = expect_refused(folder, Code::corrupt);
  EXPECT_NE(error.hint.find("keep a copy"), std::string::npos);
  put(folder.file("keel.db"), "short");
  expect_refused(folder, Code::corrupt);
}

TEST(Schema, another_programs_database_is_left_alone) {
  TestFolder folder;
  run(folder.file("keel.db"), "CREATE TABLE theirs(x)");
  Error error = expect_refused(folder, Code::corrupt);
  EXPECT_NE(error.message.find("another program"), std::string::npos);
}

TEST(Schema, damage_anywhere_in_the_file_is_found) {
  TestFolder folder;
  {
    auto database = MUST(Database::open(note_options(folder)));
    MUST(database->write([](Connection& c) -> Status {
      for (int i = 0; i < 500; ++i) TRY(add_note(c, i, std::string(200, 'n')));
      return {};
    }));
  }
  std::string good = content(folder.file("keel.db"));
  ASSERT_GT(good.size(), 10u * 4096);
  put(folder.file("keel.db"), good.substr(0, good.size() / 2));
  expect_refused(folder, Code::corrupt);

  int found = 0;
  for (std::size_t page = 5; page < good.size() / 4096; ++page) {
    std::string bad = good;
    bad.replace(page * 4096, 64, std::string(64, '\xee'));
    put(folder.file("keel.db"), bad);
    auto database = Database::open(note_options(folder));
    if (!database && database.error().code == Code::corrupt) ++found;
  }
  EXPECT_EQ(found, static_cast<int>(good.size() / 4096) - 5);
}

TEST(Schema, an_empty_file_is_a_new_database) {
  TestFolder folder;
  put(folder.file("keel.db"), "");
  auto database = MUST(Database::open(note_options(folder)));
  EXPECT_EQ(count_notes(*database), 0);
}

TEST(Schema, a_folder_in_its_place_or_a_missing_folder_is_named) {
  TestFolder folder;
  std::filesystem::create_directory(folder.file("keel.db"));
  EXPECT_FALSE(Database::open(note_options(folder)));
  DatabaseOptions options = note_options(folder);
  options.path = folder.file("nowhere/keel.db");
  auto missing = Database::open(options);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
}

TEST(Schema, two_openings_at_once_migrate_once) {
  TestFolder folder;
  auto first = MUST(Database::open(note_options(folder)));
  auto second = MUST(Database::open(note_options(folder)));
  MUST(first->write([](Connection& c) { return add_note(c, 1, "first"); }));
  MUST(second->write([](Connection& c) { return add_note(c, 2, "second"); }));
  EXPECT_EQ(count_notes(*first), 2);
}

}  // namespace
}  // namespace keel::store
