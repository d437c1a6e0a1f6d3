#include "ui/live_markdown.h"

#include <algorithm>

#include "base/text.h"

namespace keel::ui {
namespace {

// Three or more backquotes or tildes after at most three spaces; 0 if the line is no fence.
std::size_t fence_length(std::string_view line, char& mark) {
  std::size_t start = line.find_first_not_of(' ');
  if (start == std::string_view::npos || start > 3) return 0;
  if (line[start] != '`' && line[start] != '~') return 0;
  mark = line[start];
  std::size_t end = line.find_first_not_of(mark, start);
  if (end == std::string_view::npos) end = line.size();
  return end - start >= 3 ? end - start : 0;
}

bool may_continue_list(std::string_view line) {
  char c = line.front();
  if (c == ' ' || c == '\t' || c == '-' || c == '*' || c == '+' || c == '>') return true;
  return c >= '0' && c <= '9';
}

}  // namespace

std::size_t settled_prefix(std::string_view text) {
  std::size_t settled = 0;
  bool blank_before = false;
  char fence = 0;
  std::size_t fence_size = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) end = text.size();
    std::string_view line = text.substr(at, end - at);
    bool blank = trim(line).empty();
    char mark = 0;
    std::size_t length = fence_length(line, mark);
    if (fence == 0 && !blank && blank_before && !may_continue_list(line)) settled = at;
    if (fence == 0 && length > 0) {
      fence = mark;
      fence_size = length;
    } else if (fence != 0 && mark == fence && length >= fence_size) {
      fence = 0;
    }
    blank_before = blank;
    at = end + 1;
  }
  return settled;
}

std::string LiveMarkdown::feed(std::string_view text) {
  text_ += text;
  std::string out;
  if (std::size_t settled = settled_prefix(text_); settled > 0) {
    out += draw(render_markdown(std::string_view(text_).substr(0, settled), look_));
    text_.erase(0, settled);
    drawn_.clear();
    started_ = true;
  }
  std::vector<std::string> lines = render_markdown(text_, look_);
  if (lines.empty()) return out;
  return out + draw(lines);
}

std::string LiveMarkdown::finish() {
  std::string out = feed("");
  if (!drawn_.empty() || started_) out += "\n";
  text_.clear();
  drawn_.clear();
  started_ = false;
  return out;
}

std::string LiveMarkdown::draw(const std::vector<std::string>& lines) {
  std::string out;
  if (lines.empty()) return out;
  std::size_t first = 0;
  if (drawn_.empty()) {
    if (started_) out += "\n\n";  // a settled block above ends without a line end
  } else {
    std::size_t same = 0;
    while (same < drawn_.size() && same < lines.size() && drawn_[same] == lines[same]) ++same;
    if (same == drawn_.size() && same == lines.size()) return out;
    std::size_t last = drawn_.size() - 1;
    if (same >= last && lines.size() >= drawn_.size() && lines[last].starts_with(drawn_[last])) {
      out += lines[last].substr(drawn_[last].size());  // prose that grows: no cursor movement
      first = drawn_.size();
      if (first < lines.size()) out += "\n";
    } else {
      auto reach = static_cast<std::size_t>(std::max(1, rows_ - 1));
      first = std::min({same, last, lines.size() - 1});
      if (last - first >= reach) first = last - reach + 1;
      if (last > first) out += "\x1b[" + std::to_string(last - first) + "A";
      out += "\r\x1b[J";
    }
  }
  for (std::size_t i = first; i < lines.size(); ++i) {
    out += lines[i];
    if (i + 1 < lines.size()) out += "\n";
  }
  drawn_ = lines;
  return out;
}

}  // namespace keel::ui
