#include "model/inference/tool_wish.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace keel::local {
namespace {

// A vocabulary of a few pieces, and logits that give each the probability that is written.
class ToolWishTest : public testing::Test {
 protected:
  static constexpr std::size_t kCount = 8;
  const std::array<std::string, kCount> pieces = {"<tool_call>", "{",    " Hello", "re",
                                                  "recall\"",    "time", "trans",  ""};
  const std::vector<std::string> tools = {"recall", "remember", "time"};
  ToolWish wish{tools, static_cast<std::int32_t>(kCount),
                [this](Token token) -> const std::string& {
                  return pieces[static_cast<std::size_t>(token)];
                }};

  static std::array<float, kCount> logits(const std::array<double, kCount>& probabilities) {
    std::array<float, kCount> out{};
    for (std::size_t i = 0; i < kCount; ++i) {
      out[i] = static_cast<float>(std::log(probabilities[i] + 1e-30) + 3.0);
    }
    return out;
  }
};

TEST_F(ToolWishTest, ACallIsWhateverFormItBeginsIn) {
  EXPECT_NEAR(wish.of_call(logits({0.2, 0.1, 0.7, 0, 0, 0, 0, 0}).data()), 0.3, 1e-6);
  EXPECT_TRUE(ToolWish::begins_call(" ```"));
  EXPECT_TRUE(ToolWish::begins_call("{\""));
  EXPECT_FALSE(ToolWish::begins_call(" "));
  EXPECT_FALSE(ToolWish::begins_call("Hello <"));
}

TEST_F(ToolWishTest, AToolThatDoesNotExistIsNoWishForOneThatDoes) {
  EXPECT_NEAR(wish.of_tools(logits({0, 0, 0, 0, 0.05, 0.05, 0.9, 0}).data()), 0.1, 1e-6);
}

TEST_F(ToolWishTest, TheLikeliestIsNamedOnlyWhereTheTokenDecides) {
  wish.of_tools(logits({0, 0, 0, 0.1, 0.1, 0.7, 0.1, 0}).data());
  EXPECT_EQ(wish.likeliest(), "time");
  // "re" may become recall or remember.
  wish.of_tools(logits({0, 0, 0, 0.9, 0, 0.1, 0, 0}).data());
  EXPECT_EQ(wish.likeliest(), "");
  wish.of_tools(logits({0, 0, 0, 0.1, 0.8, 0.1, 0, 0}).data());
  EXPECT_EQ(wish.likeliest(), "recall");
}

}  // namespace
}  // namespace keel::local
