// A part of a page as Markdown. Recursion follows the tree, whose depth is bounded by
// limits::html_depth.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tool/html_tree.h"

namespace keel::tool {

struct Markdown {
  std::string text;
  bool truncated = false;
};

// `base`: the address that relative links belong to; empty: links become plain text.
Markdown to_markdown(const HtmlTree& tree, std::size_t node, std::string_view base);

// The text of a subtree on one line.
std::string one_line(const HtmlTree& tree, std::size_t node);

}  // namespace keel::tool
