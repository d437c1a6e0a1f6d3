#include "tool/time_tool.h"

#include <gtest/gtest.h>

#include "tool/testing.h"

namespace keel::tool {
namespace {

TEST(TimeToolTest, AZoneIsFoundByNameCityOrSpelling) {
  Bench bench(make_time_tool());
  const std::string tokyo = "Monday, 23 November 2026, 03:05 in Asia/Tokyo (UTC+09:00)";
  EXPECT_EQ(bench.text(R"({"zone":"Asia/Tokyo"})"), tokyo);
  EXPECT_EQ(bench.text(R"({"zone":"tokyo"})"), tokyo);
  EXPECT_EQ(bench.text(R"({"zone":"New York"})"),
            "Sunday, 22 November 2026, 13:05 in America/New_York (UTC-05:00)");
  EXPECT_EQ(bench.text(R"({"zone":"Asia/Kathmandu"})"),
            "Sunday, 22 November 2026, 23:50 in Asia/Kathmandu (UTC+05:45)");
  EXPECT_NE(bench.text(R"({"zone":"utc"})").find("18:05 in UTC"), std::string::npos);
}

TEST(TimeToolTest, WithoutAZoneItIsTheMachinesTime) {
  Bench bench(make_time_tool());
  const std::string here = local_time_text(Bench::kNow);
  EXPECT_EQ(bench.text("{}"), here);
  EXPECT_EQ(bench.text(""), here);
  EXPECT_EQ(bench.text(R"({"zone":""})"), here);
  EXPECT_EQ(bench.text(R"({"zone":"here"})"), here);
}

TEST(TimeToolTest, AnUnknownZoneNamesTheNearest) {
  Bench bench(make_time_tool());
  const Outcome outcome = bench.call(R"({"zone":"Europe/Berlim"})");
  EXPECT_TRUE(outcome.is_error);
  EXPECT_NE(outcome.text.find("Europe/Berlin"), std::string::npos) << outcome.text;
  for (const char* bad :
       {R"({"zone":"../../etc/passwd"})", R"({"zone":"\u0000"})", R"({"zone":5})"}) {
    EXPECT_TRUE(bench.call(bad).is_error) << bad;
  }
}

}  // namespace
}  // namespace keel::tool
