// Three-way merge of Markdown texts and of lists: what two sides made of the same text, put
// together. A text is compared by blocks: paragraphs, list items, headings, fenced code; a block is
// never cut. Pure functions; any bytes; time and memory are bounded (limits::merge_cells), so that
// a page of a megabyte merges in a fraction of a second.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keel::memory {

// A place where both sides changed the same blocks in different ways. Each text is what that side
// has there; one that is empty deleted the blocks.
struct Conflict {
  std::string base, ours, theirs;
  friend bool operator==(const Conflict&, const Conflict&) = default;
};

struct Merged {
  std::string text;  // where the sides conflict it holds the one that stands
  std::vector<Conflict> conflicts;
};

// Whose text stands where the sides conflict.
enum class Stands { ours, theirs };

// merge_text(b, b, t) is t, merge_text(b, o, b) is o and merge_text(b, x, x) is x, byte for byte.
// Blocks that both sides put in at the same place are all kept, ours first. Every block that a side
// wrote is in the text or in a conflict.
Merged merge_text(std::string_view base, std::string_view ours, std::string_view theirs,
                  Stands stands = Stands::ours);

// Lists that are sets in an order (tags, aliases): what either side took out goes, what either side
// put in comes, in the order of ours.
std::vector<std::string> merge_list(const std::vector<std::string>& base,
                                    const std::vector<std::string>& ours,
                                    const std::vector<std::string>& theirs);

}  // namespace keel::memory
