// rooms: gateway
// A frame between keel chat and the daemon is refused in words, or is a value that reads back the
// same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/protocol.h"

namespace {

template <class T>
void check(const keel::Result<T>& value, keel::Result<T> (*decode)(std::string_view)) {
  if (!value) {
    if (value.error().message.empty()) std::abort();
    return;
  }
  const std::string frame = keel::gateway::encode(*value);
  const auto again = decode(frame);
  if (!again || keel::gateway::encode(*again) != frame) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  check(keel::gateway::decode_greeting(frame), keel::gateway::decode_greeting);
  check(keel::gateway::decode_request(frame), keel::gateway::decode_request);
  check(keel::gateway::decode_reply(frame), keel::gateway::decode_reply);
  return 0;
}
