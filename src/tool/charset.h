// Bytes from outside as clean UTF-8. For a page the order is that of the web: byte order mark, HTTP
// header, <meta>, valid UTF-8, and windows-1252 as the last resort. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

namespace keel::tool {

// The bytes of a page as valid UTF-8, whatever they were. `content_type` is the HTTP header's
// value, or empty. `look_for_meta` is for HTML.
std::string decode_page(std::string_view bytes, std::string_view content_type, bool look_for_meta);

std::string decode_windows_1252(std::string_view bytes);

// Takes out what a reader cannot see but a model would read: control characters, zero-width
// characters, direction overrides, tag characters, variation selectors, soft hyphens. Line ends
// become \n. Joiners stay, one at a time, because several scripts and emoji need them.
std::string clean_text(std::string_view utf8);

// The parameter of a Content-Type: charset_of("text/html; Charset=\"UTF-8\"") is "utf-8". Empty if
// there is none.
std::string charset_of(std::string_view content_type);
// "text/html" in lower case.
std::string media_type_of(std::string_view content_type);

}  // namespace keel::tool
