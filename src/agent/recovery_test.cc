// Turns that were left open: a full disk, a crash (by rows as a crash leaves them; tests/kill makes
// real ones).
#include <gtest/gtest.h>

#include "agent/house_test.h"
#include "base/limits.h"

namespace keel::agent {
namespace {

using testing::House;

constexpr const char* always_ok = R"({"text": "ok", "repeat": true})";

void set_page_limit(House& house, const std::string& pages) {
  MUST(house.database->write([&](store::Connection& connection) -> Status {
    return connection.execute("PRAGMA max_page_count=" + pages);
  }));
}

std::string page_count(House& house) {
  return MUST(house.database->read([](store::Connection& connection) -> Result<std::string> {
    store::Statement select = TRY(connection.prepare("PRAGMA page_count"));
    TRY(select.step());
    return select.text(0);
  }));
}

std::string state_of(House& house, const std::string& turn) {
  return std::string(store::turn_state_name(MUST(house.journal->turn(turn)).state));
}

TEST(Recovery, AFullDiskRefusesTheMessageAndLosesNothingBefore) {
  House house({.script = always_ok});
  MUST(house.say("before"));
  set_page_limit(house, page_count(house));
  const Result<Json> refused = house.say(std::string(400'000, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::disk_full);
  EXPECT_EQ(MUST(house.journal->window("main")).size(), 2u);
  set_page_limit(house, "1000000");
  ASSERT_TRUE(house.say("after"));
  EXPECT_EQ(MUST(house.journal->window("main")).size(), 4u);
  EXPECT_TRUE(house.database->check());
}

TEST(Recovery, AFullDiskInTheMiddleOfATurnFailsItVisiblyAndTheNextOneWorks) {
  House house({.script = always_ok});
  house.on_event = [&](const Event& event) {
    if (std::holds_alternative<Routed>(event)) set_page_limit(house, page_count(house));
  };
  const std::string big(400'000, 'x');
  const Result<Json> failed = house.say(big);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::disk_full);
  EXPECT_EQ(house.events_of<Failed>().size(), 1u);
  house.on_event = nullptr;
  set_page_limit(house, "1000000");
  EXPECT_EQ(MUST(house.journal->turn(house.events_of<TurnStarted>()[0].turn)).text, big);
  ASSERT_TRUE(house.say("after"));
}

TEST(Recovery, ATurnThatCouldNotBeWrittenStaysOpenAndIsFinishedBeforeTheNextOne) {
  House house({.script = always_ok});
  const auto execute = [&](const std::string& sql) {
    MUST(house.database->write(
        [&](store::Connection& connection) { return connection.execute(sql); }));
  };
  house.on_event = [&](const Event& event) {
    if (!std::holds_alternative<Routed>(event)) return;
    execute("CREATE TRIGGER no BEFORE UPDATE ON turn BEGIN SELECT RAISE(ABORT, 'no'); END");
  };
  ASSERT_FALSE(house.say("first"));
  house.on_event = nullptr;
  const std::string turn = house.events_of<TurnStarted>()[0].turn;
  EXPECT_EQ(state_of(house, turn), "received");
  execute("DROP TRIGGER no");
  house.events.clear();
  ASSERT_TRUE(house.say("after"));
  EXPECT_EQ(state_of(house, turn), "done");
  EXPECT_NE(house.notices().find("Answered while you were away: ok"), std::string::npos);
  const std::vector<store::ItemRow> items = MUST(house.journal->window("main"));
  ASSERT_EQ(items.size(), 4u);
  EXPECT_EQ(items[1].turn, turn);
  EXPECT_NE(items[2].turn, turn);
}

// A turn whose model has asked for three calls, as a crash leaves it.
class OpenTurn : public ::testing::Test {
 protected:
  OpenTurn() : house({.script = R"({"on": "tool", "text": "done", "repeat": true})"}) {
    accepted = MUST(house.journal->accept({"terminal", "", "main", "m1", "do three things", ""}));
    store::Change change = next();
    change.state = store::TurnState::running;
    change.prefix = store::Prefix{"You are a test.", "hash"};
    change.items.push_back(row(msg::text_item(msg::Role::user, "do three things")));
    msg::Item output{msg::Role::assistant, {}};
    for (const char* id : {"c1", "c2", "c3"}) {
      output.blocks.push_back(
          msg::ToolCall{id, "append_line", "{\"line\": \"" + std::string(id) + "\"}"});
    }
    change.items.push_back(row(output));
    MUST(house.journal->apply(change));
  }
  store::Change next() const {
    store::Change change;
    change.turn = accepted.turn;
    change.conversation = "main";
    return change;
  }
  static store::Change::Item row(const msg::Item& item) { return {dump_json(msg::to_json(item))}; }
  static store::CallRow call(const std::string& id) {
    store::CallRow row;
    row.call_id = id;
    row.name = "append_line";
    row.arguments = "{\"line\": \"" + id + "\"}";
    row.args_hash = id;
    row.effect = "unsafe";
    return row;
  }
  House house;
  store::Accepted accepted;
};

TEST_F(OpenTurn, CallsWithAResultAreNotMadeAgainUnknownOnesNeitherAndTheRestIs) {
  store::Change change = next();
  store::CallRow done = call("c1");
  done.outcome = "appended";
  change.results = {done};
  change.items.push_back(
      row({msg::Role::tool, {msg::ToolResult{"c1", "append_line", "appended", false}}}));
  change.intents = {call("c2")};
  MUST(house.journal->apply(change));
  const Recovered recovered = MUST(house.agent->recover({}, {}));
  EXPECT_EQ(recovered.finished, 1);
  EXPECT_EQ(recovered.failed, 0);
  EXPECT_EQ(testing::lines_of(house.effect_file()), std::vector<std::string>{"c3"});
  const std::vector<store::CallRow> calls = MUST(house.journal->calls(accepted.turn));
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].outcome, "appended");
  EXPECT_TRUE(calls[1].is_error);
  EXPECT_EQ(calls[1].outcome.find("outcome unknown"), 0u);
  EXPECT_EQ(calls[2].outcome, "appended");
  // The channel that delivers the message again gets the answer.
  TurnRequest request;
  request.text = "do three things";
  request.external_id = "m1";
  const Json result = MUST(house.run(request));
  EXPECT_EQ(result["reply"], "done");
  EXPECT_EQ(result["tools"].size(), 3u);
  EXPECT_EQ(MUST(house.agent->recover({}, {})).finished, 0);
}

TEST_F(OpenTurn, AModelThatFailsDuringRecoveryFailsTheTurnAndClosesItsCalls) {
  house.restart(
      R"({"on": "tool", "error": {"code": "unavailable", "message": "no engine"}, "repeat": true}
{"text": "ok", "repeat": true})");
  EXPECT_EQ(MUST(house.agent->recover({}, {})).failed, 1);
  EXPECT_EQ(state_of(house, accepted.turn), "failed");
  ASSERT_TRUE(house.say("next"));
  EXPECT_NE(house.notices().find("Failed while you were away: no engine"), std::string::npos);
}

TEST_F(OpenTurn, AttemptsAreCountedAndEndInAVisibleFailure) {
  for (int i = 1; i < limits::turn_attempts; ++i) {
    store::Change change = next();
    change.begins_attempt = true;
    MUST(house.journal->apply(change));
  }
  EXPECT_EQ(MUST(house.agent->recover({}, {})).failed, 1);
  EXPECT_TRUE(testing::lines_of(house.effect_file()).empty());
  ASSERT_EQ(MUST(house.journal->pending("terminal", "main", 9)).size(), 1u);
  // Calls that were open are closed, so that later prompts are valid.
  ASSERT_EQ(MUST(house.journal->window("main")).size(), 6u);
}

TEST(Recovery, AStoredItemThatCannotBeReadFailsClearlyAndHarmsOneConversationOnly) {
  House house({.script = always_ok});
  MUST(house.say("first"));
  MUST(house.database->write([&](store::Connection& connection) -> Status {
    return connection.execute("UPDATE item SET item = '{\"role\": 7}' WHERE position = 0");
  }));
  const Result<Json> next = house.say("next");
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, Code::corrupt);
  EXPECT_FALSE(next.error().hint.empty());
  TurnRequest other;
  other.conversation = "other";
  other.text = "hello";
  EXPECT_TRUE(house.run(other));
}

}  // namespace
}  // namespace keel::agent
