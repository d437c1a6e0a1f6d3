// Time behind an interface, because tests and the simulator must turn the clock themselves. Wall
// time is milliseconds since 1970-01-01 UTC and may jump; steady time only grows and is for
// measuring and waiting.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace keel {

using WallMs = std::int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallMs wall_ms() const = 0;
  virtual std::chrono::steady_clock::time_point steady() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallMs wall_ms() const override;
  std::chrono::steady_clock::time_point steady() const override;
};

class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallMs start) : now_ms_(start) {}
  WallMs wall_ms() const override { return now_ms_; }
  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point(std::chrono::milliseconds(now_ms_));
  }
  void advance(std::chrono::milliseconds by) { now_ms_ += by.count(); }

 private:
  std::atomic<WallMs> now_ms_;
};

// "2026-11-22T18:05:00Z" and "2026-11-22", in UTC.
std::string iso_time(WallMs ms);
std::string iso_day(WallMs ms);
// "2026-11-22" in the machine's local zone: the owner's day.
std::string local_day(WallMs ms);
// When the owner's day begins that is `days` after the one of `ms`; days of 23 and 25 hours count.
WallMs local_midnight(WallMs ms, int days);
// "19:05", likewise.
std::string local_minute(WallMs ms);
// Seconds by which the machine's local zone is ahead of UTC at that time.
std::int64_t local_offset_s(WallMs ms);
// The machine's local zone: "Sunday, 22 November 2026, 19:05 (UTC+01:00)".
std::string local_time_text(WallMs ms);

// Milliseconds between two steady points.
double ms_between(std::chrono::steady_clock::time_point from,
                  std::chrono::steady_clock::time_point to);

}  // namespace keel
