#include "memory/text/dates.h"

#include <gtest/gtest.h>

namespace keel::memory {
namespace {

TEST(Dates, days_as_people_and_files_write_them) {
  const auto day = [](std::string_view text) { return day_of(text).value_or("none"); };
  EXPECT_EQ(day("2023-05-08"), "2023-05-08");
  EXPECT_EQ(day(" 2023-5-8 "), "2023-05-08");
  EXPECT_EQ(day("2023/05/08"), "2023-05-08");
  EXPECT_EQ(day("2023-05"), "2023-05");
  EXPECT_EQ(day("2023"), "2023");
  EXPECT_EQ(day("2023-05-08T13:56:00Z"), "2023-05-08");
  EXPECT_EQ(day("2023-05-08 13:56"), "2023-05-08");
  EXPECT_EQ(day("8 May 2023"), "2023-05-08");
  EXPECT_EQ(day("May 8th, 2023"), "2023-05-08");
  EXPECT_EQ(day("May 2023"), "2023-05");
  EXPECT_EQ(day("1:56 pm on 8 May, 2023"), "2023-05-08");
  EXPECT_EQ(day("2024-02-29"), "2024-02-29");
}

TEST(Dates, what_is_no_day_is_nothing) {
  for (const char* text : {"",
                           "soon",
                           "8",
                           "May",
                           "2023-13",
                           "2023-02-29",
                           "2023-00",
                           "2023-04-31",
                           "20230508",
                           "2023-05-08x",
                           "8 May",
                           "8 May June 2023",
                           "version 2023",
                           "8 9 May 2023",
                           "12023",
                           "2023-",
                           "-2023",
                           "2023-05-0",
                           "31 April 2023",
                           "99999999999999999999 May 2023"})
    EXPECT_FALSE(day_of(text)) << text;
}

}  // namespace
}  // namespace keel::memory
