#include "msg/raw.h"

#include <gtest/gtest.h>

#include <random>

#include "base/json.h"

namespace keel::msg {
namespace {

Doc parsed(const std::string& text) {
  return MUST(Doc::parse(text, "a test"));
}

TEST(Raw, KeepsTheBytesOfEveryValue) {
  const Doc doc = parsed(R"( { "a" : [ 1.0 , "\u00e9" ] , "b":{ } } )");
  EXPECT_EQ(doc.root()["a"].raw(), R"([ 1.0 , "\u00e9" ])");
  EXPECT_EQ(doc.root()["b"].raw(), "{ }");
  EXPECT_EQ(doc.root()["a"].size(), 2u);
  EXPECT_FALSE(doc.root()["c"]);
  EXPECT_EQ(doc.root()["c"]["d"].string(), "");
}

TEST(Raw, DecodesEscapesAndReplacesHalfSurrogates) {
  const Doc doc =
      parsed(R"(["a\"\\\/\b\f\n\r\t","\u00e9\ud83d\ude00","\ud83d!","\ude00","\ud83d\u0041"])");
  std::vector<std::string> texts;
  for (const Value value : doc.root()) texts.push_back(value.string());
  EXPECT_EQ(texts,
            (std::vector<std::string>{"a\"\\/\b\f\n\r\t", "é😀", "\xef\xbf\xbd!", "\xef\xbf\xbd",
                                      ("\xef\xbf\xbd"
                                       "A")}));
}

TEST(Raw, ReadsNumbersOnlyWhereTheyFit) {
  const Doc doc =
      parsed("[9223372036854775807, 9223372036854775808, -1, 1e3, 1.5, 1e400, 32000.0]");
  std::vector<std::optional<std::int64_t>> whole;
  for (const Value value : doc.root()) whole.push_back(value.integer());
  EXPECT_EQ(whole,
            (std::vector<std::optional<std::int64_t>>{9223372036854775807, std::nullopt, -1, 1000,
                                                      std::nullopt, std::nullopt, 32000}));
}

TEST(Raw, RefusesWhatIsNoJsonAndSaysWhere) {
  for (const char* bad : {"",
                          " ",
                          "{",
                          "}",
                          "[1,]",
                          "{\"a\":1,}",
                          "{\"a\"}",
                          "{a:1}",
                          "\"a",
                          "\"\\x\"",
                          "\"\\u12g4\"",
                          "\"\n\"",
                          "01",
                          "1.",
                          ".5",
                          "-",
                          "1e",
                          "+1",
                          "tru",
                          "nulll",
                          "[1] 2",
                          "[1 2]",
                          "'a'",
                          "{\"a\":1,\"a\":2}",
                          "{\"a\":1,\"\\u0061\":2}",
                          "\"\xff\"",
                          "NaN"}) {
    const Result<Doc> doc = Doc::parse(bad, "a test");
    ASSERT_FALSE(doc) << bad;
    EXPECT_EQ(doc.error().message.rfind("a test ", 0), 0u) << doc.error().message;
  }
  EXPECT_FALSE(Doc::parse(std::string(100000, '['), "a test"));
}

// Random texts near JSON: what one parser takes, the other takes, and both see the same.
TEST(Raw, AgreesWithTheParserOfTheRest) {
  std::mt19937 random(1);
  const std::vector<std::string> pieces = {"{",    "}",     "[",     "]",           ",",
                                           ":",    "\"a\"", "\"b\"", "1",           "-2.5",
                                           "true", "null",  " ",     "\"\\u00e9\"", "\"x"};
  int accepted = 0;
  for (int i = 0; i < 200000; ++i) {
    std::string text;
    for (std::size_t n = random() % 8 + 1; n > 0; --n) text += pieces[random() % pieces.size()];
    const Result<Doc> doc = Doc::parse(text, "a test");
    const Result<Json> json = parse_json(text);
    if (doc.has_value() != json.has_value()) {
      ASSERT_NE(doc.error().message.find("twice"), std::string::npos) << text;
      continue;
    }
    if (!doc) continue;
    ++accepted;
    ASSERT_EQ(dump_json(json_of(doc->root())), dump_json(*json));
  }
  EXPECT_GT(accepted, 1000);
}

TEST(Writer, PutsCommasWhereTheyAreDue) {
  Writer w;
  w.object().text("a", "x\"\n\x01é").key("b").array().integer(1).string("").raw("{}").object();
  w.end_object().null().end_array().key("c").object().end_object().key("d").number(0.5);
  EXPECT_EQ(w.end_object().str(), R"({"a":"x\"\n\u0001é","b":[1,"",{},{},null],"c":{},"d":0.5})");
}

TEST(Writer, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(json_quoted("a\xff"), "\"a\xef\xbf\xbd\"");
}

}  // namespace
}  // namespace keel::msg
