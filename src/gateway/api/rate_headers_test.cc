#include "gateway/api/rate_headers.h"

#include <gtest/gtest.h>

namespace keel::api {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RateHeaders, AreThoseOfTheDialect) {
  Quotas::State state;
  state.requests = Quotas::Left{60, 12, seconds(30)};
  state.tokens = Quotas::Left{1000, 0, seconds(3600)};
  constexpr WallMs now = 1'795'000'000'000;
  const http::Headers anthropic = rate_headers(msg::Dialect::anthropic, state, now);
  EXPECT_EQ(http::header(anthropic, "anthropic-ratelimit-requests-limit"), "60");
  EXPECT_EQ(http::header(anthropic, "anthropic-ratelimit-requests-remaining"), "12");
  EXPECT_EQ(http::header(anthropic, "anthropic-ratelimit-requests-reset"), iso_time(now + 30'000));
  EXPECT_EQ(http::header(anthropic, "anthropic-ratelimit-tokens-remaining"), "0");
  for (const msg::Dialect dialect : {msg::Dialect::chat, msg::Dialect::responses}) {
    const http::Headers openai = rate_headers(dialect, state, now);
    EXPECT_EQ(http::header(openai, "x-ratelimit-limit-requests"), "60");
    EXPECT_EQ(http::header(openai, "x-ratelimit-remaining-requests"), "12");
    EXPECT_EQ(http::header(openai, "x-ratelimit-reset-requests"), "30s");
    EXPECT_EQ(http::header(openai, "x-ratelimit-reset-tokens"), "1h0m0s");
  }
  EXPECT_TRUE(rate_headers(msg::Dialect::chat, {}, now).empty());
}

TEST(RateHeaders, TimesAreWrittenAsTheirClientsReadThem) {
  EXPECT_EQ(duration_text(milliseconds(0)), "0ms");
  EXPECT_EQ(duration_text(milliseconds(999)), "999ms");
  EXPECT_EQ(duration_text(milliseconds(1000)), "1s");
  EXPECT_EQ(duration_text(seconds(90)), "1m30s");
  EXPECT_EQ(duration_text(seconds(7261)), "2h1m1s");
}

}  // namespace
}  // namespace keel::api
