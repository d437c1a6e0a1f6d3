// rooms: model/local
// A frame between agent and engine is refused in words, or is a value that reads back the same.
#include <cstdint>
#include <string_view>

#include "frame.h"
#include "model/local/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  keel::fuzz::check_frame(frame, keel::local::decode_request);
  keel::fuzz::check_frame(frame, keel::local::decode_event);
  return 0;
}
