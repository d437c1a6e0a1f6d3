// rooms: msg/dialect
// A request to Anthropic Messages of any bytes.
#include <cstdint>
#include <string>

#include "dialect.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  keel::fuzz::check_request(keel::msg::Dialect::anthropic, bytes);
  return 0;
}
