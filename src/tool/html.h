// A web page as readable Markdown: the article, documentation or thread that a person came for,
// without navigation, banners, scripts and what is hidden from the eye. Headings, links (absolute),
// lists, tables and code are kept.
//
// Pure function; any thread. The bytes are hostile: depth, nodes, memory and time of the parser are
// bounded (limits.h, html_*), and a page that exhausts them is read as plain text instead. Never an
// error; an empty text says there was nothing to read.
#pragma once

#include <string>
#include <string_view>

namespace keel::tool {

struct Page {
  std::string title;
  std::string markdown;       // at most limits::html_markdown_bytes
  bool truncated = false;     // there was more
  bool needs_script = false;  // next to no text, but scripts that would have made it
};

// `content_type` is the HTTP header, `address` what relative links are resolved against (empty:
// links stay text).
Page read_page(std::string_view bytes, std::string_view content_type, std::string_view address);

}  // namespace keel::tool
