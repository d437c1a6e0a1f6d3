// Markdown for a terminal: CommonMark with tables, task lists and strike-through (md4c), as lines
// that fit a width. Raw HTML is shown as text. Pure; any thread.
//
// Every line is complete in itself (styles end with it) and at most `width` cells wide, so that the
// number of lines is the number of rows on the screen. All text passes safe_text, entities after
// they have been decoded.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keel::ui {

struct Look {
  int width = 80;
  bool styled = true;  // false: no escape sequences at all
};

std::vector<std::string> render_markdown(std::string_view text, const Look& look);

}  // namespace keel::ui
