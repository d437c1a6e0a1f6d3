#include "model/route/power.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "rt/file.h"

namespace keel::model {
namespace {

namespace fs = std::filesystem;

// One thing that feeds the machine, or is fed.
class Supply {
 public:
  explicit Supply(fs::path folder) : folder_(std::move(folder)) {}
  std::string text(const char* name) const {
    const Result<std::string> read =
        rt::read_file((folder_ / name).string(), limits::power_text_bytes);
    return read ? std::string(trim(*read)) : std::string();
  }
  std::optional<double> number(const char* name) const {
    const std::string digits = text(name);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return {};
    return static_cast<double>(value);
  }

 private:
  fs::path folder_;
};

std::vector<Supply> supplies_of(const std::string& folder) {
  std::vector<Supply> supplies;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (supplies.size() == limits::power_supplies) break;
    supplies.emplace_back(entry.path());
  }
  return supplies;
}

// What a battery holds of what it can hold. Two of them count by their size, where they tell it.
struct Charge {
  double now = 0.0;
  double full = 0.0;
};
std::optional<Charge> charge_of(const Supply& battery) {
  for (const auto& [now, full] :
       {std::pair{"energy_now", "energy_full"}, {"charge_now", "charge_full"}}) {
    const auto has = battery.number(now);
    const auto can = battery.number(full);
    if (has && can && *can > 0) return Charge{*has, *can};
  }
  if (const auto percent = battery.number("capacity")) return Charge{*percent, 100.0};
  return std::nullopt;
}

}  // namespace

Power read_power(const std::string& folder) {
  Power power;
  Charge all;
  bool fed = false;
  bool draining = false;
  for (const Supply& supply : supplies_of(folder)) {
    const std::string type = supply.text("type");
    if (type == "Mains" || type == "USB" || type == "Wireless") {
      fed = fed || supply.number("online").value_or(0) > 0;
      continue;
    }
    const bool own = type == "Battery" && supply.text("scope") != "Device" &&
                     supply.number("present").value_or(1) > 0;
    if (!own) continue;
    power.has_battery = true;
    draining = draining || supply.text("status") == "Discharging";
    if (const auto charge = charge_of(supply)) {
      all.now += charge->now;
      all.full += charge->full;
    }
  }
  // A weak charger may feed a machine whose battery runs down all the same: it is plugged in.
  power.on_battery = power.has_battery && draining && !fed;
  if (all.full > 0) {
    power.percent = std::clamp(static_cast<int>(all.now * 100 / all.full + 0.5), 0, 100);
  }
  return power;
}

std::string power_text(const Power& power) {
  if (!power.has_battery) return {};
  if (power.on_battery) {
    return power.percent ? fmt::format("on battery, {}% left", *power.percent) : "on battery";
  }
  return power.percent ? fmt::format("plugged in, the battery has {}%", *power.percent)
                       : "plugged in";
}

Power PowerMeter::now() {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.steady();
  if (!looked_ || now - *looked_ >= limits::power_age) {
    power_ = read_power(folder_);
    looked_ = now;
  }
  return power_;
}

}  // namespace keel::model
