#include "memory/markdown/front_matter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace keel::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;

Document read(std::string_view text, std::vector<Problem>* problems = nullptr) {
  std::vector<Problem> found;
  Document document = read_document(text, found);
  if (problems != nullptr)
    *problems = found;
  else
    EXPECT_THAT(found, IsEmpty()) << text << "\n" << (found.empty() ? "" : found[0].what);
  return document;
}

std::optional<std::string> scalar(std::string_view value) {
  return read("---\nkey: " + std::string(value) + "\n---\n").front.scalar("key");
}

std::optional<std::vector<std::string>> list(std::string_view value) {
  return read("---\nkey:" + std::string(value) + "\n---\n").front.list("key");
}

TEST(FrontMatter, ReadsScalarsInEveryFormThatPeopleWrite) {
  EXPECT_THAT(scalar("plain text"), Optional(std::string("plain text")));
  EXPECT_THAT(scalar("with: a colon"), Optional(std::string("with: a colon")));
  EXPECT_THAT(scalar("text # comment"), Optional(std::string("text")));
  EXPECT_THAT(scalar("C# and F#"), Optional(std::string("C# and F#")));
  EXPECT_THAT(scalar("'it''s'"), Optional(std::string("it's")));
  EXPECT_THAT(scalar("\"a \\\"b\\\" \\u00fc \\n\""), Optional(std::string("a \"b\" \xc3\xbc \n")));
  EXPECT_THAT(scalar("\"quoted\" # comment"), Optional(std::string("quoted")));
  EXPECT_THAT(scalar("on two\n  lines"), Optional(std::string("on two lines")));
  EXPECT_THAT(scalar("|\n  a\n    b\n\n  c"), Optional(std::string("a\n  b\n\nc")));
  EXPECT_THAT(scalar(">-\n  a\n  b\n\n  c"), Optional(std::string("a b\nc")));
  for (const char* none : {"", "null", "~", "[a]", "{a: b}", "\n  a: 1\n  b: 2", "\"open"})
    EXPECT_EQ(scalar(none), std::nullopt) << none;
}

TEST(FrontMatter, ReadsListsInEveryFormThatPeopleWrite) {
  EXPECT_THAT(list(" [a, \"b, c\", 'd', #e]"), Optional(ElementsAre("a", "b, c", "d", "#e")));
  EXPECT_THAT(list("\n  - a\n  - \"b: c\"\n  # no item\n  - d # comment"),
              Optional(ElementsAre("a", "b: c", "d")));
  EXPECT_THAT(list("\n- a\n- b"), Optional(ElementsAre("a", "b")));
  EXPECT_THAT(list(" [a,\n  b]"), Optional(ElementsAre("a", "b")));
  EXPECT_THAT(list(" one"), Optional(ElementsAre("one")));
  EXPECT_THAT(list(" []"), Optional(IsEmpty()));
  EXPECT_THAT(list(""), Optional(IsEmpty()));
  for (const char* none : {" [[a]]", " [a, {b: c}]", "\n  - - a", "\n  - a: 1", " [a"})
    EXPECT_EQ(list(none), std::nullopt) << none;
}

TEST(FrontMatter, KeysAreFoundWhateverTheirCaseAndForm) {
  const Document document = read("---\nTitle: A\n\"my key\": B\nmy other key: C\n---\nbody\n");
  EXPECT_THAT(document.front.scalar("title"), Optional(std::string("A")));
  EXPECT_THAT(document.front.scalar("my key"), Optional(std::string("B")));
  EXPECT_THAT(document.front.scalar("My Other Key"), Optional(std::string("C")));
  EXPECT_EQ(document.front.line("my other key"), 4);
  EXPECT_EQ(document.body, "body");
  EXPECT_EQ(document.body_line, 6);
}

TEST(FrontMatter, WhatIsNotChangedStaysByteForByte) {
  const std::string text =
      "---\n# who\ntitle:   'A'   # old\nnested:\n  deep:\n    - {x: [1, 2]}\n\ncssclass: wide\n"
      "tags: [ b,a ]\n---\n\nBody\n";
  Document document = read(text);
  EXPECT_EQ(document_text(document.front, document.body), text);
  document.front.set("title", "B: c");
  document.front.set_list("tags", {"a", "#b", "c d"});
  document.front.set("rev", "2");
  EXPECT_EQ(document_text(document.front, document.body),
            "---\n# who\ntitle: \"B: c\"\nnested:\n  deep:\n    - {x: [1, 2]}\n\ncssclass: wide\n"
            "tags:\n  - a\n  - \"#b\"\n  - c d\nrev: \"2\"\n---\n\nBody\n");
  document.front.set("a: b", "c");
  EXPECT_EQ(document.front.source("a: b"), "\"a: b\": c\n");
  document.front.erase("a: b");
  document.front.erase("TAGS");
  document.front.set("title", "");
  EXPECT_THAT(document.front.keys(), ElementsAre("nested", "cssclass", "rev"));
}

TEST(FrontMatter, WhatIsNoFrontMatterIsText) {
  for (const char* text :
       {"plain", "--- \nhr above, prose\n\n---\nmore", "----\na: b\n---", "\n---\na: b\n---", ""}) {
    std::vector<Problem> problems;
    EXPECT_EQ(read(text, &problems).body,
              std::string(text == std::string("\n---\na: b\n---") ? "---\na: b\n---" : text));
  }
  std::vector<Problem> problems;
  const Document open = read("---\ntitle: A\nno end", &problems);
  EXPECT_TRUE(open.front.empty());
  EXPECT_EQ(open.body, "---\ntitle: A\nno end");
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].line, 1);

  const Document broken = read("---\n{{{ not yaml\n\t- [\n---\ntext", &problems);
  EXPECT_EQ(broken.body, "---\n{{{ not yaml\n\t- [\n---\ntext");
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].line, 2);
}

TEST(FrontMatter, ALineThatIsNotUnderstoodIsReportedAndKept) {
  std::vector<Problem> problems;
  const std::string text = "---\ntitle: A\n%%%\nrev: 3\ntitle: B\n---\n\nx\n";
  const Document document = read(text, &problems);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].line, 3);
  EXPECT_EQ(problems[1].line, 5);
  EXPECT_THAT(document.front.scalar("title"), Optional(std::string("A")));
  EXPECT_EQ(document_text(document.front, document.body), text);
}

TEST(FrontMatter, OtherSystemsLineEndsAndMarksAreTakenOff) {
  const Document document = read("\xef\xbb\xbf---\r\ntitle: A\r\n---\r\nline\r\nline\r\n");
  EXPECT_THAT(document.front.scalar("title"), Optional(std::string("A")));
  EXPECT_EQ(document.body, "line\nline");
}

TEST(FrontMatter, EveryValueReadsBackAsItWasWritten) {
  std::mt19937 random(7);
  const std::string alphabet = "ab -?:,[]{}#&*!|>'\"%@`~\\\n\t.0123trueno\xc3\xbc";
  for (int round = 0; round < 5000; ++round) {
    std::string value;
    for (std::size_t n = 1 + random() % 8; n > 0; --n) value += alphabet[random() % 37];
    if (value.find('\xc3') != std::string::npos || value.find('\xbc') != std::string::npos)
      value = "\xc3\xbc";
    FrontMatter front;
    front.set("key", value);
    front.set_list("list", {value, "x"});
    const Document document = read(document_text(front, "b"));
    ASSERT_EQ(document.front.scalar("key"), value) << document_text(front, "b");
    ASSERT_THAT(document.front.list("list"), Optional(ElementsAre(value, "x")));
  }
}

TEST(FrontMatter, TimesInEveryFormThatPeopleWrite) {
  EXPECT_EQ(time_of("2023-05-08"), 1683504000000);
  EXPECT_EQ(time_of("2023-05-08T13:56:00Z"), 1683554160000);
  EXPECT_EQ(time_of("2023-05-08 13:56"), 1683554160000);
  EXPECT_EQ(time_of("2023-05-08T15:56:00.25+02:00"), 1683554160250);
  EXPECT_EQ(time_of("2023/5/8 13:56:00.123456 -0000"), 1683554160123);
  EXPECT_EQ(time_of("1683554160"), 1683554160000);
  EXPECT_EQ(time_of("1683554160250"), 1683554160250);
  EXPECT_EQ(time_of(time_text(1683554160007)), 1683554160007);
  EXPECT_EQ(time_of(time_text(-1)), -1);
  for (const char* none :
       {"", "May 8", "2023-13-01", "2023-02-30", "2023-05-08T25:00", "12", "2023-05-08x",
        "2023-05-08T13:56:00+99:00", "99999999999999", "0000-01-01"})
    EXPECT_EQ(time_of(none), std::nullopt) << none;
}

}  // namespace
}  // namespace keel::memory
