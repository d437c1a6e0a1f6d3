#include "base/clock.h"

#include <fmt/core.h>

#include <array>
#include <cstdlib>
#include <ctime>

namespace keel {
namespace {

std::time_t seconds_of(WallMs ms) {
  return static_cast<std::time_t>(ms >= 0 ? ms / 1000 : (ms - 999) / 1000);
}

std::tm utc_parts(WallMs ms) {
  const std::time_t seconds = seconds_of(ms);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return parts;
}

std::tm local_parts(WallMs ms) {
  const std::time_t seconds = seconds_of(ms);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return parts;
}

}  // namespace

WallMs SystemClock::wall_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::chrono::steady_clock::time_point SystemClock::steady() const {
  return std::chrono::steady_clock::now();
}

std::string iso_time(WallMs ms) {
  const std::tm t = utc_parts(ms);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", t.tm_year + 1900, t.tm_mon + 1,
                     t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
}

std::string iso_day(WallMs ms) {
  return iso_time(ms).substr(0, 10);
}

std::string local_day(WallMs ms) {
  const std::tm t = local_parts(ms);
  return fmt::format("{:04}-{:02}-{:02}", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday);
}

WallMs local_midnight(WallMs ms, int days) {
  std::tm day = local_parts(ms);
  day.tm_hour = day.tm_min = day.tm_sec = 0;
  day.tm_mday += days;
  day.tm_isdst = -1;
  return static_cast<WallMs>(std::mktime(&day)) * 1000;
}

std::string local_minute(WallMs ms) {
  const std::tm t = local_parts(ms);
  return fmt::format("{:02}:{:02}", t.tm_hour, t.tm_min);
}

std::int64_t local_offset_s(WallMs ms) {
  return local_parts(ms).tm_gmtoff;
}

std::string local_time_text(WallMs ms) {
  static constexpr std::array<const char*, 7> days = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                      "Thursday", "Friday", "Saturday"};
  static constexpr std::array<const char*, 12> months = {
      "January", "February", "March",     "April",   "May",      "June",
      "July",    "August",   "September", "October", "November", "December"};
  const std::tm t = local_parts(ms);
  const long offset_minutes = t.tm_gmtoff / 60;
  return fmt::format("{}, {} {} {}, {:02}:{:02} (UTC{}{:02}:{:02})",
                     days[static_cast<std::size_t>(t.tm_wday)], t.tm_mday,
                     months[static_cast<std::size_t>(t.tm_mon)], t.tm_year + 1900, t.tm_hour,
                     t.tm_min, offset_minutes < 0 ? '-' : '+', std::labs(offset_minutes) / 60,
                     std::labs(offset_minutes) % 60);
}

double ms_between(std::chrono::steady_clock::time_point from,
                  std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

}  // namespace keel
