// Identifiers. A ULID is 26 characters of Crockford base32: 48 bits of wall time in ms, 80 random
// bits; ids made by one process in the same millisecond still sort in the order they were made
// (https://github.com/ulid/spec).
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"

namespace keel {

// Thread-safe.
std::string make_ulid(WallMs now_ms);
bool is_ulid(std::string_view text);
// `bytes` bytes from the operating system's random source, as lower-case hex.
std::string random_hex(std::size_t bytes);

}  // namespace keel
