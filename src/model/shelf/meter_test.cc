#include "model/shelf/meter.h"

#include <gtest/gtest.h>

namespace keel::shelf {
namespace {

using namespace std::chrono_literals;

TEST(MeterTest, TimesAreWrittenForPeople) {
  EXPECT_EQ(time_text(-1.0), "0 s");
  EXPECT_EQ(time_text(0.2), "1 s");
  EXPECT_EQ(time_text(89.0), "89 s");
  EXPECT_EQ(time_text(200.0), "3 min");
  EXPECT_EQ(time_text(7500.0), "2 h 5 min");
}

TEST(MeterTest, TheRateIsThatOfTheLastSecondsAndTellsTheRest) {
  Meter meter;
  const Meter::Time start{};
  meter.add(start, 1'000'000'000);
  EXPECT_EQ(meter.text(2'000'000'000), " 50%  1.0 GB of 2.0 GB");
  for (int second = 1; second <= 60; ++second) {
    // Slow for half a minute, then ten times as fast.
    const std::uint64_t bytes =
        second <= 30 ? 1'000'000u * static_cast<unsigned>(second)
                     : 30'000'000u + 10'000'000u * static_cast<unsigned>(second - 30);
    meter.add(start + second * 1s, 1'000'000'000 + bytes);
  }
  EXPECT_NEAR(meter.bytes_per_second(), 10e6, 1.0);
  EXPECT_EQ(meter.text(2'000'000'000), " 66%  1.3 GB of 2.0 GB  10 MB/s  67 s left");
}

TEST(MeterTest, ABeginAnewIsNotANegativeRate) {
  Meter meter;
  const Meter::Time start{};
  meter.add(start, 0);
  meter.add(start + 2s, 50'000'000);
  meter.add(start + 3s, 0);
  EXPECT_EQ(meter.bytes_per_second(), 0.0);
  EXPECT_EQ(meter.text(0), "  0%  0 bytes of 0 bytes");
}

}  // namespace
}  // namespace keel::shelf
