#include "memory/merge/merge.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "memory/merge/blocks.h"

namespace keel::memory {
namespace {

using Span = std::vector<Block>;

Span slice(const Span& blocks, std::size_t from, std::size_t to) {
  return {blocks.begin() + static_cast<std::ptrdiff_t>(from),
          blocks.begin() + static_cast<std::ptrdiff_t>(to)};
}

bool same(const Span& a, const Span& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Block& x, const Block& y) { return x.text == y.text; });
}

void append(std::string& out, const Block& block) {
  if (!out.empty()) {
    // A block that came first in its text has no gap of its own.
    out += block.gap.find('\n') == std::string_view::npos ? std::string_view("\n\n") : block.gap;
  }
  out += block.text;
}

std::string text_of_span(const Span& blocks) {
  std::string out;
  for (const Block& block : blocks) append(out, block);
  return out;
}

// One side's walk through its hunks.
struct Side {
  const Span& blocks;
  std::vector<Hunk> hunks;
  std::size_t next = 0;      // hunk
  std::ptrdiff_t shift = 0;  // position in the side minus position in the base, outside of hunks

  bool done() const { return next == hunks.size(); }
  const Hunk& hunk() const { return hunks[next]; }
  // Takes all hunks that overlap base [from, to) and widens it; what the side has there.
  bool take(std::size_t from, std::size_t& to, bool& any) {
    bool grew = false;
    while (!done() && overlaps(hunk(), from, to)) {
      if (hunk().to > to) to = hunk().to, grew = true;
      shift = static_cast<std::ptrdiff_t>(hunk().new_to) - static_cast<std::ptrdiff_t>(hunk().to);
      any = true;
      ++next;
    }
    return grew;
  }
  static bool overlaps(const Hunk& hunk, std::size_t from, std::size_t to) {
    if (from == to) return hunk.from == from && hunk.to == to;
    if (hunk.from == hunk.to) return from < hunk.from && hunk.from < to;
    return hunk.from < to;
  }
  std::size_t at(std::size_t base, std::ptrdiff_t by) const {
    return static_cast<std::size_t>(static_cast<std::ptrdiff_t>(base) + by);
  }
};

class Merger {
 public:
  Merger(const Blocks& base, const Blocks& ours, const Blocks& theirs, Stands stands)
      : base_(base.blocks),
        ours_{ours.blocks, hunks_of(base.blocks, ours.blocks)},
        theirs_{theirs.blocks, hunks_of(base.blocks, theirs.blocks)},
        stands_(stands) {}

  Merged run() {
    while (!ours_.done() || !theirs_.done()) {
      const Hunk& first = earlier();
      keep_until(first.from);
      const std::size_t from = first.from;
      std::size_t to = first.to;
      const std::ptrdiff_t our_shift = ours_.shift, their_shift = theirs_.shift;
      bool by_us = false, by_them = false;
      // Each side may draw in more of the other.
      bool more = true;
      while (more) {
        more = ours_.take(from, to, by_us);
        more = theirs_.take(from, to, by_them) || more;
      }
      const Span base = slice(base_, from, to);
      const Span ours = slice(ours_.blocks, ours_.at(from, our_shift), ours_.at(to, ours_.shift));
      const Span theirs =
          slice(theirs_.blocks, theirs_.at(from, their_shift), theirs_.at(to, theirs_.shift));
      settle(base, by_us ? ours : base, by_them ? theirs : base);
      at_ = to;
    }
    keep_until(base_.size());
    return {std::move(text_), std::move(conflicts_)};
  }

 private:
  // The hunk that comes next in the base; an insertion goes before a change at the same place.
  const Hunk& earlier() const {
    if (theirs_.done()) return ours_.hunk();
    if (ours_.done()) return theirs_.hunk();
    const Hunk &a = ours_.hunk(), &b = theirs_.hunk();
    if (a.from != b.from) return a.from < b.from ? a : b;
    return a.to <= b.to ? a : b;
  }

  // Neither side changed these; the gaps are ours.
  void keep_until(std::size_t to) {
    for (; at_ < to; ++at_) append(text_, ours_.blocks[ours_.at(at_, ours_.shift)]);
  }

  void write(const Span& blocks) {
    for (const Block& block : blocks) append(text_, block);
  }

  void settle(const Span& base, const Span& ours, const Span& theirs) {
    if (same(ours, theirs) || same(theirs, base)) return write(ours);
    if (same(ours, base)) return write(theirs);
    if (base.empty()) {
      write(ours);
      std::unordered_set<std::string_view> there;
      for (const Block& block : ours) there.insert(block.text);
      for (const Block& block : theirs)
        if (!there.contains(block.text)) append(text_, block);
      return;
    }
    conflicts_.push_back({text_of_span(base), text_of_span(ours), text_of_span(theirs)});
    write(stands_ == Stands::ours ? ours : theirs);
  }

  const Span& base_;
  Side ours_, theirs_;
  Stands stands_;
  std::size_t at_ = 0;  // in the base
  std::string text_;
  std::vector<Conflict> conflicts_;
};

}  // namespace

Merged merge_text(std::string_view base, std::string_view ours, std::string_view theirs,
                  Stands stands) {
  if (ours == theirs || theirs == base) return {std::string(ours), {}};
  if (ours == base) return {std::string(theirs), {}};
  const Blocks in_base = blocks_of(base), in_ours = blocks_of(ours), in_theirs = blocks_of(theirs);
  Merged merged = Merger(in_base, in_ours, in_theirs, stands).run();
  if (!merged.text.empty()) merged.text += in_ours.tail;
  return merged;
}

std::vector<std::string> merge_list(const std::vector<std::string>& base,
                                    const std::vector<std::string>& ours,
                                    const std::vector<std::string>& theirs) {
  using Set = std::unordered_set<std::string_view>;
  const Set in_base(base.begin(), base.end());
  const Set in_ours(ours.begin(), ours.end());
  const Set in_theirs(theirs.begin(), theirs.end());
  std::vector<std::string> merged;
  for (const std::string& one : ours)
    if (in_theirs.contains(one) || !in_base.contains(one)) merged.push_back(one);
  for (const std::string& one : theirs)
    if (!in_ours.contains(one) && !in_base.contains(one)) merged.push_back(one);
  return merged;
}

}  // namespace keel::memory
