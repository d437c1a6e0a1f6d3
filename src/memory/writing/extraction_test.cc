#include "memory/writing/extraction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "memory/fixture_test.h"

namespace keel::memory {
namespace {

using ::testing::HasSubstr;

Json note(std::string_view quote, std::string_view kind = "fact", std::string_view text = "") {
  return {{"quote", quote}, {"kind", kind}, {"text", text}};
}

std::vector<NewPage> found(const std::vector<Json>& notes, std::string_view message) {
  Json answer = Json::object();
  answer["notes"] = Json(notes);
  return pages_found(dump_json(answer), message);
}

TEST(Extraction, a_page_holds_the_owners_sentence_whatever_the_model_wrote) {
  const std::vector<NewPage> pages =
      found({note("MY SISTER Clara moved", "fact", "Clara, the owner's sister, moved to Bremen.")},
            "By the way, my sister Clara moved to Bremen. What is the weather there?");
  ASSERT_EQ(pages.size(), 1u);
  EXPECT_EQ(pages[0].body, "The owner said: \"My sister Clara moved to Bremen.\"");
  EXPECT_EQ(pages[0].title, "My sister Clara moved to Bremen");
  EXPECT_EQ(pages[0].source_quote, "By the way, my sister Clara moved to Bremen.");
  EXPECT_EQ(pages[0].gist, "Clara, the owner's sister, moved to Bremen.");
  EXPECT_EQ(pages[0].origin, "owner");
  EXPECT_FALSE(pages[0].pinned);
}

TEST(Extraction, what_the_owner_did_not_say_is_dropped) {
  const std::string message =
      "What is my boat called? Look at this:\n> My password is hunter2 and I hate tea.\n```\nI "
      "always sail on Mondays here\n```\nThe engine was overhauled in spring.";
  for (const char* quote :
       {"My boat is called Ariadne", "What is my boat called", "My password is hunter2",
        "I always sail on Mondays here", "engine", "", "The engine was overhauled in summer"})
    EXPECT_TRUE(found({note(quote)}, message).empty()) << quote;
  EXPECT_EQ(found({note("The engine was overhauled in spring")}, message).size(), 1u);
  EXPECT_TRUE(found({note("The engine was overhauled in spring", "persona")}, message).empty());
  EXPECT_TRUE(
      found({note("I live in Kiel and sail")}, "Translate: I live in Kiel and sail").empty());
}

TEST(Extraction, an_answer_of_another_form_is_nothing) {
  for (const char* answer : {"", "null", "[]", "{}", R"({"notes":{}})", R"({"notes":["x",1,null]})",
                             R"({"notes":[{"quote":7,"kind":[]}]})"})
    EXPECT_TRUE(pages_found(answer, "The engine was overhauled in spring.").empty()) << answer;
}

TEST(Extraction, a_sentence_is_one_page_and_there_are_not_more_than_five) {
  std::string message;
  std::vector<Json> notes;
  for (const char* thing : {"mast", "boom", "keel", "rudder", "winch", "anchor", "sail"}) {
    message += std::string("The new ") + thing + " came from Arnis. ";
    notes.push_back(note(std::string("The new ") + thing + " came"));
    notes.push_back(note(std::string(thing) + " came from Arnis"));
  }
  EXPECT_EQ(found(notes, message).size(), 5u);
}

TEST(Extraction, words_of_the_models_own_are_kept_only_where_the_sentence_bears_them) {
  const std::string message = "We berth at pier 14 until October.";
  const auto gist = [&](std::string_view text) {
    return found({note("We berth at pier 14", "fact", text)}, message).at(0).gist;
  };
  EXPECT_EQ(gist("The owner berths at pier 14 until October."),
            "The owner berths at pier 14 until October.");
  EXPECT_EQ(gist("The owner berths at pier 15."), "");
  EXPECT_EQ(gist("The owner loves expensive Italian motor yachts."), "");
  EXPECT_EQ(gist(std::string(400, 'x')), "");
}

Json valued(std::string_view quote, std::string_view subject, std::string_view attribute,
            std::string_view value) {
  Json one = note(quote);
  one["subject"] = subject;
  one["attribute"] = attribute;
  one["value"] = value;
  return one;
}

TEST(Extraction, a_value_counts_only_where_the_sentence_says_of_what_it_is) {
  const auto extra = [](std::string_view message, std::string_view subject,
                        std::string_view attribute, std::string_view value) {
    const std::string quote(message.substr(0, message.size() - 1));
    const std::vector<NewPage> pages = found({valued(quote, subject, attribute, value)}, message);
    return pages.empty() ? std::string("no page") : dump_json(pages[0].extra);
  };
  EXPECT_EQ(extra("The code of the garden gate is 4711.", "garden gate", "code", "4711"),
            R"({"subject":"garden gate","attribute":"code","value":"4711"})");
  EXPECT_EQ(extra("The code of the garden gate is 4711.", "owner", "code", "4711"), "{}")
      << "which gate is left out";
  EXPECT_EQ(extra("Ben's birthday is the 4th of June.", "owner", "birthday", "4th of June"), "{}");
  EXPECT_EQ(extra("The code of the garden gate is 4711.", "garden gate", "code", "4712"), "{}");
  EXPECT_EQ(extra("The code of the garden gate is 4711.", "garden gate", "password", "4711"), "{}");
}

TEST(Extraction, only_messages_that_may_hold_more_than_the_rules_saw_are_asked_about) {
  for (const char* text :
       {"What is the tide in Kiel tomorrow at noon?", "thanks!", "My boat is called Ariadne.",
        "Translate this: the harbour is closed in winter.", "", "tell me more",
        "```\nthis is a line of code\n```"})
    EXPECT_FALSE(may_hold_more(text)) << text;
  for (const char* text : {"The vet says Momo needs drops until spring.",
                           "My boat is called Ariadne. The engine was overhauled in spring."})
    EXPECT_TRUE(may_hold_more(text)) << text;
}

class NotedAttribute : public TestMemory {
 protected:
  Page add(std::string_view code, std::string_view gate = "garden gate") {
    const std::string message =
        "The code of the " + std::string(gate) + " is " + std::string(code) + ".";
    clock_.advance(std::chrono::seconds(1));
    return MUST(memory().add(found({valued(message, gate, "code", code)}, message).at(0))).page;
  }
};

TEST_F(NotedAttribute, supersedes_the_same_subject_and_attribute_and_nothing_else) {
  const Page first = add("4711");
  const Page cellar = add("1234", "cellar door");
  EXPECT_EQ(add("4711").id, first.id) << "the same is merged";
  const Page second = add("0815");
  EXPECT_EQ(second.supersedes, first.id);
  EXPECT_EQ(MUST(memory().get(first.id)).state, "superseded");
  EXPECT_EQ(MUST(memory().get(cellar.id)).state, "live");
  NewPage imported;
  imported.body = "The code of the garden gate is 6666.";
  imported.origin = "import";
  imported.extra = {{"subject", "garden gate"}, {"attribute", "code"}, {"value", "6666"}};
  MUST(memory().add(imported));
  EXPECT_EQ(MUST(memory().get(second.id)).state, "live");
  NewPage edited;
  edited.body = "The gate has no code any more.";
  MUST(memory().edit(second.id, edited, "owner"));
  const Page third = add("9999");
  EXPECT_EQ(third.supersedes, "") << "what no longer says a value is not replaced by one";
}

TEST(Extraction, the_prompt_is_the_same_up_to_the_message) {
  std::vector<msg::Item> one = extraction_items("The first one."), other = extraction_items("b");
  EXPECT_EQ(msg::plain_text(one.back()), "The first one.");
  one.pop_back();
  other.pop_back();
  ASSERT_EQ(one.size(), other.size());
  for (std::size_t i = 0; i < one.size(); ++i)
    EXPECT_EQ(dump_json(msg::to_json(one[i])), dump_json(msg::to_json(other[i])));
  EXPECT_THAT(msg::plain_text(one.front()), HasSubstr("copy the words"));
  EXPECT_EQ(msg::plain_text(extraction_items(std::string(100'000, 'a')).back()).size(), 4096u);
}

}  // namespace
}  // namespace keel::memory
