#include "model/route/breaker.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace keel::model {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = Breaker::State;

const Error network{Code::network, "no route", "", {}};

class BreakerTest : public ::testing::Test {
 protected:
  Breaker::Time now() const { return clock.steady(); }
  void fail(int times = 1) {
    for (int i = 0; i < times; ++i) breaker.failed(now(), network);
  }
  ManualClock clock{1'795'370'700'000};
  Breaker breaker;
};

TEST_F(BreakerTest, OpensAfterThreeFailuresInARowAndNotAfterThreeAltogether) {
  fail(2);
  EXPECT_TRUE(breaker.admit(now()));
  breaker.succeeded();
  fail(2);
  EXPECT_EQ(breaker.state(now()), State::closed);
  fail();
  EXPECT_EQ(breaker.state(now()), State::open);
  EXPECT_FALSE(breaker.admit(now()));
  EXPECT_EQ(breaker.wait(now()), seconds(10));
  EXPECT_EQ(breaker.why(), "no route");
}

TEST_F(BreakerTest, LetsOneTryAfterThePauseAndClosesWhenThatSucceeds) {
  fail(3);
  clock.advance(milliseconds(9'999));
  EXPECT_FALSE(breaker.admit(now()));
  clock.advance(milliseconds(1));
  EXPECT_EQ(breaker.state(now()), State::half_open);
  EXPECT_TRUE(breaker.admit(now()));
  EXPECT_FALSE(breaker.admit(now()));  // one at a time
  breaker.neither();                   // it was stopped: somebody else may try
  EXPECT_TRUE(breaker.admit(now()));
  breaker.succeeded();
  EXPECT_EQ(breaker.state(now()), State::closed);
  fail(2);
  EXPECT_EQ(breaker.state(now()), State::closed);
}

TEST_F(BreakerTest, EachFailedTryDoublesThePauseUpToTenMinutes) {
  fail(3);
  for (const int pause : {20, 40, 80, 160, 320, 600, 600}) {
    clock.advance(breaker.wait(now()));
    ASSERT_TRUE(breaker.admit(now()));
    fail();
    EXPECT_EQ(breaker.wait(now()), seconds(pause));
  }
}

TEST_F(BreakerTest, CallsThatWereUnderWayWhenItOpenedDoNotMakeThePauseLonger) {
  fail(3);
  clock.advance(seconds(4));
  fail(5);
  EXPECT_EQ(breaker.wait(now()), seconds(6));
}

TEST_F(BreakerTest, AServiceThatSaysWhenIsLeftAloneUntilThen) {
  Error later = network;
  later.retry_after_ms = 90'000;
  breaker.failed(now(), later);
  EXPECT_EQ(breaker.wait(now()), seconds(90));
  clock.advance(seconds(90));
  EXPECT_TRUE(breaker.admit(now()));
  later.retry_after_ms = 1'000'000'000'000;
  breaker.failed(now(), later);
  EXPECT_EQ(breaker.wait(now()), seconds(24 * 3600));
}

TEST(BreakerFault, APromptThatIsTooLongIsNotTheModelsFault) {
  EXPECT_TRUE(is_models_fault(network));
  EXPECT_TRUE(is_models_fault({Code::config, "no key", "", {}}));
  EXPECT_FALSE(is_models_fault({Code::limit, "prompt is too long", "", {}}));
  EXPECT_FALSE(is_models_fault({Code::cancelled, "stopped", "", {}}));
}

}  // namespace
}  // namespace keel::model
