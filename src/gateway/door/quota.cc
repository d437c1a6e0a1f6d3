#include "gateway/door/quota.h"

#include <algorithm>
#include <utility>

namespace keel::api {
namespace {

using std::chrono::ceil;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kMinute = seconds(60);
constexpr std::int64_t kBusyRetryS = 2;

}  // namespace

std::int64_t seconds_to_midnight(WallMs now) {
  return std::max<std::int64_t>(1, local_midnight(now, 1) / 1000 - now / 1000);
}

Quotas::Quotas(const Clock& clock, Limits limits, std::map<std::string, Spent> today)
    : clock_(clock), limits_(std::move(limits)) {
  const std::string day = local_day(clock_.wall_ms());
  for (const auto& [key, spent] : today) {
    Use& use = uses_[key];
    use.day = day;
    use.spent = spent;
  }
}

const config::KeyLimits& Quotas::limits_of(const std::string& key) const {
  static const config::KeyLimits none;
  const auto known = limits_.find(key);
  return known == limits_.end() ? none : known->second;
}

Quotas::Use& Quotas::use_of(const std::string& key) {
  Use& use = uses_[key];
  const std::string today = local_day(clock_.wall_ms());
  if (use.day != today) {
    use.day = today;
    use.spent = {};
  }
  const Steady now = clock_.steady();
  while (!use.minute.empty() && now - use.minute.front() >= kMinute) use.minute.pop_front();
  return use;
}

std::optional<Quotas::Refusal> Quotas::enter(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const config::KeyLimits& bounds = limits_of(key);
  Use& use = use_of(key);
  const auto refuse = [](const std::string& what, const std::string& name, std::int64_t wait) {
    return Refusal{"this token has " + what + " ([gateway] " + name + ")", wait};
  };
  if (bounds.answers_at_once > 0 && use.at_once >= bounds.answers_at_once) {
    return refuse(std::to_string(bounds.answers_at_once) + " answers at once already",
                  "answers_at_once", kBusyRetryS);
  }
  if (bounds.tokens_per_day > 0 && use.spent.tokens >= bounds.tokens_per_day) {
    return refuse("used its " + std::to_string(bounds.tokens_per_day) + " tokens of today",
                  "tokens_per_day", seconds_to_midnight(clock_.wall_ms()));
  }
  if (bounds.usd_per_day && use.spent.usd >= *bounds.usd_per_day) {
    return refuse("used its money of today", "budget_usd_per_day",
                  seconds_to_midnight(clock_.wall_ms()));
  }
  if (bounds.requests_per_minute > 0) {
    if (std::ssize(use.minute) >= bounds.requests_per_minute) {
      const auto wait = kMinute - (clock_.steady() - use.minute.front());
      return refuse(
          "asked " + std::to_string(bounds.requests_per_minute) + " times within a minute already",
          "requests_per_minute", std::max<std::int64_t>(1, ceil<seconds>(wait).count()));
    }
    use.minute.push_back(clock_.steady());
  }
  ++use.at_once;
  return std::nullopt;
}

void Quotas::leave(const std::string& key) {
  const std::lock_guard lock(mutex_);
  --uses_[key].at_once;
}

void Quotas::spend(const std::string& key, const Spent& spent) {
  const std::lock_guard lock(mutex_);
  Use& use = use_of(key);
  use.spent.tokens += spent.tokens;
  use.spent.usd += spent.usd;
}

Quotas::State Quotas::state(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const config::KeyLimits& bounds = limits_of(key);
  State state;
  if (bounds.requests_per_minute == 0 && bounds.tokens_per_day == 0) return state;
  const Use& use = use_of(key);
  if (bounds.requests_per_minute > 0) {
    state.requests = {bounds.requests_per_minute,
                      bounds.requests_per_minute - std::ssize(use.minute), milliseconds(0)};
    if (!use.minute.empty()) {
      state.requests->reset = ceil<milliseconds>(kMinute - (clock_.steady() - use.minute.back()));
    }
  }
  if (bounds.tokens_per_day > 0) {
    state.tokens = {bounds.tokens_per_day,
                    std::max<std::int64_t>(0, bounds.tokens_per_day - use.spent.tokens),
                    seconds(seconds_to_midnight(clock_.wall_ms()))};
  }
  return state;
}

}  // namespace keel::api
