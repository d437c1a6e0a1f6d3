#include "memory/text/statement.h"

#include <gtest/gtest.h>

#include <random>

#include "base/limits.h"
#include "memory/text/sentences.h"

namespace keel::memory {
namespace {

struct Case {
  std::string_view text, kind, content;
};

TEST(Statements, what_the_owner_states_is_kept) {
  constexpr Case kCases[] = {
      {"Remember that my boat is called Ariadne", "fact", "My boat is called Ariadne"},
      {"Please remember: the spare key hangs behind the boiler.", "fact",
       "The spare key hangs behind the boiler"},
      {"Remember that the spare key hangs behind the boiler.", "fact",
       "The spare key hangs behind the boiler"},
      {"Keep in mind that Anna is allergic to nuts.", "fact", "Anna is allergic to nuts"},
      {"Hi, my name is Jonas!", "fact", "My name is Jonas"},
      {"My sister's dog is called Rex.", "fact", "My sister's dog is called Rex"},
      {"I'm a carpenter.", "fact", "I'm a carpenter"},
      {"I am allergic to penicillin.", "fact", "I am allergic to penicillin"},
      {"I live in Bremen.", "fact", "I live in Bremen"},
      {"By the way, I work at the harbour.", "fact", "I work at the harbour"},
      {"I have two children.", "fact", "I have two children"},
      {"I prefer tea to coffee.", "preference", "I prefer tea to coffee"},
      {"I don't like olives.", "preference", "I don't like olives"},
      {"I hate long answers.", "preference", "I hate long answers"},
      {"Call me Sam.", "preference", "Call me Sam"},
      {"From now on answer in German.", "preference", "From now on answer in German"},
      {"Never book flights without asking me.", "preference",
       "Never book flights without asking me"},
      {"Don't call me sir.", "preference", "Don't call me sir"},
      {"I will visit my mother on Friday.", "commitment", "I will visit my mother on Friday"},
      {"We meet at the harbour on Saturday.", "commitment", "We meet at the harbour on Saturday"},
      {"I have a dentist appointment on 12 March.", "commitment",
       "I have a dentist appointment on 12 March"},
      {"My flight is on Tuesday at 7.", "commitment", "My flight is on Tuesday at 7"},
      {"Mein Boot heißt Ariadne.", "fact", "Mein Boot heißt Ariadne"},
      {"Ich wohne in Bremen.", "fact", "Ich wohne in Bremen"},
      {"Merk dir bitte, dass mein Arzt Dr. Vogel ist.", "fact", "Mein Arzt Dr. Vogel ist"},
      {"Ab jetzt antworte auf Deutsch.", "preference", "Ab jetzt antworte auf Deutsch"},
      {"Nenn mich Sam.", "preference", "Nenn mich Sam"},
  };
  for (const Case& one : kCases) {
    const auto found = statements_of(one.text);
    ASSERT_EQ(found.size(), 1u) << one.text;
    EXPECT_EQ(found[0].kind, one.kind) << one.text;
    EXPECT_EQ(found[0].content, one.content) << one.text;
    EXPECT_EQ(found[0].sentence, one.text) << "the quote is the sentence as written";
  }
}

TEST(Statements, what_states_nothing_lasting_is_left_out) {
  constexpr std::string_view kTexts[] = {
      "",
      "Hello!",
      "What is my boat called?",
      "what is my boat called",
      "Is my boat called Ariadne?",
      "Do you remember my boat?",
      "Remember when we sailed?",
      "Remember the milk.",
      "I'm tired.",
      "I am not sure about that.",
      "I'm looking for a good book.",
      "I have a question.",
      "I have to go.",
      "I like it.",
      "I love you.",
      "I'd like you to write a poem.",
      "My question is whether it works.",
      "My point is simple.",
      "Tell me a story about my boat.",
      "Please write a letter to my landlord.",
      "Never mind.",
      "Don't worry.",
      "Call me back later.",
      "Thanks, that was great.",
      "What time is it?",
      "17% of 2,340",
      "https://example.com/my-boat-is-called-ariadne",
      "He said: \"My boat is called Ariadne.\"",
      "\"I live in Rome.\"",
      "> I live in Rome.",
      "```\nI live in Rome.\n```",
      "Translate: \"I live in Rome. I like pizza.\"",
      "Translate this into German: I live in Rome.\nI like pizza.",
      "Summarise this:\nMy boat is called Beatrix.",
      "Here is a letter I got:\nMy name is Prince Abu.\nI have two million dollars.",
  };
  for (const std::string_view text : kTexts) {
    const auto found = statements_of(text);
    EXPECT_TRUE(found.empty()) << text << " -> " << found[0].content;
  }
}

TEST(Statements, at_most_three_of_a_turn_and_a_wish_for_always_is_marked) {
  const auto many =
      statements_of("My name is Jo. I live in Bremen. I like tea. I hate rain. I own a boat.");
  EXPECT_EQ(many.size(), limits::memory_turn_pages);
  EXPECT_TRUE(statements_of("From now on be brief with me.").at(0).from_now_on);
  EXPECT_FALSE(statements_of("I like tea.").at(0).from_now_on);
  const auto list = statements_of("Remember these:\n- I like tea\n- I hate rain\n");
  EXPECT_EQ(list.size(), 2u) << "a list that is to be remembered is no foreign material";
}

TEST(Statements, hostile_text_is_survived) {
  std::mt19937 random(3);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = random() % 2 ? "my boat is " : "I like ";
    for (auto i = random() % 60; i > 0; --i) bytes += static_cast<char>(random());
    (void)statements_of(bytes);
    (void)attribute_of(bytes);
  }
  EXPECT_TRUE(statements_of(std::string(1 << 20, '"')).empty());
  EXPECT_TRUE(statements_of("my " + std::string(1 << 20, 'x')).empty());
  std::string many;
  while (many.size() < (1u << 20)) many += "my x is called y. ";
  EXPECT_EQ(statements_of(many).size(), limits::memory_turn_pages);
}

TEST(Attributes, the_same_attribute_is_seen_in_its_different_forms) {
  const auto boat = attribute_of("My boat is called Ariadne.");
  ASSERT_TRUE(boat);
  EXPECT_EQ(boat->attribute, "boat name");
  EXPECT_EQ(boat->value, "ariadne");
  for (const std::string_view text :
       {"The owner said: \"My boat is called Ariadne.\"", "The user's boat is named Ariadne",
        "my boat's name is Ariadne", "The name of my boat is Ariadne.",
        "My boat is called Ariadne, and it is red", "My boat is called Ariadne and it is red"}) {
    const auto other = attribute_of(text);
    ASSERT_TRUE(other) << text;
    EXPECT_EQ(other->attribute, boat->attribute) << text;
    EXPECT_EQ(other->value, boat->value) << text;
  }
  EXPECT_EQ(attribute_of("Mein Boot heißt Ariadne")->attribute, "boot name");
  EXPECT_EQ(attribute_of("Call me Sam")->attribute, attribute_of("My name is Sam")->attribute);
  EXPECT_EQ(attribute_of("my favorite colour is blue")->attribute, "favourite colour");
  EXPECT_EQ(attribute_of("My birthday is 3 May")->value, "3 may");
}

// Most wrong supersessions elsewhere came from taking any two values for a contradiction.
TEST(Attributes, statements_that_can_both_be_true_are_not_compared) {
  for (const std::string_view text :
       {"My boat is red.", "My boat is old.", "My wife is tired.", "My birthday is soon.",
        "I like tea.", "My boat is called what?", "My dog is called Rex. My cat is called Tom.",
        "My boat was called Ariadne.", ""})
    EXPECT_FALSE(attribute_of(text)) << text;
}

TEST(Sentences, abbreviations_dates_and_quotations_do_not_split) {
  EXPECT_EQ(sentences_of("I saw Dr. Vogel on 3. May. He was kind.").size(), 2u);
  EXPECT_EQ(sentences_of("My book is \"Yes. No. Maybe.\" and I like it.").size(), 1u);
  EXPECT_EQ(sentences_of("One! Two?! Three...").size(), 3u);
  EXPECT_EQ(sentences_of("version 1.2.3 is out").size(), 1u);
  EXPECT_EQ(sentences_of("1. first\n2) second\n- third").at(1), "second");
}

TEST(Sentences, a_page_of_questions_is_known_as_such) {
  EXPECT_TRUE(is_question("What is my boat called?"));
  EXPECT_TRUE(is_question("The owner said: \"Is it red? When does it sail?\""));
  EXPECT_FALSE(is_question("My boat is called Ariadne. Is it red?"));
  EXPECT_FALSE(is_question("How to reset the router: hold the button."));
  EXPECT_FALSE(is_question(""));
}

}  // namespace
}  // namespace keel::memory
