#include "gateway/door/quota.h"

#include <gtest/gtest.h>

namespace keel::api {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class QuotaTest : public ::testing::Test {
 protected:
  Quotas quotas(config::KeyLimits limits, std::map<std::string, Spent> today = {}) {
    return Quotas(clock_, {{"editor", limits}}, std::move(today));
  }
  ManualClock clock_{1'795'000'000'000};
};

TEST_F(QuotaTest, SoManyAnswersAtOnce) {
  config::KeyLimits limits;
  limits.answers_at_once = 2;
  Quotas quotas = this->quotas(limits);
  EXPECT_FALSE(quotas.enter("editor"));
  EXPECT_FALSE(quotas.enter("editor"));
  const auto refused = quotas.enter("editor");
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->why.find("answers_at_once"), std::string::npos);
  EXPECT_FALSE(quotas.enter("other"));  // has no bound
  quotas.leave("editor");
  EXPECT_FALSE(quotas.enter("editor"));
}

TEST_F(QuotaTest, SoManyRequestsInAnyMinute) {
  config::KeyLimits limits;
  limits.requests_per_minute = 3;
  Quotas quotas = this->quotas(limits);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(quotas.enter("editor"));
    quotas.leave("editor");
    clock_.advance(seconds(10));
  }
  // The first was 30 s ago: its place is free in 30 more.
  const auto refused = quotas.enter("editor");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->retry_after_s, 30);
  EXPECT_EQ(quotas.state("editor").requests->remaining, 0);
  EXPECT_EQ(quotas.state("editor").requests->reset, seconds(50));
  // To be refused is no request.
  clock_.advance(seconds(30));
  EXPECT_EQ(quotas.state("editor").requests->remaining, 1);
  EXPECT_FALSE(quotas.enter("editor"));
  EXPECT_TRUE(quotas.enter("editor"));
}

TEST_F(QuotaTest, SoManyTokensADayAndTheDayAfterAgain) {
  config::KeyLimits limits;
  limits.tokens_per_day = 100;
  Quotas quotas = this->quotas(limits, {{"editor", {60, 0.0}}});
  EXPECT_EQ(quotas.state("editor").tokens->remaining, 40);
  EXPECT_FALSE(quotas.enter("editor"));
  quotas.spend("editor", {50, 0.0});  // what is being made is finished
  quotas.leave("editor");
  EXPECT_EQ(quotas.state("editor").tokens->remaining, 0);
  const auto refused = quotas.enter("editor");
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->why.find("tokens_per_day"), std::string::npos);
  EXPECT_EQ(refused->retry_after_s, seconds_to_midnight(clock_.wall_ms()));
  clock_.advance(seconds(refused->retry_after_s));
  EXPECT_FALSE(quotas.enter("editor"));
  EXPECT_EQ(quotas.state("editor").tokens->remaining, 100);
}

TEST_F(QuotaTest, SoMuchMoneyADay) {
  config::KeyLimits limits;
  limits.usd_per_day = 0.5;
  Quotas quotas = this->quotas(limits);
  EXPECT_FALSE(quotas.enter("editor"));
  quotas.spend("editor", {1, 0.5});
  ASSERT_TRUE(quotas.enter("editor"));
  // A bound of nothing lets nothing through.
  limits.usd_per_day = 0.0;
  Quotas closed = this->quotas(limits);
  EXPECT_TRUE(closed.enter("editor"));
}

TEST_F(QuotaTest, MidnightIsTheOwners) {
  const std::int64_t left = seconds_to_midnight(clock_.wall_ms());
  EXPECT_GE(left, 1);
  EXPECT_LE(left, 25 * 3600);
  const WallMs now = clock_.wall_ms();
  EXPECT_EQ(local_day(now + (left - 1) * 1000), local_day(now));
  EXPECT_NE(local_day(now + left * 1000), local_day(now));
}

}  // namespace
}  // namespace keel::api
