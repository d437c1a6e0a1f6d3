#include "model/stop_text.h"

#include <gtest/gtest.h>

namespace keel::model {
namespace {

struct Outcome {
  std::string text;
  std::string found;
};

Outcome in_parts(const std::vector<std::string>& stops, std::string_view text, std::size_t part) {
  StopText stop(stops);
  Outcome outcome;
  for (std::size_t at = 0; at < text.size(); at += part) {
    outcome.text += stop.pass(text.substr(at, part));
    if (!stop.found().empty()) break;
  }
  outcome.text += stop.flush();
  outcome.found = stop.found();
  EXPECT_EQ(stop.passed(), outcome.text.size());
  return outcome;
}

TEST(StopTextTest, AStopSplitOverTokensIsFoundAndNeverShown) {
  for (std::size_t part = 1; part < 12; ++part) {
    const Outcome outcome = in_parts({"\n\nHuman:", "END"}, "All good.\n\nHuman: more END", part);
    EXPECT_EQ(outcome.text, "All good.") << part;
    EXPECT_EQ(outcome.found, "\n\nHuman:") << part;
  }
}

TEST(StopTextTest, WhatOnlyLooksLikeAStopIsGivenBackWhole) {
  for (std::size_t part = 1; part < 8; ++part) {
    const Outcome outcome = in_parts({"###", ""}, "a ## b # ##", part);
    EXPECT_EQ(outcome.text, "a ## b # ##") << part;
    EXPECT_TRUE(outcome.found.empty()) << part;
  }
}

TEST(StopTextTest, TheFirstOfSeveralEndsTheText) {
  EXPECT_EQ(in_parts({"later", "now"}, "do it now or later", 64).found, "now");
  EXPECT_EQ(in_parts({"later", "now"}, "do it now or later", 64).text, "do it ");
}

TEST(StopTextTest, AStopThatBeginsInsideAFailedOneIsFound) {
  for (std::size_t part = 1; part < 6; ++part) {
    const Outcome outcome = in_parts({"aab"}, "xaaab!", part);
    EXPECT_EQ(outcome.text, "xa") << part;
    EXPECT_EQ(outcome.found, "aab") << part;
  }
}

TEST(StopTextTest, WithoutStopsNothingWaits) {
  StopText stop({});
  EXPECT_EQ(stop.pass("as it comes"), "as it comes");
}

}  // namespace
}  // namespace keel::model
