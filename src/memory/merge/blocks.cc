#include "memory/merge/blocks.h"

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "base/limits.h"

namespace keel::memory {
namespace {

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string_view without_indent(std::string_view line) {
  const std::size_t at = line.find_first_not_of(" \t");
  return at == std::string_view::npos ? std::string_view() : line.substr(at);
}

bool starts_item(std::string_view line) {
  line = without_indent(line);
  if (line.size() >= 2 && (line[0] == '-' || line[0] == '*' || line[0] == '+'))
    return line[1] == ' ' || line[1] == '\t';
  std::size_t digits = 0;
  while (digits < line.size() && line[digits] >= '0' && line[digits] <= '9') ++digits;
  return digits > 0 && digits < 10 && digits + 1 < line.size() &&
         (line[digits] == '.' || line[digits] == ')') && line[digits + 1] == ' ';
}

bool is_heading(std::string_view line) {
  const std::size_t marks = std::min(line.find_first_not_of('#'), line.size());
  return marks >= 1 && marks <= 6 && (marks == line.size() || line[marks] == ' ');
}

// The fence that a line opens, such as ``` or ~~~~; empty if none.
std::string_view fence_of(std::string_view line) {
  line = without_indent(line);
  if (line.empty() || (line[0] != '`' && line[0] != '~')) return {};
  const std::size_t marks = std::min(line.find_first_not_of(line[0]), line.size());
  return marks >= 3 ? line.substr(0, marks) : std::string_view();
}

bool closes(std::string_view line, std::string_view fence) {
  const std::string_view mark = fence_of(line);
  return mark.size() >= fence.size() && mark[0] == fence[0] &&
         is_blank(without_indent(line).substr(mark.size()));
}

std::size_t line_end(std::string_view text, std::size_t at) {
  const std::size_t end = text.find('\n', at);
  return end == std::string_view::npos ? text.size() : end + 1;
}

// Where the block that begins at `at` ends, its last line end included.
std::size_t block_end(std::string_view text, std::size_t at) {
  std::size_t end = line_end(text, at);
  const std::string_view first = text.substr(at, end - at);
  const std::string_view fence = fence_of(first);
  if (!fence.empty()) {
    while (end < text.size()) {
      const std::size_t begin = std::exchange(end, line_end(text, end));
      if (closes(text.substr(begin, end - begin), fence)) break;
    }
    return end;
  }
  if (is_heading(first)) return end;
  while (end < text.size()) {
    const std::size_t next = line_end(text, end);
    const std::string_view line = text.substr(end, next - end);
    if (is_blank(line) || starts_item(line) || is_heading(line) || !fence_of(line).empty()) break;
    end = next;
  }
  return end;
}

using Ids = std::vector<std::uint32_t>;

class Differ {
 public:
  Differ(const std::vector<Block>& base, const std::vector<Block>& other)
      : base_(ids_of(base)), other_(ids_of(other)) {}

  std::vector<Hunk> run() {
    compare({0, base_.size(), 0, other_.size()});
    return std::move(hunks_);
  }

 private:
  Ids ids_of(const std::vector<Block>& blocks) {
    Ids ids;
    ids.reserve(blocks.size());
    for (const Block& block : blocks)
      ids.push_back(
          names_.try_emplace(block.text, static_cast<std::uint32_t>(names_.size())).first->second);
    return ids;
  }

  void compare(Hunk range) {
    while (range.from < range.to && range.new_from < range.new_to &&
           base_[range.from] == other_[range.new_from])
      ++range.from, ++range.new_from;
    while (range.from < range.to && range.new_from < range.new_to &&
           base_[range.to - 1] == other_[range.new_to - 1])
      --range.to, --range.new_to;
    const std::size_t rows = range.to - range.from, columns = range.new_to - range.new_from;
    if (rows == 0 && columns == 0) return;
    if (rows == 0 || columns == 0) return found(range);
    if (rows * columns <= limits::merge_cells) return compare_exactly(range);
    compare_by_anchors(range);
  }

  // The longest common subsequence.
  void compare_exactly(const Hunk& range) {
    const std::size_t rows = range.to - range.from, columns = range.new_to - range.new_from;
    const std::size_t width = columns + 1;
    std::vector<std::uint32_t> longest((rows + 1) * width, 0);
    const auto at = [&](std::size_t i, std::size_t j) -> std::uint32_t& {
      return longest[i * width + j];
    };
    for (std::size_t i = rows; i-- > 0;)
      for (std::size_t j = columns; j-- > 0;)
        at(i, j) = base_[range.from + i] == other_[range.new_from + j]
                       ? at(i + 1, j + 1) + 1
                       : std::max(at(i + 1, j), at(i, j + 1));
    std::size_t i = 0, j = 0;
    Hunk hunk{range.from, range.from, range.new_from, range.new_from};
    while (i < rows && j < columns) {
      if (base_[range.from + i] == other_[range.new_from + j]) {
        found(hunk);
        ++i, ++j;
        hunk = {range.from + i, range.from + i, range.new_from + j, range.new_from + j};
      } else if (at(i + 1, j) >= at(i, j + 1)) {
        hunk.to = range.from + ++i;
      } else {
        hunk.new_to = range.new_from + ++j;
      }
    }
    hunk.to = range.to;
    hunk.new_to = range.new_to;
    found(hunk);
  }

  // Too much for every pair: blocks that are there exactly once on both sides, the longest run of
  // them in the same order, hold the sides together; what lies between is compared by itself.
  void compare_by_anchors(const Hunk& range) {
    struct Seen {
      std::size_t at = 0, in_base = 0, in_other = 0;
    };
    std::unordered_map<std::uint32_t, Seen> seen;
    for (std::size_t i = range.from; i < range.to; ++i) {
      Seen& one = seen[base_[i]];
      one.at = i;
      one.in_base += 1;
    }
    for (std::size_t j = range.new_from; j < range.new_to; ++j) {
      const auto one = seen.find(other_[j]);
      if (one != seen.end()) one->second.in_other += 1;
    }
    struct Anchor {
      std::size_t at, new_at, before;
    };
    constexpr std::size_t none = static_cast<std::size_t>(-1);
    std::vector<Anchor> anchors;
    std::vector<std::size_t> ends;  // by length of the run, the anchor that ends the lowest
    for (std::size_t j = range.new_from; j < range.new_to; ++j) {
      const auto one = seen.find(other_[j]);
      if (one == seen.end() || one->second.in_base != 1 || one->second.in_other != 1) continue;
      const auto place = std::lower_bound(
          ends.begin(), ends.end(), one->second.at,
          [&](std::size_t anchor, std::size_t value) { return anchors[anchor].at < value; });
      anchors.push_back({one->second.at, j, place == ends.begin() ? none : *(place - 1)});
      if (place == ends.end())
        ends.push_back(anchors.size() - 1);
      else
        *place = anchors.size() - 1;
    }
    if (ends.empty()) return found(range);
    std::vector<Anchor> run;
    for (std::size_t i = ends.back(); i != none; i = anchors[i].before) run.push_back(anchors[i]);
    std::reverse(run.begin(), run.end());
    Hunk between = range;
    for (const Anchor& anchor : run) {
      between.to = anchor.at;
      between.new_to = anchor.new_at;
      compare(between);
      between.from = anchor.at + 1;
      between.new_from = anchor.new_at + 1;
    }
    between.to = range.to;
    between.new_to = range.new_to;
    compare(between);
  }

  void found(const Hunk& hunk) {
    const std::size_t removed = hunk.to - hunk.from, added = hunk.new_to - hunk.new_from;
    if (removed == 0 && added == 0) return;
    if (removed != added) {
      hunks_.push_back(hunk);
      return;
    }
    for (std::size_t i = 0; i < removed; ++i)
      hunks_.push_back(
          {hunk.from + i, hunk.from + i + 1, hunk.new_from + i, hunk.new_from + i + 1});
  }

  std::unordered_map<std::string_view, std::uint32_t> names_;
  Ids base_, other_;
  std::vector<Hunk> hunks_;
};

}  // namespace

Blocks blocks_of(std::string_view text) {
  Blocks out;
  std::size_t gap = 0, at = 0;
  while (at < text.size()) {
    const std::size_t next = line_end(text, at);
    if (is_blank(text.substr(at, next - at))) {
      at = next;
      continue;
    }
    const std::size_t end = block_end(text, at);
    std::string_view block = text.substr(at, end - at);
    while (!block.empty() && (block.back() == '\n' || block.back() == '\r')) block.remove_suffix(1);
    out.blocks.push_back({text.substr(gap, at - gap), block});
    gap = at + block.size();
    at = end;
  }
  out.tail = text.substr(gap);
  return out;
}

std::vector<Hunk> hunks_of(const std::vector<Block>& base, const std::vector<Block>& other) {
  return Differ(base, other).run();
}

}  // namespace keel::memory
