// Small text helpers on UTF-8 byte strings. None of them throws; offsets and sizes are bytes unless
// named otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string replace_all(std::string text, std::string_view from, std::string_view to);

// ASCII only: bytes above 0x7f are left alone.
std::string ascii_lower(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);

bool is_valid_utf8(std::string_view bytes);
// Replaces each byte that is not part of valid UTF-8, and NUL, by U+FFFD.
std::string to_valid_utf8(std::string_view bytes);
// The longest prefix of at most max_bytes that does not cut a code point.
std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes);
// How many bytes at the end are the start of an unfinished code point (0 to 3): hold them back when
// streaming.
std::size_t utf8_incomplete_suffix(std::string_view bytes);
// Reads one code point at `offset` and moves past it; U+FFFD and one byte for what is not valid.
char32_t next_code_point(std::string_view text, std::size_t& offset);
void append_utf8(std::string& out, char32_t code_point);
// Unicode NFKC with case folding: the form in which words are compared.
std::string fold_case(std::string_view text);

// At most max_bytes, cut at a code point, with "…" where something was left out.
std::string shorten(std::string_view text, std::size_t max_bytes);
// Whether there is a control character, line ends and tabs included.
bool has_control(std::string_view text);
// One line for logs and errors: control characters as \xNN, shortened.
std::string printable(std::string_view text, std::size_t max_bytes = 120);
// The closest of `candidates` by edit distance, empty if none is near: for "did you mean".
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);
// "1.1 GB", decimal units.
std::string bytes_text(std::uint64_t bytes);

}  // namespace keel
