// Text as a terminal shows it: cells instead of bytes, styles, wrapping, and the making harmless of
// what comes from outside. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keel::ui {

// The text with every control character made visible or replaced: a model's words or a web page
// must not be able to move the cursor, retitle the window or reorder the line. Line feeds and tabs
// stay, carriage returns go, control characters become their pictures (U+2400 and up), invalid
// UTF-8 and direction overrides U+FFFD.
std::string safe_text(std::string_view text);
// The same on one line: line feeds and tabs become spaces.
std::string safe_line(std::string_view text);

// Cells of a text without control characters (0 for combining marks, 2 for wide characters).
int cell_width(std::string_view text);
// The longest prefix that fits in `cells`.
std::string_view cell_prefix(std::string_view text, int cells);
// At most `cells` wide, with "…" where something was left out.
std::string cut_to_cells(std::string_view text, int cells);

// Bits of a style. Colours are the terminal's own sixteen, so that they fit the owner's theme.
enum Style : unsigned {
  plain = 0,
  bold = 1,
  dim = 2,
  italic = 4,
  underline = 8,
  strike = 16,
  code = 32,  // cyan
  warn = 64,  // yellow
  bad = 128,  // red
};

struct Span {
  std::string text;  // safe, without line feeds unless it is to be wrapped
  unsigned style = plain;
};
using Spans = std::vector<Span>;

int cell_width(const Spans& spans);
// Breaks at spaces and beside wide characters; a word longer than a line is cut. A line feed is a
// forced break. Gives at least one line. `width` below 1 counts as 1.
std::vector<Spans> wrap(const Spans& spans, int width);

// The bytes for one line; every style ends with it. Without `styled` the bare text.
std::string paint(const Spans& spans, bool styled);
std::string paint(std::string_view text, unsigned style, bool styled);

}  // namespace keel::ui
