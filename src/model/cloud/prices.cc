#include "model/cloud/prices.h"

#include <array>

namespace keel::model {
namespace {

// Of the price for input, where a service or keel.toml does not say it.
constexpr double anthropic_read_share = 0.1;
constexpr double anthropic_write_share = 1.25;
constexpr double openai_read_share = 0.5;
constexpr double hour_write_share = 2.0;  // of a cache that is kept for an hour

struct Known {
  std::string_view name;
  Prices prices;
};

constexpr Prices claude(double in, double out, double read) {
  return {in, out, read, in * anthropic_write_share};
}
constexpr Prices gpt(double in, double out, double read) {
  return {in, out, read, in};
}
// Long prompts cost at most twice as much.
constexpr Prices gpt_long(double in, double out, double read, double write) {
  return {in, out, read, write, 272'000, 2.0};
}

// From https://platform.claude.com/docs/en/about-claude/pricing and
// https://developers.openai.com/api/docs/pricing as of November 2026; caches of five minutes.
constexpr std::array<Known, 41> known = {{
    {"claude-fable-5-1", claude(10, 50, 0.25)},
    {"claude-fable-5", claude(10, 50, 1)},
    {"claude-mythos-5-1", claude(10, 50, 0.25)},
    {"claude-mythos-5", claude(10, 50, 1)},
    {"claude-opus-5-5", claude(4, 20, 0.2)},
    {"claude-opus-5", claude(5, 25, 0.5)},
    {"claude-opus-4-8", claude(5, 25, 0.5)},
    {"claude-opus-4-7", claude(5, 25, 0.5)},
    {"claude-opus-4-6", claude(5, 25, 0.5)},
    {"claude-opus-4-5", claude(5, 25, 0.5)},
    {"claude-opus-4-1", claude(15, 75, 1.5)},
    {"claude-opus-4", claude(15, 75, 1.5)},
    {"claude-sonnet-5-5", claude(2, 10, 0.2)},
    {"claude-sonnet-5", claude(2, 10, 0.2)},
    {"claude-sonnet-4-6", claude(3, 15, 0.3)},
    {"claude-sonnet-4-5", claude(3, 15, 0.3)},
    {"claude-sonnet-4", claude(3, 15, 0.3)},
    {"claude-haiku-5-5", {0.1, 0.5, 0.01, 0.125, 100'000, 5.0}},
    {"claude-haiku-4-5", claude(1, 5, 0.1)},
    {"claude-3-5-haiku", claude(0.8, 4, 0.08)},
    {"gpt-6-astra", gpt_long(10, 50, 1, 12.5)},
    {"gpt-6-sol", gpt_long(2, 10, 0.2, 2.5)},
    {"gpt-6-luna", gpt_long(0.1, 0.5, 0.01, 0.125)},
    // A price for a limited time has been lower.
    {"gpt-5.6-sol", gpt_long(5, 30, 0.5, 6.25)},
    {"gpt-5.6-terra", gpt_long(2, 12, 0.2, 2.5)},
    {"gpt-5.6-luna", gpt_long(0.2, 1.2, 0.02, 0.25)},
    {"gpt-5.5", gpt_long(5, 30, 0.5, 5)},
    {"gpt-5.4", gpt_long(2.5, 15, 0.25, 2.5)},
    {"gpt-5.4-mini", gpt(0.75, 4.5, 0.075)},
    {"gpt-5.1", gpt(1.25, 10, 0.125)},
    {"gpt-5", gpt(1.25, 10, 0.125)},
    {"gpt-5-mini", gpt(0.25, 2, 0.025)},
    {"gpt-5-nano", gpt(0.05, 0.4, 0.005)},
    {"gpt-4.1", gpt(2, 8, 0.5)},
    {"gpt-4.1-mini", gpt(0.4, 1.6, 0.1)},
    {"gpt-4.1-nano", gpt(0.1, 0.4, 0.025)},
    {"gpt-4o", gpt(2.5, 10, 1.25)},
    {"gpt-4o-mini", gpt(0.15, 0.6, 0.075)},
    {"o1", gpt(15, 60, 7.5)},
    {"o3", gpt(2, 8, 0.5)},
    {"o4-mini", gpt(1.1, 4.4, 0.275)},
}};

// "-20250929", "-2025-08-07", "-latest": the same model. "-pro" is another one.
bool is_version(std::string_view rest) {
  if (rest.empty() || rest == "-latest") return true;
  if (rest.front() != '-' || rest.size() < 9) return false;
  return rest.find_first_not_of("-0123456789") == std::string_view::npos;
}

}  // namespace

std::optional<Prices> known_prices(std::string_view model) {
  for (const Known& entry : known) {
    if (model.starts_with(entry.name) && is_version(model.substr(entry.name.size()))) {
      return entry.prices;
    }
  }
  return std::nullopt;
}

Prices prices_for(msg::Dialect dialect, double in, double out) {
  const bool anthropic = dialect == msg::Dialect::anthropic;
  return {in, out, in * (anthropic ? anthropic_read_share : openai_read_share),
          anthropic ? in * anthropic_write_share : in};
}

std::optional<Prices> prices_for(msg::Dialect dialect, const config::ModelConfig& model) {
  const std::optional<Prices> table = known_prices(model.model);
  if (!model.price_in && !model.price_out && !model.price_cached) return table;
  const Prices base = table.value_or(Prices{});
  Prices prices = model.price_in ? prices_for(dialect, *model.price_in, base.out) : base;
  if (model.price_out) prices.out = *model.price_out;
  if (model.price_cached) prices.cache_read = *model.price_cached;
  return prices;
}

double cost_usd(const msg::TokenUsage& usage, const Prices& prices) {
  const auto price = [](std::int64_t tokens, double usd) {
    return static_cast<double>(tokens) * usd / 1e6;
  };
  const bool is_long = prices.long_tokens > 0 && usage.prompt() > prices.long_tokens;
  return (is_long ? prices.long_factor : 1.0) *
         (price(usage.input, prices.in) + price(usage.cache_read, prices.cache_read) +
          price(usage.cache_write - usage.cache_write_1h, prices.cache_write) +
          price(usage.cache_write_1h, prices.in * hour_write_share) +
          price(usage.output, prices.out));
}

}  // namespace keel::model
