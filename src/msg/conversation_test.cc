#include "msg/conversation.h"

#include <gtest/gtest.h>

namespace keel::msg {
namespace {

Item sample() {
  return Item{Role::assistant,
              {Thinking{"hm", "model-a"}, Text{"Let me look. "},
               ToolCall{"call_1", "time", "{ \"zone\": \"Europe/Berlin\" }", true}, Text{"Done."}}};
}

TEST(Conversation, AnItemSurvivesStorageByteForByte) {
  const Json stored = to_json(sample());
  const Item back = MUST(item_from_json(*parse_json(dump_json(stored))));
  EXPECT_EQ(dump_json(to_json(back)), dump_json(stored));
  EXPECT_EQ(tool_calls(back).at(0).arguments, "{ \"zone\": \"Europe/Berlin\" }")
      << "arguments must keep the model's own bytes";
}

TEST(Conversation, PlainTextLeavesThinkingAndCallsOut) {
  EXPECT_EQ(plain_text(sample()), "Let me look. Done.");
}

TEST(Conversation, AHalfCallStaysMarkedAsHalf) {
  const Item half{Role::assistant, {ToolCall{"c", "time", "{\"zo", false}}};
  EXPECT_FALSE(tool_calls(*item_from_json(to_json(half))).at(0).complete);
}

TEST(Conversation, WhatOlderVersionsStoredIsReadAndWrittenTheSame) {
  const std::string stored =
      R"({"role":"assistant","blocks":[{"type":"text","text":"t"},{"type":"thinking","text":"h",)"
      R"("origin":"m"},{"type":"tool_call","id":"c","name":"n","arguments":"{}","complete":true},)"
      R"({"type":"tool_result","call_id":"c","name":"n","text":"r","is_error":false}]})";
  EXPECT_EQ(dump_json(to_json(MUST(item_from_json(MUST(parse_json(stored)))))), stored);
}

TEST(Conversation, AMarkChangesWithEveryField) {
  const Block call = ToolCall{"c", "n", "{}"};
  Block changed = call;
  std::get<ToolCall>(changed).arguments = "{ }";
  EXPECT_NE(mark_of(call), mark_of(changed));
  changed = call;
  std::get<ToolCall>(changed).extras = {{Dialect::chat, "k", "1"}};
  EXPECT_NE(mark_of(call), mark_of(changed));
  changed = call;
  std::get<ToolCall>(changed).wire.bytes = "{}";
  EXPECT_EQ(mark_of(call), mark_of(changed));
}

TEST(Conversation, BrokenStoredItemsAreErrors) {
  for (const char* bad :
       {"{}", "{\"role\":\"user\"}", "{\"role\":\"nobody\",\"blocks\":[]}",
        "{\"role\":\"user\",\"blocks\":[{\"type\":\"hologram\"}]}",
        "{\"role\":\"user\",\"blocks\":[{\"type\":\"text\",\"text\":7}]}", "[]", "7",
        R"({"role":"user","blocks":[{"type":"opaque","dialect":"x","kind":"k","json":"{}"}]})",
        R"({"role":"user","blocks":[{"type":"opaque","dialect":"chat","kind":"k","json":"{"}]})",
        R"({"role":"user","blocks":[{"type":"image","from":"moon","data":""}]})",
        (R"({"role":"tool","blocks":[{"type":"tool_result","call_id":"c","text":"","parts":[)"
         R"({"type":"tool_result","call_id":"d","text":""}]}]})")}) {
    EXPECT_FALSE(item_from_json(*parse_json(bad))) << bad;
  }
  EXPECT_FALSE(tool_from_json(*parse_json("{\"name\":\"x\",\"schema\":7}")));
}

// Clients send what their own readers let pass; a schema that another reader refuses ended keel.
TEST(Schema, WhatWasReadAsTextIsReadAsAValueToo) {
  const Json schema =
      Schema::from_text(R"({"type":"a\ud800","maximum":1e999,"x":[1,true,null,"b"]})").json();
  ASSERT_TRUE(schema.is_object());
  EXPECT_EQ(schema["type"], "a\uFFFD");
  EXPECT_TRUE(schema["maximum"].is_null());
  EXPECT_EQ(schema["x"], Json({1, true, nullptr, "b"}));
}

}  // namespace
}  // namespace keel::msg
