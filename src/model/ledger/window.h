// What the layers of a model with a sliding window hold of a conversation. While it is evaluated
// they hold everything; a state that was copied, to memory or to disk, holds of them only the
// window before its end. So a conversation that came back can go back only to points whose window
// is there: those at the ends of what was copied, and all that was evaluated since.
//
// Pure; not thread-safe. Counts of tokens throughout.
#pragma once

#include <cstddef>
#include <vector>

namespace keel::local {

class Window {
 public:
  // `size`: tokens before a token, itself included, that such a layer sees; 0: no layer has a
  // window, and every point can be gone back to.
  explicit Window(std::size_t size = 0) : size_(size) { clear(); }

  // An empty conversation.
  void clear() { held_.assign(1, {0, 0}); }
  // The conversation ends behind `length` tokens now; it may have been longer.
  void cut(std::size_t length);
  // A copied state of tokens [from, to) joined a conversation of `from` tokens.
  void join(std::size_t from, std::size_t to);
  // The last point at or before `point` that a conversation of `length` tokens can go back to.
  std::size_t back_to(std::size_t point, std::size_t length) const;

 private:
  struct Range {
    std::size_t from = 0;
    std::size_t to = 0;  // of the last: at least so far; what is evaluated behind it is held too
  };
  std::size_t size_ = 0;
  std::vector<Range> held_;  // in order, with gaps between them; never empty
};

}  // namespace keel::local
