// For tests: a memory of its own in a folder of its own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "memory/memory.h"
#include "store/database.h"
#include "store/test_folder.h"

namespace keel::memory {

class TestMemory : public ::testing::Test {
 protected:
  TestMemory() { open(); }

  void open() {
    memory_.reset();
    database_.reset();
    store::DatabaseOptions options;
    options.path = folder_.file("keel.db");
    options.migrations = migrations();
    database_ = MUST(store::Database::open(options));
    memory_ = std::make_unique<Memory>(*database_, clock_);
  }
  Memory& memory() { return *memory_; }
  store::Database& database() { return *database_; }

  Page say(std::string_view body, std::string_view session = {},
           std::string_view origin = "owner") {
    NewPage page;
    page.body = body;
    page.session = session;
    page.origin = origin;
    clock_.advance(std::chrono::milliseconds(1000));
    return MUST(memory_->add(page)).page;
  }
  Retrieval search(std::string_view text) {
    Query query;
    query.text = text;
    return MUST(memory_->search(query));
  }
  // As the agent asks at the start of a turn.
  Retrieval recall(std::string_view text, std::string_view turn = "turn-1") {
    Query query;
    query.text = text;
    query.trigger = "turn";
    query.turn = turn;
    query.limit = 5;
    query.trusted_only = true;
    return MUST(memory_->search(query));
  }
  static std::vector<std::string> titles(const std::vector<Hit>& hits) {
    std::vector<std::string> out;
    for (const Hit& hit : hits) out.push_back(hit.title);
    return out;
  }
  std::int64_t count(std::string_view sql) {
    return MUST(database_->read([&](store::Connection& connection) -> Result<std::int64_t> {
      store::Statement select = TRY(connection.prepare(sql));
      TRY(select.step());
      return select.integer(0);
    }));
  }

  store::TestFolder folder_;
  ManualClock clock_{1'795'000'000'000};
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<Memory> memory_;
};

}  // namespace keel::memory
