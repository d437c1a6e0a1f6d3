// Which model a turn asks, what it is shown, and what becomes of a turn whose model fails.
#include <gtest/gtest.h>

#include "agent/house_test.h"
#include "base/limits.h"

namespace keel::agent {
namespace {

using testing::House;
using testing::HouseOptions;

constexpr const char* always_ok = R"({"text": "ok", "repeat": true})";
constexpr const char* calls_and_fails =
    R"({"on": "user", "calls": [{"name": "append_line", "arguments": {"line": "one"}}]}
{"on": "tool", "repeat": true, "text": "I have jus", )"
    R"("error": {"code": "network", "message": "the line is dead"}})";

std::string shown_to(model::ScriptModel* model) {
  std::string all;
  for (const msg::Item& item : model->last_request().items) all += msg::plain_text(item) + "\n";
  return all;
}

std::int64_t count(House& house, const std::string& sql) {
  return MUST(house.database->read([&](store::Connection& connection) -> Result<std::int64_t> {
    store::Statement select = TRY(connection.prepare(sql));
    TRY(select.step());
    return select.integer(0);
  }));
}

HouseOptions cloud_first(const std::string& cloud, const std::string& local = always_ok) {
  HouseOptions options{.script = local};
  options.cloud = cloud;
  options.route.default_model = "cloud";
  return options;
}

TEST(Route, AModelThatFailsAfterAToolRanIsReplacedAndTheToolRunsOnce) {
  House house(cloud_first(calls_and_fails, R"({"on": "tool", "text": "Done."})"));
  const Json result = MUST(house.say("Write a line"));
  EXPECT_EQ(result["reply"], "Done.");
  EXPECT_EQ(result["model"], "script");
  EXPECT_EQ(result["route"]["rule"], "fallback");
  EXPECT_EQ(result["route"]["reason"],
            "cloud is not used: the line is dead. script runs on this machine.");
  EXPECT_EQ(testing::lines_of(house.effect_file()), std::vector<std::string>{"one"});
  ASSERT_EQ(result["tools"].size(), 1u);
  // What had been shown of the answer is taken back in words.
  EXPECT_NE(house.notices().find("cloud broke off (the line is dead)"), std::string::npos)
      << house.notices();
  EXPECT_NE(house.notices().find("script goes on"), std::string::npos);
  EXPECT_EQ(shown_to(house.script).find("I have jus"), std::string::npos);
  EXPECT_EQ(count(house, "SELECT count(*) FROM step WHERE kind = 'route'"), 2);
  EXPECT_EQ(count(house, "SELECT count(*) FROM step WHERE kind = 'fallback'"), 1);
  EXPECT_EQ(MUST(house.agent->why(""))["route"]["rule"], "fallback");
}

TEST(Route, WithoutAnybodyElseTheErrorIsTheModels) {
  HouseOptions options{.script = R"({"error": {"code": "network", "message": "no answer"}})"};
  options.second = always_ok;  // not among the fallbacks
  House house(options);
  const Result<Json> failed = house.say("Hello");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "no answer");
}

TEST(Route, AModelThatFailsAgainAndAgainIsLeftAloneAndTriedLater) {
  HouseOptions options{.script =
                           R"({"repeat": true, "error": {"code": "network", "message": "down"}})"};
  options.second = always_ok;
  options.route.fallback = {"second"};
  House house(options);
  for (int i = 0; i < limits::breaker_failures; ++i) {
    EXPECT_NE(MUST(house.say("Hello"))["route"]["reason"].dump().find("down"), std::string::npos);
  }
  Json result = MUST(house.say("Hello"));
  EXPECT_NE(result["route"]["reason"].dump().find("tried again in 10 s"), std::string::npos)
      << result["route"];
  // It is not asked in this turn at all.
  EXPECT_EQ(count(house, "SELECT count(*) FROM step WHERE kind = 'fallback'"), 3);
  house.clock.advance(limits::breaker_pause);
  MUST(house.say("Hello"));
  EXPECT_EQ(count(house, "SELECT count(*) FROM step WHERE kind = 'fallback'"), 4);
}

TEST(Route, AMessageTooLongForAllButOneGoesToThatOne) {
  HouseOptions options{.script = always_ok, .context = 2000};
  options.second = R"({"repeat": true, "text": "long"})";
  options.route.fallback = {"second"};
  House house(options);
  EXPECT_EQ(MUST(house.say("Hello"))["model"], "script");
  // Surely too long: known before anybody is asked.
  EXPECT_EQ(MUST(house.say(std::string(20'000, 'w')))["model"], "second");
  EXPECT_EQ(count(house, "SELECT count(*) FROM step WHERE kind = 'fallback'"), 0);
  // Not long in bytes, but in what the model counts: it says so itself.
  TurnRequest other;
  other.conversation = "other";
  for (int i = 0; i < 3000; ++i) other.text += "w ";
  EXPECT_EQ(MUST(house.run(other))["model"], "second");
  EXPECT_EQ(count(house, "SELECT count(*) FROM step WHERE kind = 'fallback'"), 1);
}

TEST(Route, APrivatePageKeepsTheTurnAndTheConversationOnThisMachine) {
  House house(cloud_first(always_ok));
  MUST(house.memory->add(
      {.title = "Doctor", .body = "The doctor is called Ahab.", .tags = {"Private"}}));
  EXPECT_EQ(MUST(house.say("Hello there"))["model"], "cloud");
  Json result = MUST(house.say("What is my doctor called?"));
  EXPECT_EQ(result["model"], "script");
  EXPECT_EQ(result["route"]["rule"], "private");
  EXPECT_EQ(result["memory"].size(), 1u);
  EXPECT_NE(shown_to(house.script).find("Ahab"), std::string::npos);
  EXPECT_EQ(count(house, "SELECT count(*) FROM item WHERE confidentiality = 'secret'"), 2);
  // What came after may repeat it.
  result = MUST(house.say("Thank you"));
  EXPECT_EQ(result["model"], "script");
  EXPECT_EQ(shown_to(house.cloud).find("Ahab"), std::string::npos);
  TurnRequest other;
  other.conversation = "other";
  other.text = "Hello";
  EXPECT_EQ(MUST(house.run(other))["model"], "cloud");
}

TEST(Route, WhoAsksForAModelElsewhereGetsItWithoutThePrivatePages) {
  House house(cloud_first(always_ok));
  MUST(house.memory->add(
      {.title = "Doctor", .body = "The doctor is called Ahab.", .tags = {"private"}}));
  MUST(house.memory->add({.title = "Doctor's boat", .body = "The doctor's boat is a sloop."}));
  MUST(house.say("Good morning"));
  MUST(house.say("What is my doctor called?"));  // stays here
  TurnRequest request;
  request.text = "Tell me about my doctor";
  request.model = "cloud";
  const Json result = MUST(house.run(request));
  EXPECT_EQ(result["model"], "cloud");
  EXPECT_NE(result["route"]["reason"].dump().find("left out"), std::string::npos);
  const std::string shown = shown_to(house.cloud);
  EXPECT_EQ(shown.find("Ahab"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("What is my doctor called?"), std::string::npos);  // that turn held it
  EXPECT_NE(shown.find("Good morning"), std::string::npos);
  EXPECT_NE(shown.find("Tell me about my doctor"), std::string::npos);
  EXPECT_NE(shown.find("sloop"), std::string::npos);
  for (const Json& page : result["memory"]) EXPECT_NE(page["title"], "Doctor");
  EXPECT_EQ(house.cloud->last_request().pages.size(), 1u);
}

TEST(Route, RecallShowsAModelElsewhereNoPrivatePage) {
  House house(
      cloud_first(R"({"on": "user", "calls": [{"name": "recall", "arguments": {"query": "zebra"}}]}
{"on": "tool", "repeat": true, "text": "ok"})"));
  MUST(house.memory->add(
      {.title = "Zebra", .body = "The zebra sleeps at number nine.", .tags = {"private"}}));
  EXPECT_EQ(MUST(house.say("Look it up"))["model"], "cloud");
  const std::string shown = shown_to(house.cloud);
  EXPECT_EQ(shown.find("number nine"), std::string::npos) << shown;
}

TEST(Route, ARuleForPrivateContentLetsItPass) {
  HouseOptions options = cloud_first(always_ok);
  config::RouteRule rule;
  rule.name = "health";
  rule.is_private = true;
  rule.use = {"cloud"};
  options.route.rules = {rule};
  House house(options);
  const auto added = MUST(house.memory->add(
      {.title = "Doctor", .body = "The doctor is called Ahab.", .tags = {"private"}}));
  const Json result = MUST(house.say("What is my doctor called?"));
  EXPECT_EQ(result["model"], "cloud");
  EXPECT_EQ(result["route"]["rule"], "rule:health");
  EXPECT_NE(shown_to(house.cloud).find("Ahab"), std::string::npos);
  EXPECT_EQ(house.cloud->last_request().pages, std::vector<std::string>{added.page.id});
}

TEST(Route, APrivateConversationStaysAndItsPagesToo) {
  HouseOptions options = cloud_first(always_ok);
  options.route.private_names = {"diary"};
  House house(options);
  TurnRequest request;
  request.conversation = "diary";
  request.text = "My cat is called Minka.";
  request.model = "cloud";
  const Json result = MUST(house.run(request));
  EXPECT_EQ(result["model"], "script");
  EXPECT_EQ(result["route"]["rule"], "private");
  const std::vector<memory::Page> pages = MUST(house.memory->list("", 10));
  ASSERT_EQ(pages.size(), 1u);
  EXPECT_EQ(pages[0].tags, std::vector<std::string>{"diary"});
  EXPECT_EQ(MUST(house.say("What is my cat called?"))["model"], "script");
}

TEST(Route, PrivatePagesAreNoPartOfTheIdentity) {
  House house(cloud_first(always_ok));
  MUST(house.memory->add({.kind = "preference",
                          .title = "Wish",
                          .body = "Never mention Ahab.",
                          .tags = {"private"},
                          .pinned = true}));
  MUST(house.say("Hello"));
  EXPECT_EQ(shown_to(house.cloud).find("Ahab"), std::string::npos);
}

TEST(Route, ABudgetThatIsUsedUpGoesOnOnThisMachine) {
  HouseOptions options = cloud_first(always_ok);
  options.prices = {1000, 1000, 1000, 1000};
  options.budget.per_day = 3.0;
  House house(options);
  int answered = 0;
  Json result;
  for (; answered < 50; ++answered) {
    result = MUST(house.say("Hello"));
    if (result["model"] != "cloud") break;
  }
  EXPECT_GE(answered, 1);
  EXPECT_LT(answered, 50);
  EXPECT_EQ(result["route"]["rule"], "budget");
  EXPECT_NE(result["route"]["reason"].dump().find("day's budget"), std::string::npos);
  EXPECT_LE(3.0 - *MUST(house.budget->left("")).per_day, 3.0);
  house.clock.advance(std::chrono::hours(24));
  EXPECT_EQ(MUST(house.say("Hello"))["model"], "cloud");
}

}  // namespace
}  // namespace keel::agent
