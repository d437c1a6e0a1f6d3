#include "gateway/api/rate_headers.h"

namespace keel::api {
namespace {

using std::chrono::milliseconds;

void add(http::Headers& headers, msg::Dialect dialect, const std::string& what,
         const Quotas::Left& left, WallMs now) {
  if (dialect == msg::Dialect::anthropic) {
    const std::string name = "anthropic-ratelimit-" + what;
    headers.emplace_back(name + "-limit", std::to_string(left.limit));
    headers.emplace_back(name + "-remaining", std::to_string(left.remaining));
    headers.emplace_back(name + "-reset", iso_time(now + left.reset.count()));
    return;
  }
  const std::string name = "x-ratelimit-";
  headers.emplace_back(name + "limit-" + what, std::to_string(left.limit));
  headers.emplace_back(name + "remaining-" + what, std::to_string(left.remaining));
  headers.emplace_back(name + "reset-" + what, duration_text(left.reset));
}

}  // namespace

std::string duration_text(milliseconds time) {
  constexpr std::int64_t second = 1000;
  constexpr std::int64_t minute = 60 * second;
  constexpr std::int64_t hour = 60 * minute;
  const std::int64_t ms = time.count();
  if (ms < second) return std::to_string(ms) + "ms";
  std::string out;
  if (ms >= hour) out += std::to_string(ms / hour) + "h";
  if (ms >= minute) out += std::to_string(ms % hour / minute) + "m";
  return out + std::to_string(ms % minute / second) + "s";
}

http::Headers rate_headers(msg::Dialect dialect, const Quotas::State& state, WallMs now) {
  http::Headers headers;
  if (state.requests) add(headers, dialect, "requests", *state.requests, now);
  if (state.tokens) add(headers, dialect, "tokens", *state.tokens, now);
  return headers;
}

}  // namespace keel::api
