// A Markdown text as blocks, and what one list of blocks has that another has not.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace keel::memory {

struct Block {
  std::string_view gap;   // the line ends before it, as they stood; empty before the first
  std::string_view text;  // without line ends around it
};
struct Blocks {
  std::vector<Block> blocks;
  std::string_view tail;  // white space after the last
};
// Joined again (gap, text, gap, text ..., tail) they are the text, byte for byte.
Blocks blocks_of(std::string_view text);

// Blocks [from, to) of the base are [new_from, new_to) of the other text; each range may be empty.
struct Hunk {
  std::size_t from = 0, to = 0, new_from = 0, new_to = 0;
};
// In order, not touching each other, except that a run of as many blocks as there were before is
// one hunk a block. Blocks are equal if their texts are.
std::vector<Hunk> hunks_of(const std::vector<Block>& base, const std::vector<Block>& other);

}  // namespace keel::memory
