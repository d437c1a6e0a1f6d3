#include "memory/text/words.h"

#include <gtest/gtest.h>

#include <random>

#include "base/limits.h"
#include "base/text.h"

namespace keel::memory {
namespace {

std::string stems(std::string_view text, Use use = Use::query) {
  std::vector<std::string> found;
  for (const Word& word : words_of(text, use)) found.push_back(word.stem);
  return join(found, " ");
}
WordClass class_of_text(std::string_view word) {
  return class_of(words_of(word, Use::query).at(0));
}

TEST(Words, punctuation_separates_and_case_does_not_matter) {
  EXPECT_EQ(stems("What's MoMA (NY)?"), "what s moma ny");
  EXPECT_EQ(stems("a_b-c/d.e"), "a b c d e");
  EXPECT_EQ(stems(""), "");
  EXPECT_EQ(stems("?!… — ()"), "");
}

TEST(Words, accents_and_compatibility_forms_do_not_part_equal_words) {
  EXPECT_EQ(stems("Café"), stems("CAFE"));
  EXPECT_EQ(stems("Cafe\xCC\x81"), stems("café"));
  EXPECT_EQ(stems("Straße"), stems("STRASSE"));
  EXPECT_EQ(stems("Ｋｅｅｌ"), "keel");
  EXPECT_EQ(stems("ﬁle"), "file");
  // Marks mean something in other scripts: й is not и, が is not か.
  EXPECT_NE(stems("мой"), stems("мои"));
  EXPECT_NE(stems("が"), stems("か"));
}

TEST(Words, chinese_and_japanese_meet_by_pairs_of_characters) {
  EXPECT_EQ(stems("我的船"), "我的 的船");
  EXPECT_EQ(stems("船"), "船");
  EXPECT_EQ(stems("我的船", Use::index), "我 我的 的 的船 船");
  EXPECT_EQ(stems("日本tokyo語"), "日本 tokyo 語");
}

TEST(Words, offsets_point_at_the_word_in_the_original_bytes) {
  const std::string text = "Über den ＦＬＵＳＳ, dann 船";
  for (const Word& word : words_of(text, Use::query)) {
    const std::string raw = text.substr(word.begin, word.end - word.begin);
    EXPECT_EQ(words_of(raw, Use::query).at(0).stem, word.stem);
  }
}

TEST(Words, hostile_bytes_give_bounded_clean_words) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 80, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    for (const Word& word : words_of(bytes, Use::index)) {
      EXPECT_TRUE(is_valid_utf8(word.stem));
      EXPECT_FALSE(word.stem.empty());
      EXPECT_LE(word.stem.size(), limits::memory_word_bytes);
      EXPECT_EQ(word.stem.find_first_of(std::string(" \"*^():\0", 8)), std::string::npos);
      EXPECT_LT(word.begin, word.end);
      EXPECT_LE(word.end, bytes.size());
    }
  }
  EXPECT_EQ(words_of(std::string(1'000'000, 'a'), Use::index).at(0).stem.size(),
            limits::memory_word_bytes);
  std::string wide;
  for (int i = 0; i < 300'000; ++i) wide += "é";
  EXPECT_EQ(words_of(wide, Use::index).size(), 1u);
}

TEST(Words, tells_telling_words_from_weak_ones) {
  for (const char* word : {"what", "is", "my", "THE", "mein", "für"})
    EXPECT_EQ(class_of_text(word), WordClass::stop) << word;
  for (const char* word : {"time", "today", "clock", "heute"})
    EXPECT_EQ(class_of_text(word), WordClass::clock) << word;
  for (const char* word : {"called", "telling", "pages", "17", "heißt"})
    EXPECT_EQ(class_of_text(word), WordClass::weak) << word;
  for (const char* word : {"boat", "pottery", "Ariadne", "2026", "live", "Boot", "die", "war"})
    EXPECT_EQ(class_of_text(word), WordClass::strong) << word;
}

TEST(Words, irregular_forms_lead_both_ways) {
  const auto has = [](std::string_view from, std::string_view to) {
    for (const std::string& form : irregular_forms(words_of(from, Use::query).at(0).stem)) {
      if (form == words_of(to, Use::query).at(0).stem) return true;
    }
    return false;
  };
  EXPECT_TRUE(has("go", "went"));
  EXPECT_TRUE(has("went", "gone"));
  EXPECT_TRUE(has("children", "child"));
  EXPECT_TRUE(has("bought", "buying"));
  EXPECT_TRUE(has("colour", "color"));
  EXPECT_TRUE(irregular_forms("ariadn").empty());
}

}  // namespace
}  // namespace keel::memory
