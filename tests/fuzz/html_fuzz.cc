// rooms: tool
// A page of any bytes is read within its bounds and gives valid UTF-8 without control characters.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/limits.h"
#include "base/text.h"
#include "tool/html.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t line = bytes.find('\n');
  // The first line is the Content-Type, so that character sets are reached too.
  const std::string_view type = line == bytes.npos ? "" : bytes.substr(0, line);
  const keel::tool::Page page =
      keel::tool::read_page(bytes, type.size() < 100 ? type : "", "https://example.com/a/b");
  if (page.markdown.size() > keel::limits::html_markdown_bytes) std::abort();
  if (!keel::is_valid_utf8(page.markdown) || !keel::is_valid_utf8(page.title)) std::abort();
  for (const char c : page.markdown) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') std::abort();
  }
  return 0;
}
