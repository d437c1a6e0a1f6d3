// Paths and file bytes for this room. Not for others: rooms above config/ have rt/file.h.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace keel::config {

// "~" and "~/..." with the user's folder in its place.
std::string expand_home(std::string_view path);
// Expanded, made absolute against `base`, without "." and "..".
std::string absolute_path(std::string_view path, const std::string& base);
// To the end of the file; the error is a clause: "it is larger than 10 bytes".
Result<std::string> read_bytes(int fd, std::size_t max_bytes);

}  // namespace keel::config
