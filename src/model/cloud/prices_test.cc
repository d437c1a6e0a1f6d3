#include "model/cloud/prices.h"

#include <gtest/gtest.h>

namespace keel::model {
namespace {

using msg::Dialect;

config::ModelConfig named(const std::string& model) {
  config::ModelConfig config;
  config.model = model;
  return config;
}

TEST(Prices, AreKnownByNameWithAnyVersion) {
  for (const char* name :
       {"claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5-latest"}) {
    const std::optional<Prices> prices = known_prices(name);
    ASSERT_TRUE(prices) << name;
    EXPECT_EQ(prices->in, 3);
    EXPECT_EQ(prices->out, 15);
    EXPECT_NEAR(prices->cache_read, 0.3, 1e-12);
    EXPECT_NEAR(prices->cache_write, 3.75, 1e-12);
  }
  EXPECT_EQ(known_prices("gpt-5-2025-08-07")->out, 10);
  EXPECT_EQ(known_prices("gpt-5-mini")->out, 2);
  EXPECT_EQ(known_prices("gpt-4.1-mini")->cache_read, 0.1);
  for (const char* name : {"", "gpt", "gpt-5-pro", "gpt-5x", "claude-opus-4-9", "my-gpt-5",
                           "claude-sonnet-4-5-thinking"}) {
    EXPECT_FALSE(known_prices(name)) << name;
  }
}

TEST(Prices, OfKeelTomlComeFirst) {
  config::ModelConfig config = named("claude-sonnet-4-5");
  EXPECT_EQ(prices_for(Dialect::anthropic, config)->in, 3);
  config.price_out = 7;
  EXPECT_EQ(prices_for(Dialect::anthropic, config)->in, 3);
  EXPECT_EQ(prices_for(Dialect::anthropic, config)->out, 7);
  config.price_in = 10;
  Prices prices = *prices_for(Dialect::anthropic, config);
  EXPECT_NEAR(prices.cache_read, 1, 1e-12);
  EXPECT_NEAR(prices.cache_write, 12.5, 1e-12);
  config.price_cached = 2;
  EXPECT_EQ(prices_for(Dialect::anthropic, config)->cache_read, 2);

  config = named("of-my-own");
  EXPECT_FALSE(prices_for(Dialect::chat, config));
  config.price_in = 0;
  EXPECT_TRUE(prices_for(Dialect::chat, config)->free());
  config.price_in = 4;
  EXPECT_EQ(prices_for(Dialect::chat, config)->cache_read, 2);
}

TEST(Prices, LongPromptsCostMoreWhereTheServiceSaysSo) {
  const Prices haiku = *known_prices("claude-haiku-5-5");
  EXPECT_NEAR(cost_usd({100'000, 0, 0, 0, 1000}, haiku), 0.0105, 1e-12);
  EXPECT_NEAR(cost_usd({50'000, 50'001, 0, 0, 1000}, haiku),
              5 * (50'000 * 0.1 + 50'001 * 0.01 + 1000 * 0.5) / 1e6, 1e-12);
}

TEST(Prices, ACacheForAnHourCostsMoreToWrite) {
  EXPECT_NEAR(cost_usd({0, 0, 1000, 400, 0}, *known_prices("claude-sonnet-4-5")),
              (600 * 3.75 + 400 * 6.0) / 1e6, 1e-12);
}

}  // namespace
}  // namespace keel::model
