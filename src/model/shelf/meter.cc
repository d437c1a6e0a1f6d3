#include "model/shelf/meter.h"

#include <fmt/core.h>

#include <cmath>

#include "base/text.h"

namespace keel::shelf {
namespace {

using namespace std::chrono_literals;
constexpr auto kWindow = 10s;
constexpr auto kFirst = 1s;  // before a rate is worth showing

}  // namespace

std::string time_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(std::fmax(seconds, 0.0)));
  if (whole < 90) return fmt::format("{} s", whole);
  const std::int64_t minutes = (whole + 30) / 60;
  if (minutes < 90) return fmt::format("{} min", minutes);
  return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

void Meter::add(Time now, std::uint64_t arrived_bytes) {
  // A transfer that had to begin anew has less than before: its rate is measured anew too.
  if (!samples_.empty() && arrived_bytes < samples_.back().bytes) samples_.clear();
  samples_.push_back({now, arrived_bytes});
  while (samples_.size() > 2 && now - samples_[1].time >= kWindow) samples_.pop_front();
}

double Meter::bytes_per_second() const {
  if (samples_.size() < 2) return 0.0;
  const auto span = samples_.back().time - samples_.front().time;
  if (span < kFirst) return 0.0;
  return static_cast<double>(samples_.back().bytes - samples_.front().bytes) /
         std::chrono::duration<double>(span).count();
}

std::string Meter::text(std::uint64_t total_bytes) const {
  const std::uint64_t have = samples_.empty() ? 0 : samples_.back().bytes;
  const double part =
      total_bytes == 0 ? 0.0 : static_cast<double>(have) / static_cast<double>(total_bytes);
  std::string out = fmt::format("{:>3.0f}%  {} of {}", std::floor(100.0 * part), bytes_text(have),
                                bytes_text(total_bytes));
  const double rate = bytes_per_second();
  if (rate < 1.0) return out;
  out += fmt::format("  {}/s", bytes_text(static_cast<std::uint64_t>(rate)));
  if (have < total_bytes)
    out += fmt::format("  {} left", time_text(static_cast<double>(total_bytes - have) / rate));
  return out;
}

}  // namespace keel::shelf
