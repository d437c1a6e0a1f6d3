// rooms: tool
// Any text is either a number that can be shown or an error with a message.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tool/arithmetic.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto result = keel::tool::evaluate({reinterpret_cast<const char*>(data), size});
  if (result ? result->text().empty() : result.error().message.empty()) std::abort();
  return 0;
}
