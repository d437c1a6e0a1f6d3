// rooms: memory/notion
// Whatever stands in a page or comes from Notion: a text that nobody changed keeps its bytes, the
// form that is sent is one that stays, and what is read is valid again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "memory/notion/flavor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keel::memory::notion;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view local = text.substr(0, text.find('\0'));
  const std::string there = to_notion(local);
  if (to_notion(there) != there) std::abort();
  if (!read_markdown(there, local, {}, {}).same) std::abort();
  if (local.size() < text.size()) {
    const std::string_view theirs = text.substr(local.size() + 1);
    const Reading reading = read_markdown(theirs, local, {}, std::vector<bool>(3, true));
    if (reading.marks.size() != units_of(local).size()) std::abort();
  }
  return 0;
}
