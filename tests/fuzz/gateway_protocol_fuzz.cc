// rooms: gateway
// A frame between keel chat and the daemon is refused in words, or is a value that reads back the
// same.
#include <cstdint>
#include <string_view>

#include "frame.h"
#include "gateway/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  keel::fuzz::check_frame(frame, keel::gateway::decode_greeting);
  keel::fuzz::check_frame(frame, keel::gateway::decode_request);
  keel::fuzz::check_frame(frame, keel::gateway::decode_reply);
  return 0;
}
