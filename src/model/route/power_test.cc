// Machines as the kernel describes them: files as they stood in /sys/class/power_supply.
#include "model/route/power.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/limits.h"

namespace keel::model {
namespace {

namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

class PowerTest : public ::testing::Test {
 protected:
  PowerTest() {
    std::string pattern = (fs::temp_directory_path() / "keel-power-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~PowerTest() override { fs::remove_all(folder_); }
  void supply(const std::string& name, const Files& files) const {
    fs::create_directories(folder_ / name);
    for (const auto& [file, text] : files) std::ofstream(folder_ / name / file) << text << "\n";
  }
  Power read() const { return read_power(folder_.string()); }
  fs::path folder_;
};

const Files kThinkpad = {{"type", "Battery"},        {"present", "1"},
                         {"status", "Discharging"},  {"capacity", "62"},
                         {"energy_now", "31020000"}, {"energy_full", "50020000"}};

TEST_F(PowerTest, ADesktopHasNone) {
  EXPECT_FALSE(read().has_battery);
  EXPECT_FALSE(read_power((folder_ / "nowhere").string()).has_battery);
  EXPECT_EQ(power_text(read()), "");
  supply("AC", {{"type", "Mains"}, {"online", "1"}});
  EXPECT_FALSE(read().on_battery);
}

TEST_F(PowerTest, ALaptopOnTheRoadAndPluggedIn) {
  supply("BAT0", kThinkpad);
  supply("AC", {{"type", "Mains"}, {"online", "0"}});
  EXPECT_TRUE(read().on_battery);
  EXPECT_EQ(read().percent, 62);
  EXPECT_EQ(power_text(read()), "on battery, 62% left");
  supply("AC", {{"online", "1"}});
  EXPECT_FALSE(read().on_battery) << "a weak charger";
  supply("BAT0", {{"status", "Charging"}});
  EXPECT_EQ(power_text(read()), "plugged in, the battery has 62%");
}

TEST_F(PowerTest, FedByUsbC) {
  supply("BAT0", kThinkpad);
  supply("ucsi-source-psy-USBC000:001", {{"type", "USB"}, {"online", "1"}});
  EXPECT_FALSE(read().on_battery);
}

TEST_F(PowerTest, AMouseIsNotTheMachine) {
  supply("hidpp_battery_0",
         {{"type", "Battery"}, {"scope", "Device"}, {"status", "Discharging"}, {"capacity", "5"}});
  EXPECT_FALSE(read().has_battery);
}

TEST_F(PowerTest, TwoBatteriesCountByTheirSize) {
  supply("BAT0", {{"type", "Battery"},
                  {"status", "Discharging"},
                  {"energy_now", "10"},
                  {"energy_full", "100"}});
  supply(
      "BAT1",
      {{"type", "Battery"}, {"status", "Unknown"}, {"energy_now", "300"}, {"energy_full", "300"}});
  EXPECT_TRUE(read().on_battery);
  EXPECT_EQ(read().percent, 78);
}

TEST_F(PowerTest, WhatIsNotThereOrMakesNoSenseIsLeftOut) {
  supply("BAT0", {{"type", "Battery"}, {"present", "0"}, {"status", "Discharging"}});
  EXPECT_FALSE(read().has_battery);
  supply("BAT1", {{"type", "Battery"}, {"status", "Discharging"}, {"capacity", "many"}});
  EXPECT_TRUE(read().on_battery);
  EXPECT_FALSE(read().percent);
  EXPECT_EQ(power_text(read()), "on battery");
  supply("BAT1", {{"capacity", "140"}});
  EXPECT_EQ(read().percent, 100);
}

TEST_F(PowerTest, IsLookedAtNowAndThen) {
  ManualClock clock(1'000'000);
  PowerMeter meter(clock, folder_.string());
  EXPECT_FALSE(meter.now().has_battery);
  supply("BAT0", kThinkpad);
  EXPECT_FALSE(meter.now().has_battery);
  clock.advance(limits::power_age);
  EXPECT_TRUE(meter.now().has_battery);
}

}  // namespace
}  // namespace keel::model
