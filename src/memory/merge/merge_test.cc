#include "memory/merge/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <set>

#include "memory/merge/blocks.h"

namespace keel::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> blocks(std::string_view text) {
  std::vector<std::string> out;
  for (const Block& block : blocks_of(text).blocks) out.emplace_back(block.text);
  return out;
}

TEST(MemoryMerge, BlocksAreParagraphsItemsHeadingsAndFences) {
  EXPECT_THAT(blocks("# A\nline one\nline two\n\n\n- x\n  more\n- y\n1. z\n"),
              ElementsAre("# A", "line one\nline two", "- x\n  more", "- y", "1. z"));
  EXPECT_THAT(blocks("```\na\n\nb\n```\nc"), ElementsAre("```\na\n\nb\n```", "c"));
  EXPECT_THAT(blocks("~~~\nnever closed\n\n- x"), ElementsAre("~~~\nnever closed\n\n- x"));
  EXPECT_THAT(blocks("a\r\n\r\nb\r\n"), ElementsAre("a", "b"));
  EXPECT_THAT(blocks(" \n\n\t\n"), IsEmpty());
  EXPECT_THAT(blocks("#tag is no heading\nso one paragraph"),
              ElementsAre("#tag is no heading\nso one paragraph"));
}

TEST(MemoryMerge, ChangesOfDifferentParagraphsAreBothKept) {
  const Merged merged =
      merge_text("one\n\ntwo\n\nthree\n", "ONE\n\ntwo\n\nthree\n", "one\n\ntwo\n\nTHREE\n");
  EXPECT_EQ(merged.text, "ONE\n\ntwo\n\nTHREE\n");
  EXPECT_THAT(merged.conflicts, IsEmpty());
}

TEST(MemoryMerge, ChangesSideBySideAreNoConflict) {
  const Merged merged = merge_text("one\n\ntwo", "ONE\n\ntwo", "one\n\nTWO");
  EXPECT_EQ(merged.text, "ONE\n\nTWO");
  EXPECT_THAT(merged.conflicts, IsEmpty());
}

TEST(MemoryMerge, ItemsOfOneListAreMergedOneByOne) {
  const Merged merged = merge_text("- a\n- b\n- c", "- a!\n- b\n- c\n- d", "- a\n- c\n- e");
  EXPECT_EQ(merged.text, "- a!\n- c\n- d\n- e");
  EXPECT_THAT(merged.conflicts, IsEmpty());
}

TEST(MemoryMerge, TheSameChangeOnBothSidesIsOneChange) {
  const Merged merged = merge_text("a\n\nb\n\nc", "a\n\nx\n\nc\n\nd", "a\n\nx\n\nc2");
  EXPECT_EQ(merged.text, "a\n\nx\n\nc2\n\nd");
  EXPECT_THAT(merged.conflicts, IsEmpty());
}

TEST(MemoryMerge, OneSideStandsAndTheOtherIsKeptAsAConflict) {
  const Merged ours = merge_text("a\n\nb", "a\n\nmine", "a\n\nyours");
  EXPECT_EQ(ours.text, "a\n\nmine");
  EXPECT_THAT(ours.conflicts, ElementsAre(Conflict{"b", "mine", "yours"}));
  const Merged theirs = merge_text("a\n\nb", "a\n\nmine", "a\n\nyours", Stands::theirs);
  EXPECT_EQ(theirs.text, "a\n\nyours");
  EXPECT_THAT(theirs.conflicts, ElementsAre(Conflict{"b", "mine", "yours"}));
}

TEST(MemoryMerge, DeletedHereAndChangedThereIsAConflict) {
  const Merged merged = merge_text("a\n\nb\n\nc", "a\n\nc", "a\n\nB\n\nc");
  EXPECT_EQ(merged.text, "a\n\nc");
  EXPECT_THAT(merged.conflicts, ElementsAre(Conflict{"b", "", "B"}));
}

TEST(MemoryMerge, AdditionsAtTheSamePlaceAreAllKept) {
  const Merged merged = merge_text("a\n", "a\n\nmine\n\nboth\n", "a\n\nboth\n\nyours\n");
  EXPECT_EQ(merged.text, "a\n\nmine\n\nboth\n\nyours\n");
  EXPECT_THAT(merged.conflicts, IsEmpty());
  EXPECT_EQ(merge_text("", "x", "y").text, "x\n\ny");
}

TEST(MemoryMerge, WhiteSpaceOfOursIsKept) {
  EXPECT_EQ(merge_text("a\n\nb\n\nc", "a\n\n\n\nb\n\nc\n\n", "a\n\nb\n\nC").text,
            "a\n\n\n\nb\n\nC\n\n");
}

TEST(MemoryMerge, ListsAreMergedAsSets) {
  EXPECT_THAT(merge_list({"a", "b", "c"}, {"b", "a", "x"}, {"a", "b", "c", "y"}),
              ElementsAre("b", "a", "x", "y"));
  EXPECT_THAT(merge_list({"a"}, {}, {"a"}), IsEmpty());
  EXPECT_THAT(merge_list({}, {"x"}, {"x"}), ElementsAre("x"));
}

// Random edits of random texts: what must hold for all of them.
class RandomTexts {
 public:
  std::string text(std::size_t blocks) {
    std::string out;
    for (std::size_t i = 0; i < blocks; ++i) out += (i ? gap() : "") + block("b");
    return out;
  }
  // Changes, removes, adds and doubles blocks; `mark` names what the editor writes.
  std::string edited(const std::string& from, const std::string& mark) {
    std::string out;
    const auto add = [&](std::string_view one) {
      out += (out.empty() ? "" : gap()) + std::string(one);
    };
    for (const std::string& one : blocks(from)) {
      switch (below(8)) {
        case 0:
          break;
        case 1:
          add(block(mark));
          break;
        case 2:
          add(one);
          add(block(mark));
          break;
        case 3:
          add(one);
          add(one);
          break;
        default:
          add(one);
      }
    }
    if (below(3) == 0) add(block(mark));
    return out;
  }
  std::size_t below(std::size_t bound) { return random_() % bound; }

 private:
  // Few different words for the base, so that blocks repeat; the editors' are their own.
  std::string block(const std::string& mark) {
    const std::string number = std::to_string(mark == "b" ? below(6) : ++fresh_);
    return (below(3) == 0 ? "- " : "") + mark + number;
  }
  std::string gap() { return below(4) == 0 ? "\n\n\n" : "\n\n"; }
  std::mt19937 random_{20261127};
  std::size_t fresh_ = 0;
};

TEST(MemoryMerge, WhateverTheEditsNothingIsLostAndOneSideAloneIsExact) {
  RandomTexts random;
  for (int round = 0; round < 3000; ++round) {
    const std::string base = random.text(random.below(10));
    const std::string ours = random.edited(base, "o"), theirs = random.edited(base, "t");
    SCOPED_TRACE("base:\n" + base + "\nours:\n" + ours + "\ntheirs:\n" + theirs);
    ASSERT_EQ(merge_text(base, ours, base).text, ours);
    ASSERT_EQ(merge_text(base, base, theirs).text, theirs);
    ASSERT_EQ(merge_text(base, ours, ours).text, ours);
    for (const Stands stands : {Stands::ours, Stands::theirs}) {
      const Merged merged = merge_text(base, ours, theirs, stands);
      std::multiset<std::string> kept;
      for (const std::string& one : blocks(merged.text)) kept.insert(one);
      std::set<std::string> in_conflict;
      for (const Conflict& conflict : merged.conflicts)
        for (const std::string* text : {&conflict.ours, &conflict.theirs})
          for (const std::string& one : blocks(*text)) in_conflict.insert(one);
      const auto written = [&](const std::string& text, char mark, bool stand) {
        for (const std::string& one : blocks(text)) {
          if (one.find(mark) == std::string::npos) continue;
          ASSERT_TRUE(kept.contains(one) || (!stand && in_conflict.contains(one))) << one;
        }
      };
      written(ours, 'o', stands == Stands::ours);
      written(theirs, 't', stands == Stands::theirs);
      for (const std::string& one : kept)
        ASSERT_TRUE(ours.find(one) != std::string::npos || theirs.find(one) != std::string::npos);
    }
    // Both directions see the same conflicts.
    const Merged there = merge_text(base, ours, theirs), back = merge_text(base, theirs, ours);
    ASSERT_EQ(there.conflicts.size(), back.conflicts.size());
    for (std::size_t i = 0; i < there.conflicts.size(); ++i)
      ASSERT_EQ(there.conflicts[i].ours, back.conflicts[i].theirs);
  }
}

TEST(MemoryMerge, EditsOfDifferentBlocksNeverConflict) {
  RandomTexts random;
  for (int round = 0; round < 500; ++round) {
    const std::size_t count = 2 + random.below(12);
    std::string base, ours, theirs, expected;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string one = (i ? "\n\n" : "") + std::string("block ") + std::to_string(i);
      const std::size_t who = random.below(3);
      base += one;
      ours += who == 1 ? one + " ours" : one;
      theirs += who == 2 ? one + " theirs" : one;
      expected += one + (who == 1 ? " ours" : who == 2 ? " theirs" : "");
    }
    const Merged merged = merge_text(base, ours, theirs);
    ASSERT_EQ(merged.text, expected);
    ASSERT_THAT(merged.conflicts, IsEmpty());
  }
}

TEST(MemoryMerge, AMegabyteIsMergedInTime) {
  std::string base, ours, theirs;
  for (int i = 0; i < 150'000; ++i) {
    const std::string one = "p" + std::to_string(i) + "\n\n";
    base += one;
    ours += i % 1000 == 0 ? "o" + one : one;
    if (i % 1000 != 500) theirs += one;
  }
  const auto begun = std::chrono::steady_clock::now();
  const Merged merged = merge_text(base, ours, theirs);
  EXPECT_THAT(merged.conflicts, IsEmpty());
  EXPECT_EQ(blocks(merged.text).size(), 150'000u - 150u);
  // Nothing in common at all, and everything the same block.
  std::string others, equal;
  for (int i = 0; i < 150'000; ++i) others += "q" + std::to_string(i) + "\n\n", equal += "-\n\n";
  EXPECT_EQ(merge_text(base, ours, others).conflicts.empty(), false);
  merge_text(equal, equal + "x", "y\n\n" + equal);
  merge_text(equal, equal + equal, others);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
}

}  // namespace
}  // namespace keel::memory
