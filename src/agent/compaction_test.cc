#include "agent/compaction.h"

#include <gtest/gtest.h>

#include "agent/context/context.h"
#include "agent/house_test.h"
#include "rt/patience_test.h"

namespace keel::agent {
namespace {

using rt::eventually;
using testing::House;

// The first line answers what the compaction asks, the second everything else.
constexpr const char* talkative =
    R"({"match": "getting long", "repeat": true, "text": "The owner wants a new mast for Ariadne."}
{"match": "a page", "calls": [{"name": "page", "arguments": {"text": "From the web."}}]}
{"repeat": true, "text": "That is noted, and I will keep it in mind for all that comes after this."}
)";
constexpr const char* speechless =
    R"({"match": "getting long", "repeat": true, "error": {"code": "unavailable", "message": "no"}}
{"repeat": true, "text": "That is noted, and I will keep it in mind for all that comes after this."}
)";

std::int64_t first_prompt(const char* script) {
  House house({.script = script});
  return MUST(house.say("Hello there."))["usage"]["prompt_tokens"].get<std::int64_t>();
}

std::string message(int number) {
  std::string text = "Message " + std::to_string(number) + ":";
  for (int i = 0; i < 40; ++i) text += " mast sail rope";
  return text;
}

store::ConversationRow row_of(House& house) {
  return MUST(house.journal->conversation("main"));
}

TEST(CompactionTest, ALongConversationBecomesShortBetweenTurnsAndNothingIsDropped) {
  House house({.script = talkative, .context = first_prompt(talkative) + 1200, .compacts = true});
  MUST(house.say("Read a page for me."));
  int said = 0;
  while (row_of(house).summary.text.empty()) {
    ASSERT_LT(said, 12);
    MUST(house.say(message(said++)));
    if (said >= 6) (void)eventually([&] { return !row_of(house).summary.text.empty(); });
  }
  const store::ConversationRow row = row_of(house);
  EXPECT_NE(row.summary.text.find("* Read a page for me.\n* Message 0: mast"), std::string::npos)
      << row.summary.text;
  EXPECT_NE(row.summary.text.find("In short:\nThe owner wants a new mast for Ariadne."),
            std::string::npos);
  EXPECT_EQ(row.summary.integrity, "web");  // of the page that was read before
  EXPECT_GT(row.window_start, 0);
  const Window window = MUST(Window::load(*house.journal, row));
  EXPECT_EQ(window.entries().front().position, row.window_start);
  EXPECT_EQ(window.label().integrity, policy::Integrity::web);
  const std::vector<msg::Item> items = window.items(row.system, "script");
  EXPECT_NE(msg::plain_text(items[1]).find("> The owner wants a new mast"), std::string::npos);
  const Json next = MUST(house.say("And now?"));
  EXPECT_EQ(house.notices().find("left out"), std::string::npos) << house.notices();
  EXPECT_FALSE(next["reply"].get<std::string>().empty());
}

TEST(CompactionTest, ASummaryThatFailsChangesNothing) {
  House house({.script = speechless, .context = first_prompt(speechless) + 1200, .compacts = true});
  for (int i = 0; i < 7; ++i) MUST(house.say(message(i)));
  house.agent.reset();  // what it was doing has ended
  EXPECT_TRUE(row_of(house).summary.text.empty());
  EXPECT_EQ(row_of(house).window_start, 0);
}

TEST(CompactionTest, AShortConversationIsLeftAlone) {
  House house({.script = talkative, .context = first_prompt(talkative) + 4000, .compacts = true});
  for (int i = 0; i < 4; ++i) MUST(house.say(message(i)));
  house.agent.reset();
  EXPECT_TRUE(row_of(house).summary.text.empty());
}

}  // namespace
}  // namespace keel::agent
