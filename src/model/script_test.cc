#include "model/script.h"

#include <gtest/gtest.h>

#include <chrono>

#include "rt/patience_test.h"
#include "rt/thread.h"

namespace keel::model {
namespace {

std::unique_ptr<ScriptModel> script(const std::string& text, std::int64_t context = 0) {
  return MUST(ScriptModel::from_text({"s", "", context}, text));
}

Request ask(const std::string& text) {
  Request request;
  request.conversation = "c";
  request.items = {msg::text_item(msg::Role::system, "You are a test."),
                   msg::text_item(msg::Role::user, text)};
  return request;
}

Result<Response> say(ScriptModel& model, const Request& request) {
  return model.generate(request, {}, {});
}

TEST(Script, LinesAreUsedOnceInOrderUnlessTheyRepeat) {
  auto model = script(
      "# comment\n\n{\"text\": \"one\"}\n{\"text\": \"two\"}\n"
      "{\"text\": \"three\", \"repeat\": true}\n");
  for (const char* expected : {"one", "two", "three", "three"}) {
    EXPECT_EQ(msg::plain_text(MUST(say(*model, ask("hi"))).item), expected);
  }
}

TEST(Script, ConditionsChooseByTextResultAndRole) {
  auto model = script(R"({"on": "tool", "result": "42", "text": "It is 42.", "repeat": true}
{"match": "SUM", "calls": [{"name": "sum", "arguments": {"expression": "6*7"}}], "repeat": true}
{"match": "bye", "text": "Bye.", "repeat": true})");
  Request request = ask("what is the sum?");
  Response response = MUST(say(*model, request));
  ASSERT_EQ(msg::tool_calls(response.item).size(), 1u);
  EXPECT_EQ(response.stop, StopReason::tool_calls);
  EXPECT_EQ(msg::tool_calls(response.item)[0].arguments, R"({"expression":"6*7"})");
  request.items.push_back(response.item);
  request.items.push_back({msg::Role::tool, {msg::ToolResult{"1", "calculator", "42", false}}});
  EXPECT_EQ(msg::plain_text(MUST(say(*model, request)).item), "It is 42.");
  EXPECT_EQ(msg::plain_text(MUST(say(*model, ask("bye now"))).item), "Bye.");
  Result<Response> none = say(*model, ask("hello"));
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("hello"), std::string::npos);
}

TEST(Script, AStopTextEndsTheAnswerBeforeItAndNoCallFollows) {
  auto model =
      script(R"({"text": "one two END three", "calls": [{"name": "x", "arguments": {}}]})");
  Request request = ask("hi");
  request.stops = {"END"};
  std::string streamed;
  const Response response =
      MUST(model->generate(request,
                           [&](const StreamEvent& event) {
                             if (const auto* delta = std::get_if<TextDelta>(&event))
                               streamed += delta->text;
                           },
                           {}));
  EXPECT_EQ(response.stop, StopReason::stop_text);
  EXPECT_EQ(response.stopped_by, "END");
  EXPECT_EQ(msg::plain_text(response.item), "one two ");
  EXPECT_EQ(streamed, "one two ");
  EXPECT_TRUE(msg::tool_calls(response.item).empty());
}

TEST(Script, CountingSaysWhatUsageWillSay) {
  auto model = script(R"({"text": "x", "repeat": true})");
  const std::int64_t counted = MUST(model->count(ask("how many words are these")));
  const Response response = MUST(say(*model, ask("how many words are these")));
  EXPECT_EQ(counted, response.usage.prompt_tokens);
  EXPECT_EQ(response.usage.cached_tokens, 0);
}

TEST(Script, SlowAnswersRunBesideEachOther) {
  auto model = script(R"({"match": "slow", "first_delay_ms": 60000, "text": "x"}
{"match": "quick", "text": "y"})");
  std::stop_source stop;
  Response slow;
  const rt::Thread thread = rt::start_thread("test-slow", [&](std::stop_token) {
    slow = MUST(model->generate(ask("slow"), {}, stop.get_token()));
  });
  ASSERT_TRUE(rt::eventually([&] { return !model->last_request().items.empty(); }));
  EXPECT_EQ(msg::plain_text(MUST(say(*model, ask("quick"))).item), "y");
  stop.request_stop();
}

TEST(Script, StreamedTokensAddUpToTheTextAndThinkingIsApart) {
  auto model = script(R"({"thinking": "let me see", "text": "Guten  Tag,\nÄrger "})");
  std::string text;
  std::string thinking;
  int deltas = 0;
  Response response =
      MUST(model->generate(ask("hi"),
                           [&](const StreamEvent& event) {
                             if (const auto* delta = std::get_if<TextDelta>(&event))
                               text += delta->text, ++deltas;
                             if (const auto* delta = std::get_if<ThinkingDelta>(&event))
                               thinking += delta->text;
                           },
                           {}));
  EXPECT_EQ(text, "Guten  Tag,\nÄrger ");
  EXPECT_GT(deltas, 2);
  EXPECT_EQ(thinking, "let me see");
  EXPECT_EQ(msg::plain_text(response.item), text);
}

TEST(Script, AnUnchangedPrefixCountsAsCached) {
  auto model = script(R"({"text": "ok", "repeat": true})");
  Request request = ask("one two three");
  Response first = MUST(say(*model, request));
  EXPECT_EQ(first.usage.cached_tokens, 0);
  request.items.push_back(first.item);
  request.items.push_back(msg::text_item(msg::Role::user, "four"));
  Response second = MUST(say(*model, request));
  EXPECT_EQ(second.usage.cached_tokens, first.usage.prompt_tokens);
  EXPECT_GT(second.usage.evaluated_tokens, 0);
}

TEST(Script, APromptOverTheContextIsALimitWithBothNumbers) {
  auto model = script(R"({"text": "ok", "repeat": true})", 8);
  Result<Response> refused = say(*model, ask("one two three four five six seven eight nine"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::limit);
  EXPECT_EQ(refused.error().message.find("prompt is too long: "), 0u);
}

TEST(Script, AStopEndsItWithinATokenAndKeepsWhatWasWritten) {
  auto model = script(R"({"text": "a b c d e f g h i j", "delay_ms": 50})");
  std::stop_source source;
  int seen = 0;
  auto start = std::chrono::steady_clock::now();
  Response response = MUST(model->generate(
      ask("hi"),
      [&](const StreamEvent&) {
        if (++seen == 2) source.request_stop();
      },
      source.get_token()));
  EXPECT_LT(std::chrono::steady_clock::now() - start, rt::promised(std::chrono::seconds(1)));
  EXPECT_EQ(response.stop, StopReason::cancelled);
  EXPECT_EQ(msg::plain_text(response.item), "a b");
}

TEST(Script, AStopEndsALongFirstDelayAtOnce) {
  auto model = script(R"({"text": "late", "first_delay_ms": 60000})");
  std::stop_source source;
  rt::Thread stopper = rt::start_thread("stopper", [&](std::stop_token) {
    rt::sleep_ms(30);
    source.request_stop();
  });
  auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(MUST(model->generate(ask("hi"), {}, source.get_token())).stop, StopReason::cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, rt::promised(std::chrono::seconds(1)));
}

TEST(Script, ErrorsAreAsWritten) {
  auto model =
      script(R"({"text": "half", "error": {"code": "unavailable", "message": "engine gone"}})");
  Result<Response> failed = say(*model, ask("hi"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::unavailable);
  EXPECT_EQ(failed.error().message, "engine gone");
}

TEST(Script, BrokenFilesNameTheLineAndTheKey) {
  struct {
    const char* text;
    const char* expected;
  } const cases[] = {
      {"{\"text\": \"ok\"}\n{\"txet\": \"x\"}", "line 2: unknown key \"txet\""},
      {"{\"text\": 3}", "line 1: \"text\""},
      {"not json", "line 1: "},
      {"[1]", "JSON object"},
      {"{\"on\": \"system\"}", "user or tool"},
      {"{\"delay_ms\": -1}", "delay_ms"},
      {"{\"calls\": [{\"arguments\": {}}]}", "\"name\""},
      {"{\"calls\": [7]}", "\"name\""},
      {"{\"text\": \"\xff\"}", "UTF-8"},
  };
  for (const auto& one : cases) {
    auto model = ScriptModel::from_text({"s", "", 0}, one.text);
    ASSERT_FALSE(model) << one.text;
    EXPECT_NE(model.error().message.find(one.expected), std::string::npos) << model.error().message;
  }
  auto missing = ScriptModel::open({"s", "/nonexistent/script.jsonl", 0});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
}

}  // namespace
}  // namespace keel::model
