// rooms: msg/dialect
// A request to OpenAI Chat Completions of any bytes.
#include <cstdint>
#include <string>

#include "dialect.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  keel::fuzz::check_request(keel::msg::Dialect::chat, bytes);
  return 0;
}
