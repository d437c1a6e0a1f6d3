#include "model/ledger/draft.h"

#include <gtest/gtest.h>

#include <numeric>

namespace keel::local {
namespace {

using Tokens = Drafter::Tokens;

Tokens count_up(std::int32_t from, std::size_t size) {
  Tokens tokens(size);
  std::iota(tokens.begin(), tokens.end(), from);
  return tokens;
}

Tokens joined(Tokens first, const Tokens& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

const Tokens quoting = joined(count_up(100, 40), {7, 8, 110, 111});  // and then 112

Drafter::Expect expecting(std::int32_t from, std::size_t size) {
  return [=] { return count_up(from, size); };
}

void take_times(Drafter& drafter, double one, double four, double eight) {
  for (int i = 0; i < 6; ++i) {
    drafter.timed(1, one);
    drafter.timed(4, four);
    drafter.timed(8, eight);
  }
}

TEST(Drafter, AQuoteIsGoneOnWith) {
  Drafter drafter;
  EXPECT_EQ(drafter.propose(quoting, 112), count_up(113, 3));
}

TEST(Drafter, WhatWasNeverSeenIsNotGuessed) {
  Drafter drafter;
  EXPECT_TRUE(drafter.propose({}, 1).empty());
  EXPECT_TRUE(drafter.propose({1, 2}, 3).empty());
  EXPECT_TRUE(drafter.propose(count_up(0, 500), 3).empty());
}

TEST(Drafter, TheLongestMatchWinsAndOfEqualsTheNewest) {
  Drafter drafter;
  // "1 2 3" is followed by 50.. after 9, by 60.. and later by 70.. after 8.
  Tokens ledger = joined({9, 1, 2, 3}, count_up(50, 10));
  ledger = joined(joined(ledger, {8, 1, 2, 3}), count_up(60, 10));
  ledger = joined(joined(ledger, {8, 1, 2, 3}), count_up(70, 10));
  EXPECT_EQ(drafter.propose(joined(ledger, {9, 1, 2}), 3).at(0), 50);
  EXPECT_EQ(drafter.propose(joined(ledger, {8, 1, 2}), 3).at(0), 70);
}

TEST(Drafter, WhatAGrammarExpectsNeedsNoQuote) {
  Drafter drafter;
  EXPECT_EQ(drafter.propose({1, 2}, 3, expecting(50, 4)), count_up(50, 3));
  EXPECT_TRUE(drafter.propose({1, 2}, 3, expecting(50, 2)).empty());
}

TEST(Drafter, AQuoteIsTakenOnlyIfItAgreesWithTheGrammar) {
  Drafter drafter;
  EXPECT_EQ(drafter.propose(quoting, 112, expecting(50, 4)), count_up(50, 3));
  EXPECT_EQ(drafter.propose(quoting, 112, expecting(113, 3)), count_up(113, 3));
  for (int i = 0; i < 30; ++i) {
    drafter.propose(quoting, 112);
    drafter.learn(7);
  }
  EXPECT_EQ(drafter.propose(quoting, 112, expecting(113, 3)), count_up(113, 7));
  // A quote that breaks off sooner says less.
  EXPECT_EQ(drafter.propose(count_up(100, 15), 103, expecting(104, 5)).size(), 3u);
}

TEST(Drafter, AGrammarThatTheModelWritesOtherwiseIsLeftAlone) {
  Drafter drafter;
  int asked = 0;
  const auto expect = [&asked] {
    ++asked;
    return count_up(50, 4);
  };
  for (int i = 0; i < 2000; ++i) {
    if (!drafter.propose({1, 2}, 3, expect).empty()) drafter.learn(0);
  }
  EXPECT_GT(asked, 3);
  EXPECT_LT(asked, 20);
  EXPECT_FALSE(drafter.propose(quoting, 112).empty());  // quotes are another matter
}

TEST(Drafter, WhatWasCutOffIsNotQuoted) {
  Drafter drafter;
  const Tokens kept = count_up(0, 10);
  drafter.propose(joined(kept, count_up(100, 20)), 1);
  drafter.cut(kept.size());
  const Tokens other = joined(kept, count_up(500, 40));
  EXPECT_TRUE(drafter.propose(joined(other, {100, 101}), 102).empty());
  EXPECT_EQ(drafter.propose(joined(other, {510, 511}), 512).at(0), 513);
  drafter.cut(0);
  EXPECT_TRUE(drafter.propose({510, 511}, 512).empty());
}

TEST(Drafter, ASourceThatDoesNotPayIsLeftAloneAndTriedAgainSeldom) {
  Drafter drafter;
  int tries = 0;
  for (int i = 0; i < 2000; ++i) {
    if (drafter.propose(quoting, 112).empty()) continue;
    ++tries;
    drafter.learn(0);
  }
  EXPECT_GT(tries, 3);
  EXPECT_LT(tries, 30);
}

TEST(Drafter, ASourceThatIsAlwaysRightIsUsedInFull) {
  Drafter drafter;
  std::size_t size = 0;
  for (int i = 0; i < 20; ++i) {
    size = drafter.propose(quoting, 112).size();
    ASSERT_GE(size, 3u);
    drafter.learn(size);
  }
  EXPECT_EQ(size, 7u);
  EXPECT_EQ(drafter.accepted(), drafter.proposed());
}

TEST(Drafter, WhereMoreRowsCostAsMuchAsTheyBringNothingIsGuessed) {
  Drafter drafter;
  take_times(drafter, 10.0, 42.0, 84.0);
  EXPECT_TRUE(drafter.propose(quoting, 112).empty());
}

TEST(Drafter, WhatRowsCostInALongConversationIsNotTakenForAShortOne) {
  Drafter drafter;
  take_times(drafter, 30.0, 60.0, 80.0);
  drafter.cut(0);
  for (int i = 0; i < 5; ++i) drafter.timed(1, 10.0);
  EXPECT_FALSE(drafter.propose(quoting, 112).empty());
}

// Other programs make rows dear for a while; no guess would ever find out that they are cheap
// again.
TEST(Drafter, RowsThatWereDearOnceAreTriedAgain) {
  Drafter drafter;
  take_times(drafter, 10.0, 40.0, 80.0);
  int until = 0;
  while (drafter.propose(quoting, 112).empty() && until < 2000) ++until;
  EXPECT_GT(until, 200);
  EXPECT_LT(until, 2000);
}

TEST(Drafter, OneSlowEvaluationIsNotTakenForTheCost) {
  Drafter drafter;
  for (int i = 0; i < 20; ++i) {
    drafter.timed(1, 10.0);
    drafter.timed(4, 18.0);
    drafter.timed(8, 20.0);
  }
  drafter.timed(8, 900.0);
  EXPECT_EQ(drafter.propose(quoting, 112).size(), 7u);
}

}  // namespace
}  // namespace keel::local
