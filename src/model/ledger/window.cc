#include "model/ledger/window.h"

#include <algorithm>

namespace keel::local {

void Window::cut(std::size_t length) {
  while (held_.size() > 1 && held_.back().from >= length) held_.pop_back();
  Range& last = held_.back();
  last.from = std::min(last.from, length);
  last.to = std::min(last.to, length);
}

void Window::join(std::size_t from, std::size_t to) {
  if (to <= from) return;
  const std::size_t begin = size_ == 0 ? from : std::max(from, to - std::min(size_, to));
  Range& last = held_.back();
  last.to = std::max(last.to, from);
  if (begin == from)
    last.to = to;
  else if (last.from == last.to)
    last = {begin, to};
  else
    held_.push_back({begin, to});
}

std::size_t Window::back_to(std::size_t point, std::size_t length) const {
  point = std::min(point, length);
  if (size_ == 0) return point;
  std::size_t best = 0;
  for (const Range& range : held_) {
    const std::size_t to = &range == &held_.back() ? std::max(range.to, length) : range.to;
    // What comes next sees size - 1 tokens before itself.
    const std::size_t least = range.from == 0 ? 0 : range.from + size_ - 1;
    const std::size_t reached = std::min(point, to);
    if (reached >= least) best = std::max(best, reached);
  }
  return best;
}

}  // namespace keel::local
