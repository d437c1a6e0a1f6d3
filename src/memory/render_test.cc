#include "memory/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "memory/fixture_test.h"

namespace keel::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class AuditTest : public TestMemory {};

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> names;
  for (const auto& [key, value] : object.items()) names.push_back(key);
  return names;
}

TEST_F(AuditTest, search_json_has_the_public_shape_and_its_values_add_up) {
  say("My boat is called Ariadne.");
  say("The boat needs paint.");
  const Json json = search_json(search("What is my boat called?"));
  EXPECT_THAT(keys(json), ElementsAre("query", "retrieval", "terms", "results"));
  EXPECT_THAT(keys(json["terms"][0]), ElementsAre("term", "source", "df", "idf"));
  EXPECT_THAT(keys(json["results"][0]), ElementsAre("id", "title", "score", "snippet", "terms"));
  EXPECT_THAT(keys(json["results"][0]["terms"][0]), ElementsAre("term", "field", "value"));
  // As a script reads it: through text.
  const Json again = MUST(parse_json(dump_json(json)));
  ASSERT_EQ(again["results"].size(), 2u);
  for (const Json& result : again["results"]) {
    double sum = 0.0;
    for (const Json& term : result["terms"]) sum += term["value"].get<double>();
    EXPECT_LT(std::abs(sum - result["score"].get<double>()), 1e-9);
  }
}

TEST_F(AuditTest, why_gives_back_exactly_what_the_search_gave) {
  say("My boat is called Ariadne.");
  say("What about the boat?");
  const Retrieval asked = recall("What is my boat called?", "turn-7");
  MUST(memory().mark_injected(asked.id, {asked.hits.at(0).page_id}));
  open();
  const std::vector<Retrieval> stored = MUST(memory().why("turn-7"));
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(dump_json(search_json(stored[0])), dump_json(search_json(asked)));
  EXPECT_TRUE(stored[0].hits.at(0).injected);
  EXPECT_EQ(stored[0].held_back.size(), asked.held_back.size());
  EXPECT_EQ(MUST(memory().why(asked.id)).size(), 1u);
  EXPECT_EQ(MUST(memory().latest_turn()), "turn-7");
  EXPECT_TRUE(MUST(memory().why("turn-8")).empty());
  EXPECT_TRUE(MUST(memory().why("")).empty());
}

TEST_F(AuditTest, only_pages_that_were_returned_can_be_marked_as_shown) {
  say("My boat is called Ariadne.");
  say("What about the boat?");
  const Retrieval asked = recall("What is my boat called?");
  ASSERT_EQ(asked.held_back.size(), 1u);
  EXPECT_FALSE(memory().mark_injected(asked.id, {asked.held_back[0].page_id}));
  EXPECT_FALSE(memory().mark_injected("none", {asked.hits[0].page_id}));
  EXPECT_TRUE(memory().mark_injected(asked.id, {}));
}

TEST_F(AuditTest, the_retrievals_of_a_turn_come_oldest_first) {
  EXPECT_EQ(MUST(memory().latest_turn()), "");
  recall("first", "t");
  Query second;
  second.text = "second";
  second.trigger = "tool";
  second.turn = "t";
  MUST(memory().search(second));
  search("third");
  const std::vector<Retrieval> both = MUST(memory().why("t"));
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].query, "first");
  EXPECT_EQ(both[1].query, "second");
  EXPECT_EQ(MUST(memory().latest_turn()), "t");
}

TEST_F(AuditTest, why_text_writes_the_sum_out) {
  say("My boat is called Ariadne.");
  say("Pottery class on Tuesdays", "s");
  say("It was fun.", "s");
  say("What about the boat?");
  const Retrieval asked = recall("What is my boat called?", "turn-7");
  MUST(memory().mark_injected(asked.id, {asked.hits.at(0).page_id}));
  const std::string text = why_text(MUST(memory().why("turn-7")));
  EXPECT_THAT(text, HasSubstr("asked: What is my boat called?"));
  EXPECT_THAT(text, HasSubstr("boat: in 2 of 4 page(s)"));
  EXPECT_THAT(text, HasSubstr("called (stem call): in 1 of 4 page(s)"));
  EXPECT_THAT(text, HasSubstr("shown to the model: 1 of 1"));
  EXPECT_THAT(text, HasSubstr("= boat "));
  EXPECT_THAT(text, HasSubstr(" + called "));
  EXPECT_THAT(text, HasSubstr("not used:"));
  EXPECT_THAT(text, HasSubstr("it is a question"));
  EXPECT_THAT(why_text({search("pottery")}), HasSubstr("(near)"));
}

TEST_F(AuditTest, why_text_says_so_when_nothing_matched) {
  const std::string text = why_text({recall("Where is the submarine parked?")});
  EXPECT_THAT(text, HasSubstr("nothing matched: terms submarine, parked"));
  EXPECT_THAT(why_text({recall("is it?")}), HasSubstr("no word to look for"));
  EXPECT_THAT(why_text({}), HasSubstr("not asked"));
}

TEST_F(AuditTest, hostile_titles_cannot_draw_on_the_terminal) {
  NewPage page;
  page.title = "boat \x1b[2Jfake";
  page.body = "boat";
  MUST(memory().add(page));
  EXPECT_THAT(why_text({search("boat \x1b[31m")}), Not(HasSubstr("\x1b")));
}

TEST_F(AuditTest, page_json_names_what_a_page_holds) {
  const Page page = say("My boat is called Ariadne.");
  const Json json = page_json(page);
  EXPECT_EQ(json["id"], page.id);
  EXPECT_EQ(json["state"], "live");
  EXPECT_EQ(json["created"].get<std::string>().size(), 20u);
}

}  // namespace
}  // namespace keel::memory
