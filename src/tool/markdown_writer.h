// Puts Markdown together: collapses white space, keeps exactly the asked-for blank lines, and
// starts each line with the prefixes of the quotes and list items it lies in. Stops taking text at
// its limit.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keel::tool {

class MarkdownWriter {
 public:
  explicit MarkdownWriter(std::size_t limit) : limit_(limit) {}

  // Flowing text; white space of any kind and amount becomes one space.
  void text(std::string_view text);
  // As it is, on the current line; no line ends inside.
  void raw(std::string_view text);
  // Whole lines as they are (code).
  void lines(std::string_view text);
  // The next text begins on a new line, or after a blank one.
  void new_line() { want_newlines(1); }
  void new_paragraph() { want_newlines(2); }

  // All lines until pop() begin with `rest`, the first one with `first`.
  void push(std::string first, std::string rest);
  void pop();

  bool full() const { return full_; }
  std::string take();

 private:
  struct Prefix {
    std::string first;
    std::string rest;
    bool used = false;
  };
  void want_newlines(int count);
  void begin_text();
  void append(std::string_view bytes);

  std::string out_;
  std::vector<Prefix> prefixes_;
  std::size_t limit_;
  int newlines_ = 0;
  bool space_ = false;
  bool at_start_ = true;
  bool full_ = false;
};

}  // namespace keel::tool
