// What a piece of a file is: text, or what kind of binary by its first bytes. For clear refusals,
// not for trust.
#pragma once

#include <string_view>

namespace keel::tool {

// Empty for text (UTF-8, or 8-bit text without control characters); otherwise a name such as "PDF
// document".
std::string_view binary_type(std::string_view head);

}  // namespace keel::tool
