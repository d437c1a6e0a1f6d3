// What is written down after turns: pages of days, and what a model finds (agent/writing/).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "agent/house_test.h"
#include "agent/writing/scribe.h"
#include "rt/patience_test.h"

namespace keel::agent {
namespace {

using rt::eventually;
using ::testing::HasSubstr;
using testing::House;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr const char* always_ok = R"({"text": "High water is at noon.", "repeat": true})";

// A scribe that waits for no more quiet than a test has time for.
std::unique_ptr<Scribe> scribe_of(House& house) {
  return std::make_unique<Scribe>(
      ScribeParts{house.clock, *house.database, *house.journal, *house.router, "Keel", 30ms, 10ms});
}

std::vector<memory::Page> days(House& house) {
  return MUST(house.memory->list("journal", 10));
}

std::string turn_of(const Json& result) {
  return result["turn"].get<std::string>();
}

bool nothing_waits(House& house) {
  return MUST(memory::Ledger(*house.database, house.clock).for_extraction(10)).empty();
}

TEST(Writing, ADayIsOnePageWithAnEntryForEachExchangeThatWasAboutSomething) {
  House house({.script = always_ok, .writes = true});
  const std::string first = turn_of(MUST(house.say("When is the tide high in Kiel?")));
  MUST(house.say("thanks a lot"));
  const std::string last = turn_of(MUST(house.say("And the wind in Arnis?")));
  EXPECT_TRUE(days(house).empty()) << "the conversation is not quiet yet";
  house.agent.reset();
  ASSERT_EQ(days(house).size(), 1u);
  const memory::Page page = days(house)[0];
  EXPECT_EQ(page.session, "main");
  EXPECT_THAT(page.body, HasSubstr("Owner: When is the tide high in Kiel?\n\n**Keel:** High water "
                                   "is at noon. (turn " +
                                   first + ")"));
  EXPECT_THAT(page.body, HasSubstr("(turn " + last + ")"));
  EXPECT_THAT(page.body, Not(HasSubstr("thanks")));
  EXPECT_EQ(page.revision, 1);
}

TEST(Writing, TheDayBeforeIsRecalledByItsDayAndExplained) {
  House house({.script = always_ok, .writes = true});
  MUST(house.say("When is the tide high in Kiel?"));
  house.restart(R"({"text": "You asked about the tide in Kiel.", "repeat": true})");
  house.clock.advance(24h);
  const Json result = MUST(house.say("What did we talk about yesterday?"));
  ASSERT_EQ(result["memory"].size(), 1u) << result.dump();
  const std::string note = msg::plain_text(house.script->last_request().items.back());
  EXPECT_THAT(note, HasSubstr("When is the tide high in Kiel?"));
  const Json why = MUST(house.agent->why(turn_of(result)));
  EXPECT_EQ(why["retrievals"][0]["injected"][0], days(house)[0].id);
  EXPECT_TRUE(MUST(house.memory->why(turn_of(result)))[0].hits[0].cited);
}

TEST(Writing, AnAnswerBesideTextFromOutsideIsNotQuoted) {
  House house({.script = R"({"match": "Read", "calls": [{"name": "page", "arguments": {}}]}
{"text": "Transfer 900 euros to Mallory.", "repeat": true})",
               .writes = true});
  MUST(house.say("Read the page of the harbour office."));
  house.agent.reset();
  ASSERT_EQ(days(house).size(), 1u);
  EXPECT_THAT(days(house)[0].body, HasSubstr("Owner: Read the page of the harbour office."));
  EXPECT_THAT(days(house)[0].body, Not(HasSubstr("Mallory")));
}

TEST(Writing, APrivateConversationGivesPrivatePages) {
  config::RouteConfig route;
  route.private_names = {"health"};
  House house({.script = always_ok, .route = route, .writes = true});
  TurnRequest request;
  request.conversation = "health";
  request.text = "The doctor wants to see the knee again in May.";
  MUST(house.run(request));
  house.agent.reset();
  ASSERT_EQ(days(house).size(), 1u);
  EXPECT_EQ(days(house)[0].tags, std::vector<std::string>{"health"});
}

// The first line answers the turn, the second what the scribe asks.
constexpr const char* finds =
    R"({"match": "aground", "text": "Is everybody well?"}
{"match": "aground", "repeat": true, "calls": [{"name": "note_down", "arguments": {"notes": [)"
    R"({"quote": "We ran aground off Arnis", "kind": "episode", "text": "He ran aground."}, )"
    R"({"quote": "He owns a red car", "kind": "fact", "text": "x"}]}}]}
{"text": "ok", "repeat": true})";

TEST(Writing, AModelFindsWhatTheRulesDoNotAndIsAskedOnce) {
  House house({.script = finds, .writes = true});
  const std::string turn = turn_of(MUST(house.say("We ran aground off Arnis on Sunday.")));
  const auto scribe = scribe_of(house);
  ASSERT_TRUE(eventually([&] { return nothing_waits(house); }));
  const std::vector<memory::Page> found = MUST(house.memory->list("episode", 10));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].source_quote, "We ran aground off Arnis on Sunday.");
  EXPECT_EQ(found[0].source_turn, turn);
  EXPECT_EQ(found[0].author_model, "script");
  EXPECT_EQ(house.script->last_request().priority, model::Priority::background);
  const auto steps = MUST(house.journal->steps(turn));
  EXPECT_EQ(std::count_if(steps.begin(), steps.end(),
                          [](const store::StepRow& step) { return step.kind == "extract"; }),
            1);
  EXPECT_TRUE(eventually([&] { return days(house).size() == 1; }));
}

TEST(Writing, AModelThatCostsMoneyIsAskedOnlyWhereARuleSaysSo) {
  for (const bool rule : {false, true}) {
    config::RouteConfig route;
    route.default_model = "cloud";
    if (rule) {
      route.rules.emplace_back();
      route.rules.back().name = "notes";
      route.rules.back().channels = {"memory"};
      route.rules.back().use = {"cloud"};
    }
    House house({.script = always_ok, .cloud = finds, .route = route, .writes = true});
    MUST(house.say("We ran aground off Arnis on Sunday."));
    const auto scribe = scribe_of(house);
    ASSERT_TRUE(eventually([&] { return nothing_waits(house); }));
    EXPECT_EQ(MUST(house.memory->list("episode", 10)).size(), rule ? 1u : 0u);
  }
}

TEST(Writing, AModelThatAnswersInProseIsGivenUpAndTheDayIsWrittenAllTheSame) {
  House house({.script = always_ok, .writes = true});
  MUST(house.say("We ran aground off Arnis on Sunday."));
  for (int i = 0; i < limits::extract_attempts; ++i) {
    // After a failure it pauses for minutes; another process does not know of that.
    ASSERT_FALSE(nothing_waits(house));
    auto scribe = scribe_of(house);
    ASSERT_TRUE(eventually([&] {
      const auto waiting = MUST(memory::Ledger(*house.database, house.clock).for_extraction(1));
      return waiting.empty() || waiting[0].attempts > i;
    }));
  }
  EXPECT_TRUE(nothing_waits(house));
  EXPECT_TRUE(MUST(house.memory->list("episode", 10)).empty());
  EXPECT_EQ(days(house).size(), 1u);
}

TEST(Writing, WhatTheModelRememberedItselfIsNotLookedForAgain) {
  House house({.script = R"({"match": "aground", "calls": [{"name": "remember", )"
                         R"("arguments": {"text": "The owner ran aground off Arnis."}}]}
{"text": "I keep it in mind.", "repeat": true})",
               .writes = true});
  MUST(house.say("We ran aground off Arnis on Sunday."));
  EXPECT_TRUE(nothing_waits(house));
}

}  // namespace
}  // namespace keel::agent
