// Several who want one engine: the urgent are not kept waiting, and the others lose nothing.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "model/engine/engine_fixture_test.h"
#include "rt/patience_test.h"

namespace keel::local {
namespace {

using rt::eventually;

model::Request story(model::Priority priority, const std::string& conversation, int tokens) {
  model::Request request;
  request.conversation = conversation;
  request.items = {msg::text_item(msg::Role::user, "Write a long story about a ship.")};
  request.priority = priority;
  request.max_tokens = tokens;
  return request;
}

// A request that is answered in a thread of its own.
struct Running {
  Running(LocalModel& model, model::Request request)
      : thread([this, &model, request = std::move(request)](std::stop_token stop) {
          response = model.generate(
              request,
              [this](const model::StreamEvent& event) {
                if (const auto* text = std::get_if<model::TextDelta>(&event)) {
                  told += text->text;
                  ++deltas;
                }
                const auto* progress = std::get_if<model::Progress>(&event);
                if (progress != nullptr && progress->phase == "waiting") ++waits;
                if (progress != nullptr && progress->phase == "reading") ++readings;
              },
              stop);
          done = true;
        }) {}
  Result<model::Response> response = fail(Code::internal, "not answered");
  std::string told;
  std::atomic<int> deltas{0};
  std::atomic<int> waits{0};
  std::atomic<int> readings{0};
  std::atomic<bool> done{false};
  std::jthread thread;
};

TEST_F(LocalModelTest, AJobMakesWayAndGoesOnWithoutReadingOrSayingAnythingTwice) {
  NEED_MODEL(kTiny);
  const auto alone = model_->generate(story(model::Priority::background, "alone", 60), {}, {});
  ASSERT_TRUE(alone) << alone.error().text();
  Running job(*model_, story(model::Priority::background, "job", 60));
  ASSERT_TRUE(eventually([&] { return job.deltas > 8; }));
  const auto owner = model_->generate(story(model::Priority::owner, "owner", 5), {}, {});
  const bool first = !job.done;
  ASSERT_TRUE(owner) << owner.error().text();
  EXPECT_EQ(owner->usage.completion_tokens, 5);
  ASSERT_TRUE(eventually([&] { return job.done.load(); }));
  ASSERT_TRUE(job.response) << job.response.error().text();
  EXPECT_TRUE(first);
  EXPECT_GE(job.waits, 1);
  EXPECT_EQ(job.response->stop, alone->stop);
  EXPECT_EQ(job.response->usage.completion_tokens, alone->usage.completion_tokens);
  EXPECT_EQ(msg::plain_text(job.response->item), msg::plain_text(alone->item));
  EXPECT_EQ(job.told, msg::plain_text(alone->item));
  // What it had read and written was in memory still.
  EXPECT_LE(job.response->usage.evaluated_tokens, alone->usage.prompt_tokens);
}

TEST_F(LocalModelTest, ALongPromptOfAJobIsReadInPartsAroundTheOwner) {
  NEED_MODEL(kTiny, 4096);
  ASSERT_TRUE(model_->prepare({}, {}, {}));
  model::Request long_one = story(model::Priority::background, "job", 4);
  std::string text;
  for (int i = 0; i < 220; ++i) text += "The ship sails on over the wide sea. ";
  long_one.items = {msg::text_item(msg::Role::user, text)};
  Running job(*model_, long_one);
  ASSERT_TRUE(eventually([&] { return job.readings > 2; }));
  const auto owner = model_->generate(story(model::Priority::owner, "owner", 2), {}, {});
  const bool first = !job.done;
  ASSERT_TRUE(owner) << owner.error().text();
  ASSERT_TRUE(eventually([&] { return job.done.load(); }));
  ASSERT_TRUE(job.response) << job.response.error().text();
  EXPECT_TRUE(first);
  EXPECT_EQ(job.response->usage.completion_tokens, 4);
  // At most the batch that was interrupted is read again.
  EXPECT_LE(job.response->usage.evaluated_tokens, job.response->usage.prompt_tokens + 512);
}

TEST_F(LocalModelTest, WhoStopsWhileWaitingIsLetGoAtOnce) {
  NEED_MODEL(kTiny);
  Running owner(*model_, story(model::Priority::owner, "owner", 400));
  ASSERT_TRUE(eventually([&] { return owner.deltas > 2; }));
  Running client(*model_, story(model::Priority::client, "client", 5));
  ASSERT_TRUE(eventually([&] { return client.waits > 0; }));
  client.thread.request_stop();
  ASSERT_TRUE(eventually([&] { return client.done.load(); }));
  EXPECT_FALSE(owner.done);
  ASSERT_FALSE(client.response);
  EXPECT_EQ(client.response.error().code, Code::cancelled);
  owner.thread.request_stop();
}

TEST_F(LocalModelTest, APromptIsCountedWhileAnAnswerIsWrittenAndNobodyWaits) {
  NEED_MODEL(kTiny);
  ASSERT_TRUE(model_->prepare({}, {}, {}));
  model::Request question = story(model::Priority::client, "other", 5);
  question.tools = {tool("look_up", "Looks something up.",
                         R"({"type":"object","properties":{"what":{"type":"string"}}})")};
  const std::int64_t alone = MUST(model_->count(question));
  Running owner(*model_, story(model::Priority::owner, "owner", 400));
  ASSERT_TRUE(eventually([&] { return owner.deltas > 2; }));
  for (int i = 0; i < 3; ++i) {
    const Result<std::int64_t> tokens = model_->count(question);
    ASSERT_TRUE(tokens) << tokens.error().text();
    EXPECT_EQ(*tokens, alone);
  }
  EXPECT_FALSE(owner.done);
  EXPECT_EQ(owner.waits, 0);
  // Several at once, some of them when the answer ends.
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> askers;
    for (int i = 0; i < 4; ++i) {
      askers.emplace_back([&] {
        for (int n = 0; n < 5; ++n) right += model_->count(question).value_or(-1) == alone ? 1 : 0;
      });
    }
    rt::sleep_ms(20);
    owner.thread.request_stop();
  }
  EXPECT_EQ(right, 20);
  EXPECT_EQ(MUST(model_->generate(question, {}, {})).usage.prompt_tokens, alone);
}

// A child that is killed takes the counts with it; they are asked of the next one.
TEST_F(LocalModelTest, ACountSurvivesTheEndOfTheEngine) {
  NEED_MODEL(kTiny);
  const model::Request question = story(model::Priority::client, "other", 5);
  const std::int64_t alone = MUST(model_->count(question));
  Running owner(*model_, story(model::Priority::owner, "owner", 200));
  ASSERT_TRUE(eventually([&] { return owner.deltas > 2; }));
  // It takes requests in, and does not get to them.
  ::kill(model_->stats().pid, SIGSTOP);
  Result<std::int64_t> tokens = fail(Code::internal, "not counted");
  {
    const std::jthread asker([&] { tokens = model_->count(question); });
    rt::sleep_ms(50);
    ::kill(model_->stats().pid, SIGKILL);
  }
  ASSERT_TRUE(tokens) << tokens.error().text();
  EXPECT_EQ(*tokens, alone);
  ASSERT_TRUE(eventually([&] { return owner.done.load(); }));
  EXPECT_TRUE(owner.response);
}

// A preparation that comes late, for what is being answered already, must not cost the answer.
TEST_F(LocalModelTest, ReadingAheadWhatWasAnsweredMeanwhileTakesNothingBack) {
  NEED_MODEL(kTiny);
  const model::Request question = ask("Write a long story about a ship.");
  model::Request early = question;
  request_.max_tokens = 30;
  const auto answer = generate(request_);
  ASSERT_TRUE(answer);
  ASSERT_TRUE(model_->prepare(early, {}, {}));
  request_.items.push_back(answer->item);
  request_.items.push_back(msg::text_item(msg::Role::user, "Go on."));
  const auto next = generate(request_);
  ASSERT_TRUE(next);
  EXPECT_LT(next->usage.evaluated_tokens, 20);
}

// A summary took the place of older turns while the conversation went on as it was.
TEST_F(LocalModelTest, AConversationThatWasMadeShorterGoesOnFromWhatWasReadAhead) {
  NEED_MODEL(kTiny);
  std::string text;
  for (int i = 0; i < 40; ++i) text += "The ship sails on over the wide sea. ";
  model::Request whole = story(model::Priority::owner, "main", 2);
  whole.items = {msg::text_item(msg::Role::user, text), msg::text_item(msg::Role::assistant, "So?"),
                 msg::text_item(msg::Role::user, "Go on.")};
  ASSERT_TRUE(generate(whole));
  std::string words;
  for (int i = 0; i < 20; ++i) words += "A summary of all that was said. ";
  model::Request shorter = story(model::Priority::background, "main/next", 2);
  shorter.items = {msg::text_item(msg::Role::user, words),
                   msg::text_item(msg::Role::assistant, "So?")};
  ASSERT_TRUE(model_->prepare(shorter, {}, {}));
  const auto before = generate(whole);  // not taken over yet
  ASSERT_TRUE(before);
  EXPECT_EQ(before->usage.evaluated_tokens, 1);
  shorter.conversation = "main";
  shorter.priority = model::Priority::owner;
  shorter.items.push_back(msg::text_item(msg::Role::user, "And now?"));
  const auto after = generate(shorter);
  ASSERT_TRUE(after);
  EXPECT_LT(after->usage.evaluated_tokens, 24);
  EXPECT_GT(after->usage.cached_tokens, 100);
}

TEST_F(LocalModelTest, AStopTextEndsTheAnswerBeforeIt) {
  NEED_MODEL(kTiny);
  model::Request request = ask("Count from one to ten in words.");
  request.max_tokens = 60;
  const auto whole = generate(request);
  ASSERT_TRUE(whole);
  const std::string text = msg::plain_text(whole->item);
  ASSERT_GT(text.size(), 40U);
  const std::string stop = text.substr(20, 9);
  request.stops = {stop};
  const auto cut = generate(request);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->stop, model::StopReason::stop_text);
  EXPECT_EQ(cut->stopped_by, stop);
  EXPECT_EQ(msg::plain_text(cut->item), text.substr(0, text.find(stop)));
  EXPECT_EQ(heard_.text, msg::plain_text(cut->item));
}

TEST_F(LocalModelTest, ACallThatIsRequiredOfOneToolIsOfThatTool) {
  NEED_MODEL(kTiny);
  model::Request request = ask("Hello!");
  request.tools = {tool("first_tool", "does one thing", R"({"type":"object","properties":{}})"),
                   tool("other_tool", "does another", R"({"type":"object","properties":{}})")};
  request.tool_choice = model::ToolChoice::required;
  for (const msg::Tool& wanted : request.tools) {
    request.tool = wanted.name;
    const auto answer = generate(request);
    ASSERT_TRUE(answer) << answer.error().text();
    const auto calls = msg::tool_calls(answer->item);
    ASSERT_EQ(calls.size(), 1U);
    EXPECT_EQ(calls[0].name, wanted.name);
  }
}

}  // namespace
}  // namespace keel::local
