#include "store/journal.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace keel::store {
namespace {

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    KEEL_ASSERT(mkdtemp(folder_.data()) != nullptr);
    open();
  }
  ~JournalTest() override {
    database_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void open() {
    database_.reset();
    DatabaseOptions options;
    options.path = folder_ + "/keel.db";
    options.migrations = journal_migrations();
    database_ = MUST(Database::open(options));
    journal_.emplace(*database_, clock_);
  }
  Accepted accept(const std::string& external_id, const std::string& text = "hello") {
    clock_.advance(std::chrono::milliseconds(5));
    return MUST(journal_->accept({"terminal", "", "main", external_id, text, ""}));
  }
  static Change change(const Accepted& accepted) {
    Change change;
    change.turn = accepted.turn;
    change.conversation = accepted.conversation;
    return change;
  }
  static CallRow call(const std::string& id) {
    CallRow row;
    row.call_id = id;
    row.name = "remember";
    row.arguments = "{}";
    row.args_hash = "h";
    row.effect = "idempotent";
    return row;
  }

  std::string folder_ = (std::filesystem::temp_directory_path() / "keel-journal-XXXXXX").string();
  ManualClock clock_{1'795'370'700'000};
  std::unique_ptr<Database> database_;
  std::optional<Journal> journal_;
};

TEST_F(JournalTest, AMessageThatComesTwiceIsOneTurn) {
  const Accepted first = accept("m1");
  EXPECT_TRUE(first.fresh);
  open();  // also after a restart
  const Accepted second = accept("m1", "other text");
  EXPECT_FALSE(second.fresh);
  EXPECT_EQ(second.turn, first.turn);
  EXPECT_EQ(MUST(journal_->turn(first.turn)).text, "hello");
  // Ids belong to a channel; a channel without ids has a message each time.
  EXPECT_TRUE(MUST(journal_->accept({"telegram", "", "main", "m1", "x", ""})).fresh);
  EXPECT_NE(accept("").turn, accept("").turn);
}

TEST_F(JournalTest, ATurnIsReadBackAsItWasWritten) {
  const Accepted accepted = accept("m1");
  Change first = change(accepted);
  first.state = TurnState::running;
  first.model = "qwen";
  first.items = {{"{\"a\":1}"}, {"{\"b\":2}", "web", "personal"}};
  first.steps = {{"recall", "{}"}, {"route", "{\"rule\":\"default\"}"}};
  first.prefix = Prefix{"You are Keel.", "abc"};
  EXPECT_EQ(MUST(journal_->apply(first)), 0);
  Change second = change(accepted);
  second.items = {{"{\"c\":3}"}};
  UsageRow usage;
  usage.model = "qwen";
  usage.prompt_tokens = 12;
  usage.decode_tps = 7.5;
  second.usage = {usage};
  EXPECT_EQ(MUST(journal_->apply(second)), 2);
  open();
  const TurnRow turn = MUST(journal_->turn(accepted.turn));
  EXPECT_EQ(turn.state, TurnState::running);
  EXPECT_EQ(turn.model, "qwen");
  const std::vector<ItemRow> items = MUST(journal_->window("main"));
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[1].json, "{\"b\":2}");
  EXPECT_EQ(items[1].integrity, "web");
  EXPECT_EQ(items[1].confidentiality, "personal");
  EXPECT_EQ(items[2].position, 2);
  const std::vector<StepRow> steps = MUST(journal_->steps(accepted.turn));
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[1].kind, "route");
  EXPECT_EQ(MUST(journal_->conversation("main")).system, "You are Keel.");
  ASSERT_EQ(MUST(journal_->usage_of(accepted.turn)).size(), 1u);
  EXPECT_EQ(MUST(journal_->usage_of(accepted.turn))[0].prompt_tokens, 12);
  EXPECT_EQ(MUST(journal_->open_turns()).size(), 1u);
}

TEST_F(JournalTest, AResultIsWrittenOnceAndCallsKeepTheirOrder) {
  const Accepted accepted = accept("m1");
  Change intent = change(accepted);
  intent.intents = {call("c1")};
  ASSERT_TRUE(journal_->apply(intent));
  ASSERT_TRUE(journal_->apply(intent));  // a recovery that makes the call again
  Change result = change(accepted);
  CallRow done = call("c1");
  done.outcome = "ok";
  result.results = {done, call("c2")};  // c2 was refused: no INTENT
  result.intents = {call("c3")};
  ASSERT_TRUE(journal_->apply(result));
  std::vector<CallRow> calls = MUST(journal_->calls(accepted.turn));
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].outcome, "ok");
  EXPECT_TRUE(calls[1].has_result);
  EXPECT_FALSE(calls[2].has_result);
  Change again = change(accepted);
  again.results = {call("c1")};
  EXPECT_EQ(journal_->apply(again).error().code, Code::already_exists);
  EXPECT_FALSE(journal_->apply(intent));
  EXPECT_EQ(MUST(journal_->calls(accepted.turn))[0].outcome, "ok");
}

TEST_F(JournalTest, ATurnHasOneReplyAndStaysEnded) {
  const Accepted accepted = accept("m1");
  Change reply = change(accepted);
  reply.outbox = Change::Outbox{"reply", "hi"};
  reply.state = TurnState::replied;
  reply.result = "{}";
  ASSERT_TRUE(journal_->apply(reply));
  EXPECT_EQ(journal_->apply(reply).error().code, Code::already_exists);
  ASSERT_EQ(MUST(journal_->pending("terminal", "main", 10)).size(), 1u);
  Change done = change(accepted);
  done.state = TurnState::done;
  done.delivered = true;
  ASSERT_TRUE(journal_->apply(done));
  EXPECT_TRUE(MUST(journal_->pending("terminal", "", 10)).empty());
  EXPECT_TRUE(MUST(journal_->open_turns()).empty());
  Change fails = change(accepted);
  fails.state = TurnState::failed;
  EXPECT_FALSE(journal_->apply(fails));
  EXPECT_EQ(MUST(journal_->turn(accepted.turn)).state, TurnState::done);
}

TEST_F(JournalTest, AFailedPartUndoesTheWholeChange) {
  const Accepted accepted = accept("m1");
  Change reply = change(accepted);
  reply.outbox = Change::Outbox{"reply", "hi"};
  ASSERT_TRUE(journal_->apply(reply));
  Change mixed = change(accepted);
  mixed.items = {{"{}"}};
  mixed.steps = {{"model", "{}"}};
  mixed.outbox = Change::Outbox{"reply", "again"};
  EXPECT_FALSE(journal_->apply(mixed));
  EXPECT_TRUE(MUST(journal_->window("main")).empty());
  EXPECT_TRUE(MUST(journal_->steps(accepted.turn)).empty());
}

TEST_F(JournalTest, TheWindowLeavesOutHiddenAndOldItemsButKeepsThem) {
  const Accepted one = accept("1", "first");
  Change change1 = change(one);
  change1.items = {{"{\"n\":0}"}, {"{\"n\":1}"}};
  ASSERT_TRUE(journal_->apply(change1));
  const Accepted two = accept("2", "second");
  Change change2 = change(two);
  change2.items = {{"{\"n\":2}"}};
  ASSERT_TRUE(journal_->apply(change2));
  const Accepted three = accept("3", "third");
  Change change3 = change(three);
  change3.items = {{"{\"n\":3}"}};
  change3.window_start = 2;
  ASSERT_TRUE(journal_->apply(change3));
  Change hide = change(two);
  hide.hide_items = true;
  ASSERT_TRUE(journal_->apply(hide));
  Change back = change(three);
  back.window_start = 0;  // never moves back
  ASSERT_TRUE(journal_->apply(back));
  const std::vector<ItemRow> window = MUST(journal_->window("main"));
  ASSERT_EQ(window.size(), 1u);
  EXPECT_EQ(window[0].position, 3);
  EXPECT_EQ(MUST(journal_->owner_texts("main")), std::vector<std::string>{"third"});
  const std::int64_t kept =
      MUST(database_->read([](Connection& connection) -> Result<std::int64_t> {
        Statement count = TRY(connection.prepare("SELECT COUNT(*) FROM item"));
        TRY(count.step());
        return count.integer(0);
      }));
  EXPECT_EQ(kept, 4);
}

TEST_F(JournalTest, AFailureKeepsCodeMessageAndHint) {
  const Accepted accepted = accept("m1");
  Change fails = change(accepted);
  fails.state = TurnState::failed;
  fails.error = Error{Code::limit, "too long", "make it shorter", {}};
  fails.outbox = Change::Outbox{"failure", "too long"};
  ASSERT_TRUE(journal_->apply(fails));
  const TurnRow turn = MUST(journal_->turn(accepted.turn));
  ASSERT_TRUE(turn.error);
  EXPECT_EQ(turn.error->code, Code::limit);
  EXPECT_EQ(turn.error->hint, "make it shorter");
  const std::vector<OutboxRow> pending = MUST(journal_->pending("terminal", "", 10));
  ASSERT_EQ(pending.size(), 1u);
  EXPECT_EQ(pending[0].kind, "failure");
  ASSERT_TRUE(journal_->mark_sent(pending[0].id, "77"));
  EXPECT_TRUE(MUST(journal_->pending("terminal", "", 10)).empty());
  EXPECT_FALSE(journal_->mark_sent("nothing", "1"));
}

}  // namespace
}  // namespace keel::store
