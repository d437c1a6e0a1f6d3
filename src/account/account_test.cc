// Budgets, the egress ledger and the sums, against a real database and real requests.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "account/budget.h"
#include "account/egress.h"
#include "account/schema.h"
#include "account/usage.h"
#include "base/limits.h"
#include "net/client.h"
#include "net/service.h"
#include "net/test_server.h"
#include "store/journal.h"

namespace keel::account {
namespace {

class AccountTest : public ::testing::Test {
 protected:
  AccountTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "keel-account-XXXXXX").string();
    KEEL_ASSERT(::mkdtemp(pattern.data()) != nullptr);
    folder = pattern;
    open();
  }
  ~AccountTest() override {
    database.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  void open() {
    database.reset();
    store::DatabaseOptions options;
    options.path = folder + "/keel.db";
    options.migrations = store::journal_migrations();
    for (store::Migration& migration : migrations()) options.migrations.push_back(migration);
    database = MUST(store::Database::open(options));
  }
  Budget budget(std::optional<double> day, std::optional<double> turn = {}) {
    return {*database, clock, {day, turn}};
  }
  std::string cell(const std::string& sql) {
    return MUST(database->read([&](store::Connection& connection) -> Result<std::string> {
      store::Statement select = TRY(connection.prepare(sql));
      return TRY(select.step()) ? select.text(0) : std::string("none");
    }));
  }

  std::string folder;
  ManualClock clock{1'795'370'700'000};
  std::unique_ptr<store::Database> database;
};

TEST_F(AccountTest, WhatIsReservedCountsUntilItIsSettled) {
  Budget b = budget(1.0);
  const std::int64_t first = MUST(b.reserve("t1", "big", 0.6));
  EXPECT_NEAR(*MUST(b.left("")).per_day, 0.4, 1e-9);
  const Result<std::int64_t> second = b.reserve("t2", "big", 0.6);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::unavailable);
  EXPECT_EQ(second.error().message,
            "the budget of the day ($1.00) has $0.4000 left, and a call of big may cost $0.6000");
  ASSERT_TRUE(b.settle(first, 0.1));
  EXPECT_NEAR(*MUST(b.left("")).per_day, 0.9, 1e-9);
  EXPECT_TRUE(b.reserve("t2", "big", 0.6));
}

TEST_F(AccountTest, TheTurnHasABudgetOfItsOwnAndTheNextDayBeginsAnew) {
  Budget b = budget(1.0, 0.5);
  const std::int64_t first = MUST(b.reserve("t1", "big", 0.4));
  ASSERT_TRUE(b.settle(first, 0.4));
  EXPECT_NE(b.reserve("t1", "big", 0.2).error().message.find("budget of the turn"),
            std::string::npos);
  EXPECT_TRUE(b.reserve("t2", "big", 0.5));
  EXPECT_FALSE(b.reserve("t3", "big", 0.2));
  clock.advance(std::chrono::hours(24));
  EXPECT_NEAR(*MUST(b.left("t3")).per_day, 1.0, 1e-9);
  EXPECT_NEAR(*MUST(b.left("t1")).per_turn, 0.1, 1e-9);  // a turn may last beyond midnight
  EXPECT_TRUE(b.reserve("t3", "big", 0.5));
}

TEST_F(AccountTest, ABudgetOfNothingAllowsNothingThatCosts) {
  Budget b = budget(0.0);
  EXPECT_FALSE(b.reserve("t", "big", 0.000001));
  EXPECT_TRUE(budget({}).reserve("t", "big", 1e6));
  EXPECT_FALSE(MUST(budget({}).left("t")).any());
}

TEST_F(AccountTest, ManyAtOnceDoNotOverspendTogether) {
  Budget b = budget(1.0);
  std::atomic<int> let_through = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      for (int call = 0; call < 5; ++call) {
        const Result<std::int64_t> id = b.reserve("t", "big", 0.1);
        if (!id) continue;
        ++let_through;
        EXPECT_TRUE(b.settle(*id, 0.1));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(let_through, 10);
  EXPECT_EQ(cell("SELECT count(*) FROM spend"), "10");
}

TEST_F(AccountTest, WhatACrashLeftOpenCountsAsSpent) {
  MUST(budget(1.0).reserve("t", "big", 0.7));
  EgressLedger ledger(*database, clock);
  MUST(ledger.begin("example.com:443", {"page", "web_fetch", "t", {}}));
  open();
  ASSERT_TRUE(recover(*database, clock));
  EXPECT_EQ(cell("SELECT state FROM spend"), "assumed");
  EXPECT_EQ(cell("SELECT cost_usd FROM spend"), "0.7");
  EXPECT_EQ(cell("SELECT state FROM egress"), "lost");
  EXPECT_FALSE(budget(1.0).reserve("t", "big", 0.4));
  clock.advance(std::chrono::hours(24) * (limits::account_days + 1));
  ASSERT_TRUE(recover(*database, clock));
  EXPECT_EQ(cell("SELECT count(*) FROM spend"), "0");
  EXPECT_EQ(cell("SELECT count(*) FROM egress"), "0");
}

TEST_F(AccountTest, ARequestHasARowBeforeItLeavesAndItsEndAfter) {
  EgressLedger ledger(*database, clock);
  std::string seen;
  net::TestServer server([&](const net::TestServer::Exchange& x) {
    seen = cell("SELECT state || ' ' || purpose || ' ' || pages FROM egress ORDER BY id DESC");
    x.reply(200, "Content-Type: text/plain\r\n", "hello there");
  });
  net::ClientOptions options;
  options.allowed_private = {server.host_port()};
  options.ledger = &ledger;
  net::Client client(options);
  net::ServiceRequest request{MUST(net::Endpoint::create(server.url(""))), "/v1"};
  const std::string body(5000, 'b');
  request.body = body;
  request.secret = false;
  request.why = {"model", "big", "turn1", {"page1", "page2"}};
  ASSERT_TRUE(client.service(request, {}, {}));
  EXPECT_EQ(seen, R"(intent model ["page1","page2"])");
  std::vector<EgressRow> rows = MUST(ledger.rows(0, 10));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].host, server.host_port());
  EXPECT_EQ(rows[0].why.subject, "big");
  EXPECT_EQ(rows[0].why.turn, "turn1");
  EXPECT_EQ(rows[0].why.pages, (std::vector<std::string>{"page1", "page2"}));
  EXPECT_EQ(rows[0].state, "done");
  EXPECT_EQ(rows[0].status, 200);
  EXPECT_EQ(rows[0].bytes_in, 11);
  EXPECT_GT(rows[0].bytes_out, 5000);
  EXPECT_LT(rows[0].bytes_out, 5600);
  net::FetchRequest page;
  page.url = server.url("/page");
  ASSERT_TRUE(client.fetch(page, {}));
  rows = MUST(ledger.rows(0, 10));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].why.purpose, "page");
  EXPECT_NE(ledger.metrics().find("keel_egress_requests_total 2\n"), std::string::npos);
}

TEST_F(AccountTest, EachHopOfARedirectIsARowAndAFailureSaysWhy) {
  EgressLedger ledger(*database, clock);
  net::TestServer last([](const net::TestServer::Exchange& x) { x.reply(200, "", "end"); });
  net::TestServer first([&](const net::TestServer::Exchange& x) {
    x.reply(302, "Location: " + last.url("/end") + "\r\n", "");
  });
  net::ClientOptions options;
  options.allowed_private = {first.host_port(), last.host_port(), "127.0.0.1:1"};
  options.ledger = &ledger;
  net::Client client(options);
  net::FetchRequest page;
  page.url = first.url("/");
  ASSERT_TRUE(client.fetch(page, {}));
  page.url = "http://127.0.0.1:1/";
  EXPECT_FALSE(client.fetch(page, {}));
  const std::vector<EgressRow> rows = MUST(ledger.rows(0, 10));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].state, "failed");
  EXPECT_NE(rows[0].error, "");
  EXPECT_EQ(rows[0].bytes_out, 0);
  EXPECT_EQ(rows[1].host, last.host_port());
  EXPECT_EQ(rows[2].host, first.host_port());
  EXPECT_EQ(rows[2].status, 302);
}

TEST_F(AccountTest, WhatCannotBeRecordedIsNotSent) {
  struct Full final : net::EgressLedger {
    Result<std::int64_t> begin(const std::string&, const net::Why&) override {
      return fail(Code::disk_full, "the disk is full");
    }
    void end(std::int64_t, const net::Moved&) override {}
  } full;
  std::atomic<int> asked = 0;
  net::TestServer server([&](const net::TestServer::Exchange& x) {
    ++asked;
    x.reply(200, "", "");
  });
  net::ClientOptions options;
  options.allowed_private = {server.host_port()};
  options.ledger = &full;
  net::Client client(options);
  net::FetchRequest page;
  page.url = server.url("/");
  EXPECT_EQ(client.fetch(page, {}).error().code, Code::disk_full);
  EXPECT_EQ(asked, 0);
}

TEST_F(AccountTest, UsageSumsTurnsAndAnswersToProgramsByDayAndModel) {
  store::Journal journal(*database, clock);
  const auto accepted = MUST(journal.accept({"terminal", "", "main", "", "hello", ""}));
  store::Change change;
  change.turn = accepted.turn;
  change.conversation = "main";
  store::UsageRow row;
  row.model = "big";
  row.prompt_tokens = 100;
  row.cached_tokens = 60;
  row.completion_tokens = 10;
  row.cost_usd = 0.25;
  row.total_ms = 500;
  change.usage = {row, row};
  change.steps = {{"route", R"({"model":"big","rule":"default","reason":"It is."})"}};
  MUST(journal.apply(change));
  Usage usage(*database, clock);
  ModelCall call;
  call.model = "big";
  call.rule = "explicit";
  call.reason = "Asked.";
  call.decision = "{}";
  call.prompt_tokens = 7;
  call.cost_usd = 0.5;
  ASSERT_TRUE(usage.record(call));
  clock.advance(std::chrono::hours(24));
  call.model = "small";
  ASSERT_TRUE(usage.record(call));
  MUST(budget({}).reserve("t", "big", 0.125));

  Report report = MUST(usage.report(2));
  ASSERT_EQ(report.models.size(), 2u);
  EXPECT_EQ(report.models[0].model, "small");
  EXPECT_EQ(report.models[1].model, "big");
  EXPECT_EQ(report.models[1].calls, 3);
  EXPECT_EQ(report.models[1].prompt_tokens, 207);
  EXPECT_EQ(report.models[1].cached_tokens, 120);
  EXPECT_EQ(report.models[1].completion_tokens, 20);
  EXPECT_NEAR(report.models[1].cost_usd, 1.0, 1e-9);
  EXPECT_NEAR(report.models[1].total_ms, 1000, 1e-9);
  EXPECT_EQ(report.models[1].day, local_day(clock.wall_ms() - WallMs{24} * 3600 * 1000));
  ASSERT_EQ(report.routes.size(), 3u);
  EXPECT_EQ(report.routes[0].last_reason.back(), '.');
  EXPECT_NEAR(report.spent_today_usd, 0.125, 1e-9);
  report = MUST(usage.report(1));
  ASSERT_EQ(report.models.size(), 1u);
  EXPECT_EQ(report.models[0].day, local_day(clock.wall_ms()));
}

TEST(UsdText, HasAsManyDigitsAsSaySomething) {
  EXPECT_EQ(usd_text(0), "$0");
  EXPECT_EQ(usd_text(12.345), "$12.35");
  EXPECT_EQ(usd_text(0.0312), "$0.0312");
  EXPECT_EQ(usd_text(0.000012), "$0.000012");
}

}  // namespace
}  // namespace keel::account
