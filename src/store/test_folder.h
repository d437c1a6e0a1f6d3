// For tests: a folder of their own, removed with its content, and a small database in it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "store/database.h"

namespace keel::store {

class TestFolder {
 public:
  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "keel-store-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline const std::vector<Migration>& note_migrations() {
  static const std::vector<Migration> migrations = {
      {"note", 1, "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;"},
      {"note", 2,
       "CREATE TABLE tag(note INTEGER NOT NULL REFERENCES note(id) DEFERRABLE INITIALLY DEFERRED, "
       "name TEXT) STRICT;"},
  };
  return migrations;
}

inline DatabaseOptions note_options(const TestFolder& folder) {
  DatabaseOptions options;
  options.path = folder.file("keel.db");
  options.migrations = note_migrations();
  return options;
}

inline Status add_note(Connection& connection, std::int64_t id, std::string_view body) {
  Statement insert = TRY(connection.prepare("INSERT INTO note(id, body) VALUES(?1, ?2)"));
  return insert.bind(1, id).bind(2, body).run();
}

inline std::int64_t count_notes(Database& database) {
  auto count = database.read([](Connection& connection) -> Result<std::int64_t> {
    Statement select = TRY(connection.prepare("SELECT count(*) FROM note"));
    TRY(select.step());
    return select.integer(0);
  });
  EXPECT_TRUE(count) << count.error().text();
  return count.value_or(-1);
}

}  // namespace keel::store
