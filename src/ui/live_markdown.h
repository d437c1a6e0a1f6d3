// Markdown that is shown while it is still being written. Each piece of text gives the bytes that
// bring the terminal up to date: what is settled stays, the part that changed is drawn again.
// Ordinary prose is only ever appended.
//
// Not thread-safe. The terminal must understand CSI A, CSI J and CR; rows above the screen are
// never touched.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ui/markdown.h"

namespace keel::ui {

class LiveMarkdown {
 public:
  // `rows` is the height of the terminal.
  LiveMarkdown(Look look, int rows) : look_(look), rows_(rows) {}

  std::string feed(std::string_view text);
  // Draws what is left and ends the line; the object is then as new.
  std::string finish();
  bool empty() const { return text_.empty() && drawn_.empty() && !started_; }

 private:
  std::string draw(const std::vector<std::string>& lines);

  Look look_;
  int rows_;
  std::string text_;  // of the block that may still change
  std::vector<std::string>
      drawn_;             // its lines as they stand on the screen, cursor at the end of the last
  bool started_ = false;  // an earlier block has been settled
};

// How much of the text can no longer change its look: up to the last blank line that is followed by
// the start of a new top-level block and is not inside a fence or list. Exposed for its test.
std::size_t settled_prefix(std::string_view text);

}  // namespace keel::ui
