#include "agent/agent.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

#include "agent/house_test.h"
#include "base/limits.h"
#include "rt/patience_test.h"

namespace keel::agent {
namespace {

using testing::House;

constexpr const char* always_ok = R"({"text": "ok", "repeat": true})";

std::string reply(const Result<Json>& result) {
  return result ? json_string_or(*result, "reply", "?") : "error: " + result.error().text();
}

TEST(Agent, EventsComeInTheirOrderAndTheResultIsComplete) {
  House house({.script = R"({"calls": [{"name": "calculator", "arguments": {"expression": "6*7"}}]}
{"text": "It is 42."})"});
  const Json result = MUST(house.say("What is 6 times 7?"));
  std::string order;
  for (const Event& event : house.events) {
    const std::string name = json_string_or(to_json(event), "event", "");
    if (name != "token" && name != "progress") order += name + " ";
  }
  EXPECT_EQ(order, "turn_started recalled routed tool_started tool_finished replied ");
  EXPECT_EQ(result["reply"], "It is 42.");
  EXPECT_EQ(result["conversation"], "main");
  EXPECT_EQ(result["model"], "script");
  EXPECT_EQ(result["route"]["rule"], "default");
  ASSERT_EQ(result["tools"].size(), 1u);
  EXPECT_EQ(result["tools"][0]["name"], "calculator");
  EXPECT_EQ(result["tools"][0]["arguments"]["expression"], "6*7");
  EXPECT_EQ(result["tools"][0]["ok"], true);
  EXPECT_TRUE(result["memory"].is_array());
  EXPECT_GT(result["usage"]["prompt_tokens"], 0);
  EXPECT_GT(result["usage"]["completion_tokens"], 0);
  for (const char* key : {"ttft_ms", "total_ms", "decode_tps"}) {
    EXPECT_TRUE(result["timings"].contains(key));
  }
  EXPECT_FALSE(result.contains("stopped"));
  std::string streamed;
  for (const Token& token : house.events_of<Token>()) streamed += token.text;
  EXPECT_EQ(streamed, "It is 42.");
}

TEST(Agent, TwoRendersADayApartShareEverythingUpToTheNewMessage) {
  House house({.script = always_ok});
  MUST(house.memory->ensure_identity("Keel"));
  MUST(house.say("My boat is called Ariadne."));
  const model::Request first = house.script->last_request();
  house.clock.advance(std::chrono::hours(24));
  MUST(house.say("What is my boat called?"));
  const model::Request second = house.script->last_request();
  ASSERT_EQ(second.items.size(), first.items.size() + 2);
  for (std::size_t i = 0; i < first.items.size(); ++i) {
    EXPECT_EQ(dump_json(msg::to_json(first.items[i])), dump_json(msg::to_json(second.items[i])));
  }
  ASSERT_EQ(first.tools.size(), second.tools.size());
  for (std::size_t i = 0; i < first.tools.size(); ++i) {
    EXPECT_EQ(dump_json(msg::to_json(first.tools[i])), dump_json(msg::to_json(second.tools[i])));
  }
  // What is of the moment stands behind the owner's words of the newest item.
  const std::string newest = msg::plain_text(second.items.back());
  EXPECT_EQ(newest.find("What is my boat called?"), 0u);
  EXPECT_NE(newest.find("23 November 2026"), std::string::npos);
  // And it is the same bytes after a restart.
  house.restart(always_ok);
  MUST(house.say("Thanks"));
  const model::Request third = house.script->last_request();
  for (std::size_t i = 0; i < second.items.size(); ++i) {
    EXPECT_EQ(dump_json(msg::to_json(second.items[i])), dump_json(msg::to_json(third.items[i])));
  }
}

TEST(Agent, AChangedIdentityIsAnnouncedOnceAndDoesNotTouchThePrefix) {
  House house({.script = always_ok});
  MUST(house.memory->ensure_identity("Keel"));
  MUST(house.say("hello"));
  const std::string frozen = msg::plain_text(house.script->last_request().items[0]);
  MUST(house.memory->add(
      {.kind = "persona", .title = "Manner", .body = "Always speaks of the sea."}));
  MUST(house.say("hello again"));
  model::Request request = house.script->last_request();
  EXPECT_EQ(msg::plain_text(request.items[0]), frozen);
  EXPECT_NE(msg::plain_text(request.items.back()).find("speaks of the sea."), std::string::npos);
  MUST(house.say("and again"));
  request = house.script->last_request();
  EXPECT_EQ(msg::plain_text(request.items[0]), frozen);
  EXPECT_EQ(msg::plain_text(request.items.back()).find("speaks of the sea"), std::string::npos);
  TurnRequest other;
  other.conversation = "other";
  other.text = "hello";
  MUST(house.run(other));
  EXPECT_NE(msg::plain_text(house.script->last_request().items[0]).find("speaks of the sea"),
            std::string::npos);
}

// The conversation was evaluated behind the old list: it must not be read again for a new tool.
TEST(Agent, ToolsThatComeAndGoAreToldOnceAndDoNotTouchThePrefix) {
  House house({.script = always_ok});
  MUST(house.say("hello"));
  const model::Request first = house.script->last_request();
  EXPECT_TRUE(first.shown_tools.empty());
  const auto shown = [](const std::vector<msg::Tool>& tools) {
    std::string names;
    for (const msg::Tool& tool : tools) names += tool.name + " ";
    return names;
  };
  const auto add_one = [&](const char* name) {
    house.add_tool(std::make_unique<testing::FunctionTool>(
        name, tool::Effect::pure, [](const Json&, tool::Context&) -> Result<tool::Outcome> {
          return tool::Outcome{"done"};
        }));
  };
  add_one("weather");
  MUST(house.say("hello again"));
  const model::Request second = house.script->last_request();
  EXPECT_EQ(shown(second.shown_tools), shown(first.tools));
  EXPECT_NE(shown(second.tools).find("weather "), std::string::npos);
  const std::string told = msg::plain_text(second.items.back());
  EXPECT_NE(told.find(R"(you also have:
{"name":"weather","description":"For tests.",)"),
            std::string::npos)
      << told;
  EXPECT_EQ(told.find("append_line"), std::string::npos);
  MUST(house.say("and again"));
  const model::Request third = house.script->last_request();
  EXPECT_EQ(msg::plain_text(third.items.back()).find("weather"), std::string::npos);
  for (std::size_t i = 0; i < second.items.size(); ++i) {
    EXPECT_EQ(dump_json(msg::to_json(second.items[i])), dump_json(msg::to_json(third.items[i])));
  }
  // A new process that has the tool no more.
  house.restart(always_ok);
  MUST(house.say("now"));
  const model::Request fourth = house.script->last_request();
  EXPECT_TRUE(fourth.shown_tools.empty());
  EXPECT_EQ(shown(fourth.tools), shown(first.tools));
  EXPECT_NE(msg::plain_text(fourth.items.back()).find("No longer there: weather."),
            std::string::npos);
}

TEST(Agent, WhatAFailedMessageToldOfToolsIsToldAgain) {
  House house({.script = R"({"text": "ok"}
{"error": {"code": "unavailable", "message": "gone"}}
{"text": "ok"})"});
  MUST(house.say("hello"));
  house.add_tool(std::make_unique<testing::FunctionTool>(
      "weather", tool::Effect::pure,
      [](const Json&, tool::Context&) -> Result<tool::Outcome> { return tool::Outcome{"done"}; }));
  EXPECT_FALSE(house.say("hello again").has_value());
  MUST(house.say("once more"));
  EXPECT_NE(msg::plain_text(house.script->last_request().items.back()).find("\"name\":\"weather\""),
            std::string::npos);
}

TEST(Agent, AMessageDeliveredTwiceIsAnsweredOnceWithTheSameResult) {
  House house({.script = R"({"text": "first"}
{"text": "second"})"});
  TurnRequest request;
  request.text = "hello";
  request.external_id = "m1";
  const Json first = MUST(house.run(request));
  const Json again = MUST(house.run(request));
  EXPECT_EQ(first, again);
  EXPECT_EQ(house.events_of<Replied>().size(), 2u);
  request.external_id = "m2";
  EXPECT_EQ(reply(house.run(request)), "second");
}

TEST(Agent, ASecondDeliveryWhileTheFirstRunsJoinsIt) {
  House house({.script = R"({"text": "one two three four", "delay_ms": 30})"});
  TurnRequest request;
  request.text = "hello";
  request.external_id = "m1";
  Result<Json> joined = fail(Code::internal, "did not run");
  {
    rt::Thread other = rt::start_thread("joiner", [&](std::stop_token) {
      rt::sleep_ms(40);
      joined = house.agent->run(request, {}, {});
    });
    EXPECT_EQ(reply(house.run(request)), "one two three four");
  }
  EXPECT_EQ(reply(joined), "one two three four");
}

TEST(Agent, TurnsOfAConversationPassOneAfterAnotherInTheirOrder) {
  House house({.script = R"({"text": "a b c", "delay_ms": 10, "repeat": true})"});
  std::vector<rt::Thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 4; ++i) {
    threads.push_back(rt::start_thread("caller", [&house, &good, i](std::stop_token) {
      TurnRequest request;
      request.text = "message " + std::to_string(i);
      if (house.agent->run(request, {}, {})) ++good;
    }));
  }
  threads.clear();
  EXPECT_EQ(good, 4);
  const std::vector<store::ItemRow> items = MUST(house.journal->window("main"));
  ASSERT_EQ(items.size(), 8u);
  for (std::size_t i = 0; i < items.size(); i += 2) EXPECT_EQ(items[i].turn, items[i + 1].turn);
}

EventSink tool_started(std::atomic<bool>& seen) {
  return [&seen](const Event& event) {
    if (std::holds_alternative<ToolStarted>(event)) seen = true;
  };
}

TEST(Agent, AnotherConversationDoesNotWait) {
  House house({.script = R"({"match": "slow", "calls": [{"name": "wait"}], "on": "user"}
{"text": "ok", "repeat": true})"});
  std::stop_source stop;
  std::atomic<bool> waiting = false;
  rt::Thread slow = rt::start_thread("slow", [&](std::stop_token) {
    TurnRequest request;
    request.text = "slow";
    request.conversation = "a";
    EXPECT_TRUE(house.agent->run(request, tool_started(waiting), stop.get_token()));
  });
  ASSERT_TRUE(rt::eventually([&] { return waiting.load(); }));
  TurnRequest request;
  request.text = "quick";
  request.conversation = "b";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(reply(house.run(request)), "ok");
  EXPECT_LT(std::chrono::steady_clock::now() - start, rt::promised(std::chrono::seconds(2)));
  stop.request_stop();
}

// Runs a turn and stops it when `due` events of the wanted kind have come (with none: as soon as
// it waits); the time from the stop to the end must be under a second.
template <class E>
Json stopped_turn(House& house, const std::string& text, int due) {
  std::stop_source stop;
  std::atomic<int> seen = 0;
  house.on_event = [&](const Event& event) { seen += std::holds_alternative<E>(event) ? 1 : 0; };
  std::chrono::steady_clock::time_point stopped_at;
  rt::Thread stopper = rt::start_thread("stopper", [&](std::stop_token) {
    EXPECT_TRUE(rt::eventually([&] { return seen >= due; }));
    rt::sleep_ms(50);  // into what comes after the event
    stopped_at = std::chrono::steady_clock::now();
    stop.request_stop();
  });
  Result<Json> result = house.say(text, stop.get_token());
  const auto end = std::chrono::steady_clock::now();
  stopper.join();
  house.on_event = {};
  EXPECT_LT(end - stopped_at, rt::promised(std::chrono::seconds(1)));
  EXPECT_TRUE(result) << reply(result);
  return result ? *result : Json::object();
}

TEST(Agent, AStopKeepsWhatWasWrittenAndTheNextTurnWorks) {
  House house({.script = R"({"match": "long", "text": "a b c d e f g h i j k l m", "delay_ms": 40}
{"match": "think", "text": "late", "first_delay_ms": 20000}
{"match": "tool", "on": "user", "calls": [{"name": "wait"}, {"name": "append_line"}]}
{"text": "ok", "repeat": true})"});
  const Json partial = stopped_turn<Token>(house, "long", 3);
  EXPECT_EQ(partial["stopped"], true);
  EXPECT_EQ(std::string(partial["reply"]).substr(0, 3), "a b");
  EXPECT_LT(std::string(partial["reply"]).size(), 20u);
  const Json nothing = stopped_turn<Routed>(house, "think", 1);
  EXPECT_EQ(nothing["stopped"], true);
  EXPECT_EQ(nothing["reply"], "");
  const Json in_tool = stopped_turn<ToolStarted>(house, "tool", 1);
  EXPECT_EQ(in_tool["stopped"], true);
  EXPECT_TRUE(testing::lines_of(house.effect_file()).empty());  // the call behind it was not made
  ASSERT_EQ(in_tool["tools"].size(), 2u);
  EXPECT_EQ(in_tool["tools"][1]["ok"], false);
  EXPECT_EQ(reply(house.say("go on")), "ok");
  // Every call has its result, every message its answer.
  int calls = 0;
  int results = 0;
  msg::Role before = msg::Role::system;
  for (const msg::Item& item : house.script->last_request().items) {
    calls += static_cast<int>(msg::tool_calls(item).size());
    results += item.role == msg::Role::tool ? 1 : 0;
    EXPECT_FALSE(item.role == msg::Role::user && before == msg::Role::user);
    before = item.role;
  }
  EXPECT_EQ(calls, results);
}

TEST(Agent, AStopEndsTheWaitForAnEarlierTurn) {
  House house({.script = R"({"match": "first", "calls": [{"name": "wait"}], "on": "user"}
{"text": "ok", "repeat": true})"});
  std::stop_source first;
  std::atomic<bool> in_tool = false;
  rt::Thread running = rt::start_thread("first", [&](std::stop_token) {
    TurnRequest request;
    request.text = "first";
    EXPECT_TRUE(house.agent->run(request, tool_started(in_tool), first.get_token()));
  });
  ASSERT_TRUE(rt::eventually([&] { return in_tool.load(); }));
  const Json waited = stopped_turn<TurnStarted>(house, "second", 0);
  EXPECT_EQ(waited["stopped"], true);
  first.request_stop();
  running.join();
  EXPECT_TRUE(MUST(house.journal->open_turns()).empty());
}

TEST(Agent, ATooLongMessageIsRefusedBeforeAnythingAndOneMegabyteIsKept) {
  House house({.script = always_ok});
  const Result<Json> refused = house.say(std::string(limits::message_bytes + 1, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::limit);
  EXPECT_TRUE(house.events.empty());
  const std::string big(limits::message_bytes, 'x');
  const Json result = MUST(house.say(big));
  EXPECT_EQ(MUST(house.journal->turn(std::string(result["turn"]))).text, big);
  EXPECT_FALSE(house.say(" \n\t "));
  TurnRequest bad;
  bad.text = "x";
  bad.conversation = "a\nb";
  EXPECT_EQ(house.run(bad).error().code, Code::invalid_argument);
  bad.conversation = "main";
  bad.model = "skript";
  const Result<Json> unknown = house.run(bad);
  EXPECT_EQ(unknown.error().code, Code::not_found);
  EXPECT_NE(unknown.error().hint.find("Did you mean script?"), std::string::npos);
}

TEST(Agent, AMessageThatDoesNotFitFailsClearlyIsKeptAndDoesNotHarmTheNext) {
  House house({.script = always_ok, .context = 400});
  MUST(house.say("remember the quiet harbour"));
  std::string big;
  for (int i = 0; i < 20000; ++i) big += "word ";
  const Result<Json> result = house.say(big);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::limit);
  EXPECT_NE(result.error().message.find("does not fit"), std::string::npos);
  EXPECT_FALSE(result.error().hint.empty());
  ASSERT_EQ(house.events_of<Failed>().size(), 1u);
  const std::string turn = house.events_of<TurnStarted>().back().turn;
  EXPECT_EQ(MUST(house.journal->turn(turn)).state, store::TurnState::failed);
  EXPECT_EQ(MUST(house.journal->turn(turn)).text, big);
  EXPECT_EQ(reply(house.say("and now?")), "ok");
  // The history before it was not given up for it.
  EXPECT_NE(msg::plain_text(house.script->last_request().items[1]).find("quiet harbour"),
            std::string::npos);
}

TEST(Agent, AFullContextLeavesOutTheOldestTurnsAndSaysSo) {
  House house({.script = always_ok, .context = 400});
  for (int i = 0; i < 80; ++i) {
    ASSERT_EQ(reply(house.say("this is message number " + std::to_string(i) + " of a long talk")),
              "ok");
  }
  EXPECT_NE(house.notices().find("no longer fit"), std::string::npos);
  const std::size_t shortened = house.events_of<Notice>().size();
  EXPECT_GE(shortened, 2u);
  EXPECT_LE(shortened, 20u);  // not at each turn
  const model::Request last = house.script->last_request();
  EXPECT_EQ(last.items[0].role, msg::Role::system);
  EXPECT_EQ(last.items[1].role, msg::Role::user);
  EXPECT_NE(msg::plain_text(last.items.back()).find("number 79"), std::string::npos);
}

TEST(Agent, ALongToolResultIsShortenedToFit) {
  std::string words;
  for (int i = 0; i < 800; ++i) words += "word ";
  House house({.script = R"({"on": "user", "calls": [{"name": "page", "arguments": {"text": ")" +
                         words +
                         R"("}}]}
{"text": "read it", "repeat": true})",
               .context = 1400});
  EXPECT_EQ(reply(house.say("read the page")), "read it");
  EXPECT_NE(house.notices().find("tool result was shortened"), std::string::npos);
  house.restart(always_ok);
  EXPECT_EQ(reply(house.say("again")), "ok");  // the cut was stored too
}

TEST(Agent, InvalidUtf8IsReplacedAndSaid) {
  House house({.script = always_ok});
  const Json result = MUST(house.say("caf\xe9 \xff"));
  EXPECT_NE(house.notices().find("not valid UTF-8"), std::string::npos);
  EXPECT_EQ(MUST(house.journal->turn(std::string(result["turn"]))).text, "caf\uFFFD \uFFFD");
}

TEST(Agent, AModelErrorFailsTheTurnVisiblyAndTheConversationStaysValid) {
  House house(
      {.script =
           R"({"match": "bad", "error": {"code": "unavailable", "message": "gone", "hint": "wait"}}
{"match": "half", "on": "user", "calls": [{"name": "append_line"}]}
{"match": "half", "on": "tool", "error": {"code": "unavailable", "message": "gone"}}
{"text": "ok", "repeat": true})"});
  const Result<Json> failed = house.say("bad");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::unavailable);
  EXPECT_EQ(failed.error().hint, "wait");
  EXPECT_FALSE(house.say("half"));
  EXPECT_EQ(reply(house.say("fine")), "ok");
  const std::vector<msg::Item> items = house.script->last_request().items;
  // system; half: message, call, result, closing; the new message. The message that no model
  // answered is not shown.
  ASSERT_EQ(items.size(), 6u);
  EXPECT_EQ(items[4].role, msg::Role::assistant);
  EXPECT_NE(msg::plain_text(items[4]).find("without an answer"), std::string::npos);
}

TEST(Agent, SignificantStatementsBecomePagesAfterTheReplyUnlessRemembered) {
  House house({.script = R"({"match": "Ariadne", "text": "Nice."}
{"match": "Berta", "calls": [{"name": "remember", "arguments": {"text": "The dog is Berta."}}]}
{"text": "ok", "repeat": true})"});
  MUST(house.say("My boat is called Ariadne."));
  std::vector<memory::Page> pages = MUST(house.memory->list("", 10));
  ASSERT_EQ(pages.size(), 1u);
  EXPECT_NE(pages[0].source_quote.find("Ariadne"), std::string::npos);
  EXPECT_FALSE(pages[0].source_turn.empty());
  MUST(house.say("Remember that my dog is called Berta."));
  pages = MUST(house.memory->list("", 10));
  EXPECT_EQ(pages.size(), 2u);
}

TEST(Agent, AMessageWithoutAModelFailsAndNamesTheCure) {
  House house({.script = always_ok});
  model::Router none(house.clock);
  Agent agent(AgentParts{.clock = house.clock,
                         .database = *house.database,
                         .memory = *house.memory,
                         .router = none,
                         .tools = *house.tools,
                         .net = *house.net,
                         .name = "Keel",
                         .folders = {}});
  TurnRequest request;
  request.text = "hello";
  const Result<Json> failed = agent.run(request, {}, {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::config);
  EXPECT_FALSE(failed.error().hint.empty());
}

TEST(Agent, StatusModelsAndWhyAnswer) {
  House house({.script = always_ok});
  EXPECT_FALSE(house.agent->why(""));
  MUST(house.memory->add({.title = "Boat", .body = "The boat is called Ariadne."}));
  const Json result = MUST(house.say("What is my boat called?"));
  ASSERT_EQ(result["memory"].size(), 1u);
  double sum = 0.0;
  for (const Json& term : result["memory"][0]["terms"]) sum += double(term["value"]);
  EXPECT_NEAR(sum, double(result["memory"][0]["score"]), 1e-9);
  const Json why = MUST(house.agent->why(""));
  EXPECT_EQ(why["turn"], result["turn"]);
  EXPECT_EQ(why["route"]["rule"], "default");
  ASSERT_EQ(why["retrievals"].size(), 1u);
  EXPECT_EQ(why["retrievals"][0]["injected"][0], result["memory"][0]["id"]);
  EXPECT_FALSE(house.agent->why("01NOSUCHTURN"));
  const Json status = MUST(house.agent->status());
  EXPECT_EQ(status["agent"], "Keel");
  EXPECT_EQ(status["model"], "script");
  EXPECT_EQ(status["models"][0]["current"], true);
  EXPECT_EQ(house.agent->use_model("other").error().code, Code::not_found);
  EXPECT_TRUE(house.agent->use_model("script"));
  EXPECT_TRUE(house.agent->prepare("main", {}, {}));
}

TEST(Agent, ThePlainTurnCostsFewCommits) {
  std::atomic<std::int64_t> commits = 0;
  House house(
      {.script =
           R"({"match": "sum", "calls": [{"name": "calculator", "arguments": {"expression": "1"}}]}
{"text": "ok", "repeat": true})",
       .after_commit = [&](std::int64_t n) { commits = n; }});
  MUST(house.say("first"));
  std::int64_t before = commits;
  constexpr int turns = 20;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < turns; ++i) MUST(house.say("hello"));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  const std::int64_t plain = (commits - before) / turns;
  EXPECT_LE(plain, 5);  // inbox, retrieval, context, reply, end
  before = commits;
  MUST(house.say("sum"));
  const std::int64_t with_tool = commits - before;
  EXPECT_LE(with_tool, 7);  // and output with INTENT, RESULT
  std::printf("commits: %d a plain turn, %d with a tool call; %.1f ms a plain turn\n",
              static_cast<int>(plain), static_cast<int>(with_tool), took.count() / turns);
}

}  // namespace
}  // namespace keel::agent
