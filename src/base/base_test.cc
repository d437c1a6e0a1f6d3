#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "base/clock.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/zone_test.h"

namespace keel {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(Code::invalid_argument, "odd");
  return n / 2;
}
Result<int> quarter(int n) {
  return TRY(half(TRY(half(n))));
}
Status check_even(int n) {
  TRY(half(n));
  return {};
}

TEST(Result, AnErrorKeepsItsPathThroughNestedTries) {
  EXPECT_EQ(*quarter(8), 2);
  const Result<int> odd = quarter(6);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, Code::invalid_argument);
  EXPECT_EQ(odd.error().trail.size(), 2u);
  EXPECT_FALSE(check_even(3));
}

TEST(Result, TheHintIsPartOfTheText) {
  EXPECT_EQ((Error{Code::io, "it broke", "mend it", {}}).text(), "it broke (mend it)");
}

TEST(ResultDeathTest, MustEndsTheProgramWithTheErrorsText) {
  EXPECT_DEATH(MUST(half(3)), "odd");
}

TEST(Json, HostileTextIsAnErrorNotACrash) {
  EXPECT_EQ(parse_json("{\"a\":1}")->at("a"), 1);
  for (const char* bad : {"", "{", "{\"a\":}", "[1,]", "{} {}", "\"\xff\"", "nul", "{\"a\":1"}) {
    EXPECT_FALSE(parse_json(bad)) << bad;
  }
  EXPECT_EQ(parse_json(std::string(100000, '[')).error().code, Code::limit);
  EXPECT_TRUE(
      parse_json(std::string(limits::json_depth, '[') + std::string(limits::json_depth, ']')));
  EXPECT_TRUE(parse_json("\"[[[[[[[[ \\\" [[[\""));
}

TEST(Json, GettersNameTheKeyAndTheType) {
  const Json object = *parse_json("{\"n\":\"x\"}");
  EXPECT_EQ(json_int(object, "n").error().message, "\"n\" must be a whole number, not string");
  EXPECT_EQ(json_int(object, "m").error().message, "\"m\" is missing");
  EXPECT_EQ(json_int_or(object, "n", 7), 7);
  const Json mixed = *parse_json(R"({"list": ["a", 1, "b"], "text": "a"})");
  EXPECT_EQ(json_texts(mixed, "list"), (std::vector<std::string>{"a", "b"}));
  for (const char* none : {"text", "gone"}) EXPECT_TRUE(json_texts(mixed, none).empty()) << none;
  EXPECT_FALSE(json_string(Json::array(), "n"));
}

TEST(Json, InvalidUtf8InAValueStillDumps) {
  EXPECT_EQ(dump_json(Json("\xff")), "\"\xEF\xBF\xBD\"");
}

TEST(Id, UlidsOfOneMillisecondAreUniqueAndSorted) {
  std::set<std::string> seen;
  std::string last;
  for (int i = 0; i < 2000; ++i) {
    const std::string id = make_ulid(1700000000000);
    EXPECT_TRUE(is_ulid(id));
    EXPECT_LT(last, id);
    last = id;
    EXPECT_TRUE(seen.insert(id).second);
  }
  EXPECT_LT(last, make_ulid(1600000000000)) << "a clock that goes back must not unsort ids";
}

TEST(Id, TheTimeStandsInTheFirstTenDigits) {
  EXPECT_EQ(make_ulid(4102444800000).substr(0, 10), make_ulid(4102444800000).substr(0, 10));
  EXPECT_FALSE(is_ulid("ZZZZZZZZZZZZZZZZZZZZZZZZZZ"));
  EXPECT_FALSE(is_ulid("short"));
  EXPECT_EQ(random_hex(8).size(), 16u);
}

TEST(Hash, MatchesThePublishedVectors) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Hash, SecretsAreTheSameOnlyIfEveryByteIs) {
  EXPECT_TRUE(same_secret("", ""));
  EXPECT_TRUE(same_secret("abc", "abc"));
  for (const char* other : {"", "ab", "abcd", "abC", "xbc"}) {
    EXPECT_FALSE(same_secret("abc", other)) << other;
  }
}

TEST(Clock, TimesBefore1970AndTodayAreWrittenRight) {
  EXPECT_EQ(iso_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(iso_time(-1), "1969-12-31T23:59:59Z");
  EXPECT_EQ(iso_day(1795370700000), "2026-11-22");
}

TEST(Clock, MidnightIsRightOnDaysThatAreShorterOrLonger) {
  constexpr WallMs hour = 3'600'000;
  constexpr WallMs spring = 1774785600000;  // 29 March 2026, 12:00 UTC: clocks went forward
  constexpr WallMs autumn = 1792929600000;  // 25 October 2026, 12:00 UTC: and back
  const Zone zone("CET-1CEST,M3.5.0,M10.5.0/3");
  EXPECT_EQ(local_midnight(spring, 0), spring - 13 * hour);
  EXPECT_EQ(local_midnight(spring, 1), spring + 10 * hour);
  EXPECT_EQ(local_midnight(autumn, 0), autumn - 14 * hour);
  EXPECT_EQ(local_midnight(autumn, 1), autumn + 11 * hour);
  EXPECT_EQ(local_midnight(spring, -29), 1772233200000);  // 28 February
}

}  // namespace
}  // namespace keel
