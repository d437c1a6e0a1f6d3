#include "memory/notion/flavor.h"

#include <gtest/gtest.h>

#include <random>

namespace keel::memory::notion {
namespace {

std::vector<std::string> canonical_of(std::string_view body) {
  std::vector<std::string> out;
  for (Unit& unit : units_of(body)) out.push_back(std::move(unit.canonical));
  return out;
}

// As a service that gives back the canonical form.
Reading reread(std::string_view body) {
  return read_markdown(to_notion(body), body, {}, {});
}

TEST(NotionFlavor, units_are_what_an_empty_line_or_a_change_of_kind_separates) {
  EXPECT_EQ(canonical_of("one\ntwo\n\nthree\n- a\n- b\n1. x\n# Head\ntext"),
            (std::vector<std::string>{"one\ntwo", "three", "- a\n- b", "1. x", "# Head", "text"}));
  EXPECT_EQ(canonical_of("* a\n\n+ b\n  - c\n3. x\n7) y"),
            (std::vector<std::string>{"- a\n- b\n\t- c", "1. x\n2. y"}));
  EXPECT_EQ(canonical_of("```\na * b\n\nc\n```\nend"),
            (std::vector<std::string>{"```plain text\na * b\n\nc\n```", "end"}));
  EXPECT_EQ(
      canonical_of("- [X] done\n- [ ] open\n> said\n> so\n***\n###### deep"),
      (std::vector<std::string>{"- [x] done\n- [ ] open", "> said\n> so", "---", "#### deep"}));
  EXPECT_TRUE(units_of("\n \n").empty());
}

TEST(NotionFlavor, signs_that_mean_nothing_are_escaped_and_come_back_plain) {
  EXPECT_EQ(to_notion("5 * 3 < 20 {x} $4 [a] a|b ~ ^"),
            "5 \\* 3 \\< 20 \\{x\\} \\$4 \\[a\\] a\\|b \\~ \\^");
  EXPECT_EQ(to_notion("**bold** and *it* ~~x~~ `a*b` [n](http://x.y/a_b)"),
            "**bold** and *it* ~~x~~ `a*b` [n](http://x.y/a_b)");
  EXPECT_EQ(from_notion("5 \\* 3 \\{x\\}"), "5 * 3 {x}");
  EXPECT_EQ(from_notion("\\*\\*not bold\\*\\*"), "\\*\\*not bold\\*\\*");
  EXPECT_EQ(from_notion("```c\na \\* b\n```"), "```c\na \\* b\n```");
}

TEST(NotionFlavor, what_nobody_changed_keeps_its_bytes) {
  const std::string body = "Head\n====\n\n\n* a\n* b\nend  \n\n3. x";
  const Reading reading = reread(body);
  EXPECT_TRUE(reading.same);
  EXPECT_EQ(reading.body, body);
}

TEST(NotionFlavor, an_edit_changes_its_unit_alone) {
  const std::string body = "One * two.\nsecond line\n* a\n* b\n\n\nThree.";
  std::string there = to_notion(body);
  there.replace(there.find("Three"), 5, "Four");
  const Reading reading = read_markdown("New.\n\n" + there, body, {}, {});
  EXPECT_FALSE(reading.same);
  EXPECT_EQ(reading.body, "New.\n\nOne * two.\nsecond line\n* a\n* b\n\nFour.");
  EXPECT_EQ(read_markdown("Three.", body, {}, {}).body, "Three.");
  EXPECT_EQ(read_markdown("", body, {}, {}).body, "");
}

TEST(NotionFlavor, another_form_of_the_same_is_learnt_once) {
  const std::string body = "_one_ two\n\nthree";
  const std::string there = "*one* two\n\nthree";
  EXPECT_FALSE(read_markdown(there, body, {}, {}).same);
  const Reading first = read_markdown(there, body, {}, {true, true});
  EXPECT_TRUE(first.same);
  EXPECT_EQ(first.body, body);
  EXPECT_FALSE(first.marks[0].empty());
  EXPECT_TRUE(first.marks[1].empty());
  const Marks kept = marks_from(marks_text(first.marks));
  EXPECT_TRUE(read_markdown(there, body, kept, {}).same);
  EXPECT_FALSE(read_markdown("*one* Two\n\nthree", body, kept, {}).same);
  EXPECT_EQ(marks_text(Marks(3)), "");
}

TEST(NotionFlavor, a_change_names_a_text_that_stands_once) {
  Change change = change_between({"a", "b", "c"}, {"a", "x", "c"});
  EXPECT_EQ(change.old_text, "b");
  EXPECT_EQ(change.new_text, "x");
  change = change_between({"a", "b", "a"}, {"a", "b", "x"});
  EXPECT_EQ(change.old_text, "b\n\na");
  EXPECT_EQ(change.new_text, "b\n\nx");
  change = change_between({"a"}, {"a", "b"});
  EXPECT_EQ(change.old_text, "a");
  EXPECT_EQ(change.new_text, "a\n\nb");
  change = change_between({"a", "b"}, {"b"});
  EXPECT_EQ(change.old_text, "a\n\nb");
  EXPECT_EQ(change.new_text, "b");
  EXPECT_EQ(change_between({}, {"a"}).old_text, "");
}

std::string random_text(std::mt19937& random) {
  static constexpr std::string_view kPieces[] = {
      "word ", "*",    "**", "`",   "~~", "[",  "](http://a.b/c)", "\\", "{",  "}",  "<",
      "\n",    "\n\n", "- ", "1. ", "# ", "> ", "```\n",           "\t", "  ", "é ", "---",
      "|",     "$"};
  std::string text;
  const std::size_t count = random() % 24;
  for (std::size_t i = 0; i < count; ++i) text += kPieces[random() % std::size(kPieces)];
  return text;
}

TEST(NotionFlavor, any_text_survives_the_way_there_and_back) {
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const std::string body = random_text(random);
    const std::string there = to_notion(body);
    EXPECT_EQ(to_notion(there), there) << body;
    const Reading reading = reread(body);
    EXPECT_TRUE(reading.same) << body;
    if (HasFailure()) return;
  }
}

TEST(NotionFlavor, a_change_makes_the_one_text_of_the_other) {
  std::mt19937 random(8);
  for (int i = 0; i < 5'000; ++i) {
    std::vector<std::string> before(1 + random() % 6), after(1 + random() % 6);
    for (std::string& unit : before) unit = std::string(1, static_cast<char>('a' + random() % 3));
    for (std::string& unit : after) unit = std::string(1, static_cast<char>('a' + random() % 3));
    if (before == after) continue;
    const Change change = change_between(before, after);
    std::string text = join_units(before);
    const std::size_t at = text.find(change.old_text);
    ASSERT_NE(at, std::string::npos);
    ASSERT_EQ(text.find(change.old_text, at + 1), std::string::npos);
    text.replace(at, change.old_text.size(), change.new_text);
    EXPECT_EQ(text, join_units(after));
  }
}

TEST(NotionFlavor, a_megabyte_is_read_in_time) {
  std::string body;
  for (int i = 0; i < 20'000; ++i) body += "Paragraph " + std::to_string(i) + " *with* [signs\n\n";
  std::string there = to_notion(body);
  there.replace(there.find("Paragraph 10000 "), 9, "Changed");
  EXPECT_FALSE(read_markdown(there, body, {}, {}).same);
  EXPECT_EQ(to_notion("x" + std::string(1u << 20, '*')).size(), (2u << 20) + 1);
  EXPECT_GT(to_notion(std::string(1u << 18, '[')).size(), 1u << 18);
}

}  // namespace
}  // namespace keel::memory::notion
