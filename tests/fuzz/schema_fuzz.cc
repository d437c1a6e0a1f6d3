// rooms: tool
// Two JSON texts separated by a NUL: a schema and a value. Checking ends, without recursion beyond
// its bound.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tool/registry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t border = text.find('\0');
  if (border == text.npos) return 0;
  const auto schema = keel::parse_json(text.substr(0, border));
  const auto value = keel::parse_json(text.substr(border + 1));
  if (!schema || !value) return 0;
  const auto status = keel::tool::check_schema(*schema, *value);
  if (!status && status.error().message.empty()) std::abort();
  return 0;
}
