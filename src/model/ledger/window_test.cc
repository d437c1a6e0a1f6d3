#include "model/ledger/window.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace keel::local {
namespace {

TEST(Window, WithoutASlidingWindowEveryPointCanBeGoneBackTo) {
  Window window(0);
  window.join(0, 500);
  EXPECT_EQ(window.back_to(17, 500), 17U);
}

TEST(Window, WhatWasEvaluatedHereIsHeldWhole) {
  Window window(64);
  EXPECT_EQ(window.back_to(100, 1000), 100U);
  window.cut(100);
  EXPECT_EQ(window.back_to(90, 300), 90U);
}

TEST(Window, OfAStateThatWasCopiedOnlyTheEndIsHeld) {
  Window window(64);
  window.join(0, 1000);
  EXPECT_EQ(window.back_to(1000, 1000), 1000U);
  EXPECT_EQ(window.back_to(999, 1000), 999U);  // the token there sees itself and 63 before
  EXPECT_EQ(window.back_to(998, 1000), 0U);
  EXPECT_EQ(window.back_to(1300, 1400), 1300U);  // evaluated since
}

TEST(Window, ACopyOfPartsHoldsTheWindowAtTheEndOfEach) {
  Window window(64);
  window.join(0, 200);
  window.join(200, 230);  // shorter than the window: goes on from the one before
  window.join(230, 900);
  for (const std::size_t held : {199U, 200U, 215U, 230U, 900U})
    EXPECT_EQ(window.back_to(held, 900), held);
  EXPECT_EQ(window.back_to(198, 900), 0U);
  EXPECT_EQ(window.back_to(500, 900), 230U);
  EXPECT_EQ(window.back_to(898, 900), 230U);
}

TEST(Window, AShortConversationIsHeldWhole) {
  Window window(64);
  window.join(0, 64);
  EXPECT_EQ(window.back_to(10, 64), 10U);
}

TEST(Window, WhatIsCutOffIsGone) {
  Window window(64);
  window.join(0, 200);
  window.join(200, 900);
  window.cut(200);
  EXPECT_EQ(window.back_to(900, 200), 200U);
  EXPECT_EQ(window.back_to(400, 500), 400U);
  window.join(500, 1000);
  EXPECT_EQ(window.back_to(700, 1000), 500U);
  window.clear();
  EXPECT_EQ(window.back_to(700, 1000), 700U);
}

// Against cells that are remembered one by one.
TEST(Window, AnyOrderOfOperationsSaysWhatTheCellsSay) {
  constexpr std::size_t size = 8;
  std::mt19937 random(5);
  Window window(size);
  std::vector<bool> cells;  // whether that token is held
  for (int step = 0; step < 20000; ++step) {
    const auto can_go_on = [&](std::size_t at) {
      for (std::size_t i = at - std::min(at, size - 1); i < at; ++i)
        if (!cells[i]) return false;
      return true;
    };
    std::size_t best = 0;
    const std::size_t point = random() % (cells.size() + 3);
    for (std::size_t at = 1; at <= std::min(point, cells.size()); ++at)
      if (can_go_on(at)) best = at;
    ASSERT_EQ(window.back_to(point, cells.size()), best) << "step " << step;
    const std::size_t more = 1 + random() % 20;
    switch (random() % 5) {
      case 0:
        window.clear();
        cells.clear();
        break;
      case 1:  // goes back, as far as it can
        window.cut(best);
        cells.resize(best);
        if (best == 0) window.clear();
        break;
      case 2:  // is evaluated
        cells.insert(cells.end(), more, true);
        break;
      default:  // a part is copied in
        window.join(cells.size(), cells.size() + more);
        for (std::size_t i = 0; i < more; ++i) cells.push_back(i + size >= more);
        break;
    }
  }
}

}  // namespace
}  // namespace keel::local
