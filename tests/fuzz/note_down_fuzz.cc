// rooms: memory/writing
//
// Whatever a model answers, and whatever the owner said: a page quotes words of the message, and
// fits its bounds. The first line is the message, the rest the answer.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.h"
#include "memory/draft.h"
#include "memory/writing/extraction.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find('\n');
  const std::string_view message = text.substr(0, end);
  const std::string_view answer = end == text.npos ? "" : text.substr(end + 1);
  (void)keel::memory::may_hold_more(message);
  for (const auto& page : keel::memory::pages_found(answer, message)) {
    if (keel::to_valid_utf8(message).find(page.source_quote) == std::string::npos) std::abort();
    if (page.origin != "owner" || page.pinned || !keel::memory::make_draft(page)) std::abort();
  }
  return 0;
}
