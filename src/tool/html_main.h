// Which part of a page is worth reading. First what nobody sees or no reader wants is marked as
// dropped; then the part is chosen by what the page itself says (article, main, articleBody) and
// otherwise by where the paragraphs are.
//
// Pure functions on one tree; linear in its nodes.
#pragma once

#include <cstddef>

#include "tool/html_tree.h"

namespace keel::tool {

// Marks nodes as dropped and returns the node to read.
std::size_t choose_main(HtmlTree& tree);

// Bytes of text that are not dropped, white space counted once, in the whole page.
std::size_t visible_bytes(const HtmlTree& tree);

}  // namespace keel::tool
