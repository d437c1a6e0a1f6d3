// rooms: model/local
// A frame between agent and engine is refused in words, or is a value that reads back the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/local/protocol.h"

namespace {

template <class T>
void check(const keel::Result<T>& value, keel::Result<T> (*decode)(std::string_view)) {
  if (!value) {
    if (value.error().message.empty()) std::abort();
    return;
  }
  const std::string frame = keel::local::encode(*value);
  const auto again = decode(frame);
  if (!again || keel::local::encode(*again) != frame) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  check(keel::local::decode_request(frame), keel::local::decode_request);
  check(keel::local::decode_event(frame), keel::local::decode_event);
  return 0;
}
