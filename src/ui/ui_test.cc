#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "ui/cells.h"
#include "ui/line_editor.h"
#include "ui/live_markdown.h"
#include "ui/markdown.h"
#include "ui/turn_view.h"

namespace keel::ui {
namespace {

std::string rendered(std::string_view text, int width = 60, bool styled = false) {
  return join(render_markdown(text, {width, styled}), "\n");
}

// The part of a terminal that LiveMarkdown uses: printing, LF, CR, CSI A, CSI J; styles are
// ignored.
class Screen {
 public:
  void write(std::string_view bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      if (bytes[at] == '\x1b') {
        std::size_t end = bytes.find_first_of("AJm", at);
        ASSERT_NE(end, std::string_view::npos);
        std::string number(bytes.substr(at + 2, end - at - 2));
        if (bytes[end] == 'A') y_ -= number.empty() ? 1 : std::stoul(number);
        if (bytes[end] == 'J') clear_below();
        ASSERT_LT(y_, 100000u) << "moved above the first row";
        at = end + 1;
      } else if (bytes[at] == '\n') {
        ++y_;
        x_ = 0;
        ++at;
      } else if (bytes[at] == '\r') {
        x_ = 0;
        ++at;
      } else {
        std::size_t next = at;
        next_code_point(bytes, next);
        put(std::string(bytes.substr(at, next - at)));
        at = next;
      }
    }
  }
  std::string text() const {
    std::string out;
    for (const auto& row : rows_) {
      std::string line = join(row, "");
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
    }
    while (out.ends_with("\n")) out.pop_back();
    return out;
  }

 private:
  void put(std::string cell) {
    if (rows_.size() <= y_) rows_.resize(y_ + 1);
    if (rows_[y_].size() <= x_) rows_[y_].resize(x_ + 1, " ");
    rows_[y_][x_++] = std::move(cell);
  }
  void clear_below() {
    if (rows_.size() > y_ + 1) rows_.resize(y_ + 1);
    if (y_ < rows_.size() && rows_[y_].size() > x_) rows_[y_].resize(x_);
  }
  std::vector<std::vector<std::string>> rows_;
  std::size_t x_ = 0;
  std::size_t y_ = 0;
};

TEST(SafeText, ControlSequencesOfAModelCannotReachTheTerminal) {
  EXPECT_EQ(safe_text("a\x1b[2Jb"), "a␛[2Jb");
  EXPECT_EQ(safe_text(std::string_view("nul\0end", 7)), "nul␀end");
  EXPECT_EQ(safe_text("\x7f\xc2\x9b"
                      "31m"),
            "␡\xef\xbf\xbd"
            "31m");
  EXPECT_EQ(safe_text("one\r\ntwo\rthree"), "one\ntwothree");
  EXPECT_EQ(safe_text("\xff\xfe"), "\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(safe_text("abc\u202exyz"), "abc\xef\xbf\xbdxyz");
  EXPECT_EQ(safe_line("a\nb\tc"), "a b c");
}

TEST(SafeText, EntitiesInMarkdownCannotSmuggleAnEscape) {
  for (const char* text :
       {"&#27;[2J", "&#x1b;[2J", "[x](http://a/&#27;[2J)", "`\x1b[2J`", "```\n\x1b[2J\n```"}) {
    EXPECT_EQ(rendered(text).find('\x1b'), std::string::npos) << text;
  }
  EXPECT_EQ(rendered("&#9999999; &amp; &unknown; &#xd800;"),
            "\xef\xbf\xbd & &unknown; \xef\xbf\xbd");
}

TEST(Cells, WideAndCombiningCharactersAreCountedAsTheTerminalDoes) {
  EXPECT_EQ(cell_width("abc"), 3);
  EXPECT_EQ(cell_width("日本"), 4);
  EXPECT_EQ(cell_width("e\u0301"), 1);
  EXPECT_EQ(cell_prefix("日本", 3), "日");
  EXPECT_EQ(cut_to_cells("abcdef", 4), "abc…");
  EXPECT_EQ(cut_to_cells("abcd", 4), "abcd");
}

TEST(Wrap, NoLineIsWiderThanTheScreen) {
  std::string text =
      "A fairly long sentence, with a_very_long_word_that_cannot_fit_on_one_line 日本語の長い文章 "
      "and more.";
  for (int width = 1; width < 40; ++width) {
    std::string together;
    for (const Spans& line : wrap({{text, plain}}, width)) {
      EXPECT_LE(cell_width(line), std::max(width, 2));
      for (const Span& span : line) together += span.text;
    }
    EXPECT_EQ(replace_all(together, " ", ""), replace_all(text, " ", "")) << width;
  }
}

TEST(Markdown, ARuleIsNotWiderThanTheWindow) {
  for (const char* text : {"---", "> ---", "- > ***"}) {
    for (const std::string& line : render_markdown(text, {20, false}))
      EXPECT_LE(cell_width(line), 20) << text;
  }
}

TEST(Markdown, BlocksAreShownAsPeopleExpectThem) {
  EXPECT_EQ(rendered("# Title\n\nSome *very* **bold** `code`."), "Title\n\nSome very bold code.");
  EXPECT_EQ(rendered("- one\n- two\n  - inner\n- three"), "• one\n• two\n  • inner\n• three");
  EXPECT_EQ(rendered("3. three\n4. four"), "3. three\n4. four");
  EXPECT_EQ(rendered("- [x] done\n- [ ] open"), "☑ done\n☐ open");
  EXPECT_EQ(rendered("> quoted\n> text"), "│ quoted text");
  EXPECT_EQ(rendered("```sh\nls -l\n\n  x\n```"), "  ls -l\n\n    x");
  EXPECT_EQ(rendered("before\n\n- a\n- b\n\nafter"), "before\n\n• a\n• b\n\nafter");
  EXPECT_EQ(rendered("[keel](https://example.org/x)"), "keel (https://example.org/x)");
  EXPECT_EQ(rendered("<https://example.org/x>"), "https://example.org/x");
  EXPECT_EQ(rendered("a<b>c</b>"), "a<b>c</b>");
}

TEST(Markdown, TablesFitTheirWidth) {
  std::string table = "| name | n |\n|---|--:|\n| first | 1 |\n| second one | 20 |";
  EXPECT_EQ(rendered(table), "name       │  n\n───────────┼───\nfirst      │  1\nsecond one │ 20");
  for (int width = 8; width < 40; ++width) {
    for (const std::string& line : render_markdown(table, {width, false}))
      EXPECT_LE(cell_width(line), width);
  }
}

TEST(Markdown, StylesEndWithTheirLine) {
  std::string text = "**A long bold text that is wrapped over more than one line of the screen**";
  for (const std::string& line : render_markdown(text, {30, true})) {
    EXPECT_TRUE(line.starts_with("\x1b[1m")) << line;
    EXPECT_TRUE(line.ends_with("\x1b[0m")) << line;
  }
}

TEST(Markdown, HostileNestingStaysReadableAndCheap) {
  std::string quotes(5000, '>');
  EXPECT_NE(rendered(quotes + " deep").find("deep"), std::string::npos);
  std::string lists;
  for (int i = 0; i < 200; ++i)
    lists += std::string(static_cast<std::size_t>(i) * 2, ' ') + "- x\n";
  for (const std::string& line : render_markdown(lists, {40, false}))
    EXPECT_LE(cell_width(line), 40);
  EXPECT_FALSE(render_markdown(std::string(200000, '*'), {80, true}).empty());
}

const char* const sample =
    "# A title\n\nSome *text* with **bold** words that is long enough to be wrapped at the width "
    "of the test.\n\n"
    "1. first\n\n2. second\n   more\n\n```python\nprint('x')\n\n\nprint('y')\n```\n\nA table:\n\n| "
    "a | b |\n|---|---|\n"
    "| 1 | long cell |\n| 2 | x |\n\n> quote\n\nThe end, with a [link](https://example.org) and\na "
    "setext heading\n===\n";

TEST(LiveMarkdown, EveryWayOfCuttingTheStreamEndsInTheSameScreen) {
  Look look{40, true};
  std::string expected = rendered(sample, 40, false);
  for (std::size_t step : {1u, 2u, 3u, 7u, 50u, 10000u}) {
    LiveMarkdown live(look, 50);
    Screen screen;
    std::string_view rest = sample;
    while (!rest.empty()) {
      screen.write(live.feed(rest.substr(0, step)));
      rest.remove_prefix(std::min(step, rest.size()));
    }
    screen.write(live.finish());
    EXPECT_EQ(screen.text(), expected) << "in pieces of " << step;
    EXPECT_TRUE(live.empty());
  }
}

TEST(LiveMarkdown, ProseIsOnlyAppended) {
  LiveMarkdown live({40, true}, 24);
  std::string out;
  for (std::string_view word :
       {"Plain", " words", " follow", " each", " other", " and", " wrap", " here", " too."}) {
    out += live.feed(word);
  }
  out += live.finish();
  EXPECT_EQ(out, "Plain words follow each other and wrap\nhere too.\n");
}

TEST(LiveMarkdown, RowsAboveTheScreenAreLeftAlone) {
  LiveMarkdown live({40, false}, 5);
  std::string out;
  for (int i = 0; i < 30; ++i) out += live.feed("- item **" + std::to_string(i) + "**\n");
  for (std::size_t at = out.find("\x1b["); at != std::string::npos;
       at = out.find("\x1b[", at + 1)) {
    if (out[at + 2] == 'J') continue;
    EXPECT_LE(std::stoi(out.substr(at + 2)), 4);
  }
}

TEST(SettledPrefix, NeverCutsInsideAFenceOrAList) {
  EXPECT_EQ(settled_prefix("a\n\nb"), 3u);
  EXPECT_EQ(settled_prefix("a\n\n"), 0u);
  EXPECT_EQ(settled_prefix("```\na\n\nb\n"), 0u);
  EXPECT_EQ(settled_prefix("```\na\n```\n\nb"), 11u);
  EXPECT_EQ(settled_prefix("- a\n\n- b"), 0u);
  EXPECT_EQ(settled_prefix("- a\n\n  b"), 0u);
  EXPECT_EQ(settled_prefix("- a\n\nb"), 5u);
}

TEST(TurnView, ProgressIsSaidInWords) {
  EXPECT_EQ(progress_text({"loading", 400, 1000}), "loading the model 40%");
  EXPECT_EQ(progress_text({"reading", 412, 1950}), "reading 412 of 1,950 tokens");
  EXPECT_EQ(progress_text({"writing", 0, 0}), "thinking");
  EXPECT_EQ(progress_text({"restarting", 0, 0}), "restarting the engine");
}

TEST(TurnView, ArgumentsAreOneSafeLine) {
  EXPECT_EQ(arguments_text(R"({"url": "https://a.example", "n": 3})"),
            "url=https://a.example, n=3");
  EXPECT_EQ(arguments_text(R"({"t": "a\u001b[2J\nb"})"), "t=a␛[2J b");
  EXPECT_EQ(arguments_text("not json \x1b"), "not json ␛");
}

TEST(History, MessagesOfSeveralLinesComeBackAsTheyWere) {
  for (std::string_view text : {"plain", "a\nb", "back\\slash\\n", "\\", "\n\n"}) {
    std::string line = history_line(text);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    EXPECT_EQ(history_message(line), text);
  }
}

}  // namespace
}  // namespace keel::ui
