// rooms: msg/dialect
// An answer or an error of any bytes, in every dialect.
#include <cstdint>
#include <string>

#include "dialect.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  keel::fuzz::check_answer(bytes);
  return 0;
}
