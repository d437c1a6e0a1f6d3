// How text of others is shown to a model: between two lines with a random mark, which it cannot
// guess and so cannot end its own frame.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace keel::tool {

// At most the first `most` bytes of the text of a page, and what is said where it is longer.
std::string framed(std::string_view text, std::size_t most);

}  // namespace keel::tool
