// Whether the machine runs on its battery, and what is left in it. Read from the kernel (Linux:
// /sys/class/power_supply); elsewhere nothing is known of it, which counts as a machine without.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"

namespace keel::model {

struct Power {
  bool has_battery = false;  // of the machine itself, not of a mouse or a telephone
  bool on_battery = false;   // it feeds the machine
  std::optional<int> percent;
};

// Of what the kernel tells in this folder. What cannot be read is not there.
Power read_power(const std::string& folder);
// "on battery, 40% left", "plugged in, the battery has 80%"; empty without a battery.
std::string power_text(const Power& power);

// Looks anew when the last look is limits::power_age old. Threads: any.
class PowerMeter {
 public:
  explicit PowerMeter(const Clock& clock, std::string folder = "/sys/class/power_supply")
      : clock_(clock), folder_(std::move(folder)) {}
  Power now();

 private:
  const Clock& clock_;
  const std::string folder_;
  std::mutex mutex_;
  std::optional<std::chrono::steady_clock::time_point> looked_;
  Power power_;
};

}  // namespace keel::model
