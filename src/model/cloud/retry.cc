#include "model/cloud/retry.h"

#include <charconv>

#include "base/limits.h"

namespace keel::model {
namespace {

std::optional<double> number_in(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  // The bound also keeps what follows from overflowing; "nan" fails the comparison.
  if (!(value >= 0 && value < 1e9)) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::chrono::milliseconds> asked_wait(const net::Headers& headers) {
  using std::chrono::milliseconds;
  if (const auto ms = number_in(net::header(headers, "retry-after-ms"))) {
    return milliseconds(static_cast<std::int64_t>(*ms));
  }
  const auto seconds = number_in(net::header(headers, "retry-after"));
  if (!seconds) return std::nullopt;
  return milliseconds(static_cast<std::int64_t>(*seconds * 1000));
}

bool worth_another_try(msg::Fault kind) {
  using msg::Fault;
  return kind == Fault::rate || kind == Fault::overloaded || kind == Fault::api ||
         kind == Fault::timeout;
}

std::optional<std::chrono::milliseconds> wait_before(int next,
                                                     std::optional<std::chrono::milliseconds> asked,
                                                     double luck) {
  if (next >= limits::cloud_attempts) return std::nullopt;
  if (asked && *asked > limits::cloud_server_wait) return std::nullopt;
  if (asked) return asked;
  std::chrono::milliseconds wait = limits::cloud_retry_wait;
  for (int i = 1; i < next && wait < limits::cloud_retry_wait_max; ++i) wait *= 2;
  wait = std::min<std::chrono::milliseconds>(wait, limits::cloud_retry_wait_max);
  return wait - std::chrono::milliseconds(
                    static_cast<std::int64_t>(static_cast<double>(wait.count()) * luck / 4));
}

}  // namespace keel::model
