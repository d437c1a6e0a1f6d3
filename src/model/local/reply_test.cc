#include "model/local/reply.h"

#include <gtest/gtest.h>

namespace keel::local {
namespace {

struct Read {
  std::string text;
  std::string thinking;
  bool call = false;
  std::size_t call_at = 0;
};

// Feeds one byte at a time: the hardest way an answer can arrive.
Read read_bytes(ReplyReader& reader, std::string_view answer) {
  Read read;
  for (const char c : answer) {
    const ReplyStep step = reader.feed(std::string_view(&c, 1));
    read.text += step.text;
    read.thinking += step.thinking;
    if (step.call_found) {
      read.call = true;
      read.call_at = step.call_at;
      return read;
    }
  }
  const ReplyStep rest = reader.finish();
  read.text += rest.text;
  read.thinking += rest.thinking;
  return read;
}

Read read_answer(std::string_view answer, bool starts_thinking = false) {
  ReplyReader reader({{"remember", "recall"}, starts_thinking});
  return read_bytes(reader, answer);
}

TEST(Reply, SpaceBeforeThinkingIsNotTextHoweverItArrives) {
  for (const std::size_t piece : {1u, 3u, 100u}) {
    const std::string_view answer = " \n <think>hm</think>\n\nDone.";
    ReplyReader reader({{"recall"}, false});
    for (std::size_t at = 0; at < answer.size(); at += piece) reader.feed(answer.substr(at, piece));
    reader.finish();
    EXPECT_EQ(reader.text(), "Done.") << piece;
  }
  ReplyReader reader({{"recall"}, false});
  EXPECT_EQ(reader.feed(" ").text, "");
  EXPECT_EQ(reader.feed("so").text, " so");
}

TEST(Reply, TextIsPassedOnInWholeCodePoints) {
  ReplyReader reader({{}, false});
  EXPECT_EQ(reader.feed("a\xE2\x82").text, "a");
  EXPECT_EQ(reader
                .feed("\xAC"
                      "b")
                .text,
            "€b");
}

TEST(Reply, TaggedCallIsFoundAndItsTagIsNeverShown) {
  const Read read = read_answer("I will. <tool_call>\n{\"name\"");
  EXPECT_TRUE(read.call);
  EXPECT_EQ(read.text, "I will. ");
  EXPECT_EQ(read.call_at, 8u);
}

TEST(Reply, BareJsonAtTheStartIsACall) {
  const Read read = read_answer("{\"name\": \"remember\", \"arguments\": {}}");
  EXPECT_TRUE(read.call);
  EXPECT_EQ(read.text, "");
  EXPECT_EQ(read.call_at, 0u);
}

TEST(Reply, FencedJsonIsACallFromItsFenceOn) {
  const Read read = read_answer("Sure.\n```json\n{\n  \"name\": \"recall\",\n");
  EXPECT_TRUE(read.call);
  EXPECT_EQ(read.text, "Sure.\n");
  EXPECT_EQ(read.call_at, 6u);
}

TEST(Reply, StrayBracketsBeforeACallAreNotShown) {
  for (const std::string start : {"{\n", "[", "[\n  ", "```json\n[\n"}) {
    for (const std::string call : {"<tool_call>", "{\"name\": \"recall\""}) {
      const Read read = read_answer(start + call);
      EXPECT_TRUE(read.call) << start << call;
      EXPECT_EQ(read.text, "") << start << call;
      EXPECT_EQ(read.call_at, 0u);
    }
  }
}

TEST(Reply, JsonThatIsNoCallStaysText) {
  for (const std::string answer :
       {"{\"name\": \"John\", \"age\": 30}", "```json\n{\"name\": \"John\"}\n```",
        "```cpp\nint main() {}\n```", "{\"age\": 3}", "[1, 2]", "[{\"a\": 1}]", "{\n<b>",
        "[text](link)", "a < b and {x}", "text {\"name\": \"John\", \"arguments\": 1}"}) {
    const Read read = read_answer(answer);
    EXPECT_FALSE(read.call) << answer;
    EXPECT_EQ(read.text, answer);
  }
}

TEST(Reply, UnknownToolAtTheStartIsStillACall) {
  EXPECT_TRUE(read_answer("{\"name\": \"get_weather\", \"arguments\": {").call);
}

TEST(Reply, AnnouncedToolIsTheOneOfTheLastSentence) {
  const std::vector<std::string> tools = {"calculator", "web_fetch", "time"};
  EXPECT_EQ(announced_tool("To find the root of 9, I'll use the calculator function.", tools),
            "calculator");
  EXPECT_EQ(announced_tool("Sure. To read it, I will call the `web_fetch` function:", tools),
            "web_fetch");
  EXPECT_EQ(announced_tool("I will call the \"time\" function with the zone \"Eire\".", tools),
            "time");
  EXPECT_EQ(announced_tool("I'll use the calculator function. Done.", tools), "");
  EXPECT_EQ(announced_tool("You can use the calculator function.", tools), "");
  EXPECT_EQ(announced_tool("I will take some time.", tools), "");
  EXPECT_EQ(announced_tool("", tools), "");
}

TEST(Reply, WithoutToolsCallsAreText) {
  ReplyReader reader({{}, false});
  const Read read = read_bytes(reader, "<tool_call>\n{\"name\": \"remember\"}");
  EXPECT_FALSE(read.call);
  EXPECT_EQ(read.text, "<tool_call>\n{\"name\": \"remember\"}");
}

TEST(Reply, StartOfMarkupAtTheEndIsText) {
  EXPECT_EQ(read_answer("is a <tool").text, "is a <tool");
}

TEST(Reply, ThinkingIsSeparatedAndHoldsNoCalls) {
  const Read read = read_answer("<think>use <tool_call> here</think>\n\nDone.");
  EXPECT_FALSE(read.call);
  EXPECT_EQ(read.thinking, "use <tool_call> here");
  EXPECT_EQ(read.text, "Done.");
}

TEST(Reply, ThinkingThatThePromptOpenedIsSeparated) {
  const Read read = read_answer("hm</think>\nYes", true);
  EXPECT_EQ(read.thinking, "hm");
  EXPECT_EQ(read.text, "Yes");
}

TEST(Reply, CallIsReadBackByteForByte) {
  ReplyReader reader({{"remember"}, false});
  (void)read_bytes(reader, "Fine. {\"name\": \"remember\"");
  const ReplyStep begun = reader.begin_call(6, "\n");
  EXPECT_EQ(begun.text, "\n");
  const std::string arguments = "{\"text\":  \"a \\\"b\\\" }\\n</tool_call>\", \"n\": 1.0}";
  ReplyStep named;
  for (const char c : "remember" + std::string(kCallMiddle) + arguments + std::string(kCallTail)) {
    EXPECT_FALSE(reader.call_complete());
    const ReplyStep step = reader.feed(std::string_view(&c, 1));
    EXPECT_EQ(step.text, "");
    if (!step.tool_name.empty()) named = step;
  }
  EXPECT_TRUE(reader.call_complete());
  EXPECT_EQ(named.tool_name, "remember");
  const msg::Item item = reader.item();
  ASSERT_EQ(item.blocks.size(), 2u);
  EXPECT_EQ(std::get<msg::Text>(item.blocks[0]).text, "Fine. \n");
  const auto& call = std::get<msg::ToolCall>(item.blocks[1]);
  EXPECT_EQ(call.arguments, arguments);
  EXPECT_TRUE(call.complete);
  EXPECT_EQ("Fine. \n" + call_markup(call.name, call.arguments), reader.raw());
}

TEST(Reply, CallThatEndsInsideIsNotComplete) {
  ReplyReader reader({{"remember"}, false});
  reader.begin_call(0, "");
  reader.feed("remember\", \"arguments\": {\"text\": \"half");
  const auto calls = msg::tool_calls(reader.item());
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_FALSE(calls[0].complete);
  EXPECT_EQ(calls[0].name, "remember");
}

}  // namespace
}  // namespace keel::local
