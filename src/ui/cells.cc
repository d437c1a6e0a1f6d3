#include "ui/cells.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/text.h"

namespace keel::ui {
namespace {

bool reorders(char32_t c) {
  return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
         c == 0x200f || c == 0x061c;
}

// Characters of the tag block are invisible and can carry hidden text.
bool hidden(char32_t c) {
  return c >= 0xe0000 && c <= 0xe007f;
}

int width_of(char32_t c) {
  if (c < 0x20) return 0;
  if (c < 0x7f) return 1;
  return std::max(0, utf8proc_charwidth(static_cast<utf8proc_int32_t>(c)));
}

// The smallest piece that wrapping keeps together: a word, a run of spaces, one wide character or a
// forced break.
struct Piece {
  std::string_view text;
  unsigned style = plain;
  int width = 0;
  bool space = false;
  bool line_end = false;
};

std::vector<Piece> pieces_of(const Spans& spans) {
  std::vector<Piece> pieces;
  for (const Span& span : spans) {
    std::string_view text = span.text;
    std::size_t start = 0;
    int width = 0;
    auto flush = [&](std::size_t end) {
      if (end > start)
        pieces.push_back({text.substr(start, end - start), span.style, width, text[start] == ' '});
      start = end;
      width = 0;
    };
    for (std::size_t at = 0; at < text.size();) {
      std::size_t next = at;
      char32_t c = next_code_point(text, next);
      int w = width_of(c);
      if (c == '\n') {
        flush(at);
        pieces.push_back({{}, plain, 0, false, true});
        start = next;
      } else if (at > start && ((c == ' ') != (text[start] == ' ') || w == 2)) {
        flush(at);
        width = w;
      } else {
        width += w;
      }
      at = next;
      if (w == 2) flush(at);
    }
    flush(text.size());
  }
  return pieces;
}

class Wrapper {
 public:
  explicit Wrapper(int width) : width_(std::max(1, width)) {}

  // A word may come in several pieces when its style changes in the middle; it is kept together all
  // the same.
  void add_word(const std::vector<Piece>& word) {
    int total = 0;
    for (const Piece& piece : word) total += piece.width;
    if (used_ + total > width_ && used_ > 0) end_line();
    for (const Piece& piece : word) append_cut(piece);
  }
  void add_space(const Piece& piece) {
    if (used_ == 0 && !lines_.empty() && !forced_)
      return;  // a wrapped line does not begin with a space
    if (used_ + piece.width > width_) {
      end_line();
      return;
    }
    append(piece.text, piece.style, piece.width);
  }
  void force_break() {
    end_line();
    forced_ = true;
  }
  std::vector<Spans> finish() {
    trim_end();
    lines_.push_back(std::move(line_));
    return std::move(lines_);
  }

 private:
  void append_cut(const Piece& piece) {
    std::string_view rest = piece.text;
    while (!rest.empty()) {
      std::string_view part = cell_prefix(rest, width_ - used_);
      if (part.empty()) {
        if (used_ > 0) {
          end_line();
          continue;
        }
        std::size_t one = 0;  // wider than a whole line: let it stand
        next_code_point(rest, one);
        part = rest.substr(0, one);
      }
      append(part, piece.style, cell_width(part));
      rest.remove_prefix(part.size());
    }
  }
  void append(std::string_view text, unsigned style, int width) {
    if (!line_.empty() && line_.back().style == style) {
      line_.back().text.append(text);
    } else {
      line_.push_back({std::string(text), style});
    }
    used_ += width;
  }
  void trim_end() {
    while (!line_.empty()) {
      std::string& text = line_.back().text;
      text.erase(text.find_last_not_of(' ') + 1);
      if (!text.empty()) break;
      line_.pop_back();
    }
  }
  void end_line() {
    trim_end();
    lines_.push_back(std::move(line_));
    line_.clear();
    used_ = 0;
    forced_ = false;
  }

  const int width_;
  std::vector<Spans> lines_;
  Spans line_;
  int used_ = 0;
  bool forced_ = false;
};

}  // namespace

std::string safe_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    char32_t c = next_code_point(text, at);
    if (c == '\r') continue;
    if (c == '\n' || c == '\t') {
      out += static_cast<char>(c);
    } else if (c < 0x20) {
      append_utf8(out, 0x2400 + c);
    } else if (c == 0x7f) {
      append_utf8(out, 0x2421);
    } else if ((c > 0x7f && c < 0xa0) || reorders(c) || hidden(c) || c == 0x2028 || c == 0x2029) {
      append_utf8(out, 0xfffd);
    } else {
      append_utf8(out, c);
    }
  }
  return out;
}

std::string safe_line(std::string_view text) {
  std::string out = safe_text(text);
  std::replace(out.begin(), out.end(), '\n', ' ');
  std::replace(out.begin(), out.end(), '\t', ' ');
  return out;
}

int cell_width(std::string_view text) {
  int width = 0;
  for (std::size_t at = 0; at < text.size();) width += width_of(next_code_point(text, at));
  return width;
}

std::string_view cell_prefix(std::string_view text, int cells) {
  int width = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t next = at;
    width += width_of(next_code_point(text, next));
    if (width > cells) break;
    at = next;
  }
  return text.substr(0, at);
}

std::string cut_to_cells(std::string_view text, int cells) {
  if (cell_width(text) <= cells) return std::string(text);
  return std::string(cell_prefix(text, std::max(0, cells - 1))) + "…";
}

int cell_width(const Spans& spans) {
  int width = 0;
  for (const Span& span : spans) width += cell_width(span.text);
  return width;
}

std::vector<Spans> wrap(const Spans& spans, int width) {
  std::vector<Piece> pieces = pieces_of(spans);
  Wrapper wrapper(width);
  std::vector<Piece> word;
  auto end_word = [&] {
    if (!word.empty()) wrapper.add_word(word);
    word.clear();
  };
  for (const Piece& piece : pieces) {
    bool wide = !piece.space && piece.width == 2 && piece.text.size() >= 3;
    if (piece.line_end || piece.space || wide) end_word();
    if (piece.line_end) {
      wrapper.force_break();
    } else if (piece.space) {
      wrapper.add_space(piece);
    } else {
      word.push_back(piece);
      if (wide) end_word();
    }
  }
  end_word();
  return wrapper.finish();
}

std::string paint(std::string_view text, unsigned style, bool styled) {
  if (!styled || style == plain || text.empty()) return std::string(text);
  std::string codes;
  auto add = [&](unsigned bit, const char* number) {
    if (!(style & bit)) return;
    if (!codes.empty()) codes += ';';
    codes += number;
  };
  add(bold, "1");
  add(dim, "2");
  add(italic, "3");
  add(underline, "4");
  add(strike, "9");
  add(code, "36");
  add(warn, "33");
  add(bad, "31");
  return "\x1b[" + codes + "m" + std::string(text) + "\x1b[0m";
}

std::string paint(const Spans& spans, bool styled) {
  std::string out;
  for (const Span& span : spans) out += paint(span.text, span.style, styled);
  return out;
}

}  // namespace keel::ui
