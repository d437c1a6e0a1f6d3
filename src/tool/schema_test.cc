#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tool/registry.h"

namespace keel::tool {
namespace {

std::string violation(std::string_view schema, std::string_view value) {
  const Status status = check_schema(MUST(parse_json(schema)), MUST(parse_json(value)));
  return status ? "" : status.error().message;
}

constexpr std::string_view kFetch =
    R"({"type":"object","properties":{"url":{"type":"string","minLength":3,"maxLength":5},
        "n":{"type":"integer","minimum":1,"maximum":9},"tags":{"type":"array","maxItems":2,
        "items":{"type":"string"}},"deep":{"type":"object","properties":{"on":{"type":"boolean"}}},
        "kind":{"enum":["a","b",1]},"same":{"const":"x"},"two":{"type":["string","null"]}},
        "required":["url"],"additionalProperties":false})";

TEST(SchemaTest, TheFirstViolationIsSaidInWords) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"url":"abcd"})", ""},
      {R"({"url":"äöüß"})", ""},
      {R"({"url":"abc","n":3,"tags":["x"],"deep":{"on":true},"kind":1,"same":"x","two":null})", ""},
      {R"({"url":5})", "arguments.url must be a string, not a number"},
      {R"({"url":null})", "arguments.url must be a string, not null"},
      {R"({"url":["a"]})", "arguments.url must be a string, not an array"},
      {R"({})", "arguments.url is missing; it must be a string"},
      {R"([])", "arguments must be an object, not an array"},
      {R"({"url":""})", "arguments.url must not be empty"},
      {R"({"url":"ab"})", "arguments.url must have at least 3 characters, not 2"},
      {R"({"url":"abcdef"})", "arguments.url must have at most 5 characters, not 6"},
      {R"({"url":"abc","n":2.5})", "arguments.n must be a whole number, not 2.5"},
      {R"({"url":"abc","n":2.0})", ""},
      {R"({"url":"abc","n":0})", "arguments.n must be at least 1, not 0"},
      {R"({"url":"abc","n":10})", "arguments.n must be at most 9, not 10"},
      {R"({"url":"abc","n":"3"})", "arguments.n must be an integer, not a string"},
      {R"({"url":"abc","tags":["x",1]})", "arguments.tags[1] must be a string, not a number"},
      {R"({"url":"abc","tags":["x","y","z"]})",
       "arguments.tags must have at most 2 elements, not 3"},
      {R"({"url":"abc","deep":{"on":"yes"}})", "arguments.deep.on must be a boolean, not a string"},
      {R"({"url":"abc","kind":"c"})", R"(arguments.kind must be one of "a", "b", 1, not "c")"},
      {R"({"url":"abc","same":"y"})", R"(arguments.same must be "x")"},
      {R"({"url":"abc","two":1})", "arguments.two must be a string or null, not a number"},
      {R"({"url":"abc","link":"x"})",
       "arguments.link is not known; there are: url, n, tags, deep, kind, same, two"},
  };
  for (const auto& [value, expected] : cases)
    EXPECT_EQ(violation(kFetch, value), expected) << value;
}

TEST(SchemaTest, ChoicesCountTheirMatches) {
  const std::string_view any = R"({"anyOf":[{"type":"string"},{"type":"number"}]})";
  EXPECT_EQ(violation(any, "1"), "");
  EXPECT_NE(violation(any, "[]").find("fits none of its forms"), std::string::npos);
  const std::string_view one = R"({"oneOf":[{"type":"number"},{"type":"integer"}]})";
  EXPECT_EQ(violation(one, "1.5"), "");
  EXPECT_NE(violation(one, "1").find("more than one"), std::string::npos);
}

TEST(SchemaTest, ASchemaThatIsItselfWrongIsSaidToBe) {
  for (const char* schema :
       {R"("text")", R"({"type":5})", R"({"enum":5})", R"({"properties":[]})",
        R"({"required":"url"})", R"({"required":[1]})", R"({"anyOf":[]})", R"({"anyOf":[5]})"}) {
    const Status status = check_schema(MUST(parse_json(schema)), MUST(parse_json("{}")));
    ASSERT_FALSE(status.has_value()) << schema;
    EXPECT_EQ(status.error().code, Code::config) << schema << ": " << status.error().message;
  }
  // Wrong types of bounds are as good as absent, lookaheads and references are ignored.
  EXPECT_EQ(
      violation(R"json({"minimum":"x","minLength":"y","pattern":"(?=a)","$ref":"#"})json", "1"),
      "");
}

TEST(SchemaTest, DeepNestingIsRefusedNotRecursedInto) {
  std::string schema = "{}";
  std::string value = "1";
  for (int i = 0; i < 50; ++i) {
    schema = R"({"items":)" + schema + "}";
    value = "[" + value + "]";
  }
  const Status status = check_schema(MUST(parse_json(schema)), MUST(parse_json(value)));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, Code::limit);
}

TEST(SchemaTest, HostileNamesAreShownHarmlessly) {
  const std::string message = violation(kFetch, R"({"url":"abc","\u001b[2J\u0000":1})");
  EXPECT_EQ(message.find('\x1b'), std::string::npos) << message;
  EXPECT_EQ(message.find('\0'), std::string::npos);
}

}  // namespace
}  // namespace keel::tool
