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

TEST(Conversation, BrokenStoredItemsAreErrors) {
  for (const char* bad :
       {"{}", "{\"role\":\"user\"}", "{\"role\":\"nobody\",\"blocks\":[]}",
        "{\"role\":\"user\",\"blocks\":[{\"type\":\"hologram\"}]}",
        "{\"role\":\"user\",\"blocks\":[{\"type\":\"text\",\"text\":7}]}", "[]", "7"}) {
    EXPECT_FALSE(item_from_json(*parse_json(bad))) << bad;
  }
  EXPECT_FALSE(tool_from_json(*parse_json("{\"name\":\"x\",\"schema\":7}")));
}

}  // namespace
}  // namespace keel::msg
