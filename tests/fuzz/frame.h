// What every frame decoder promises: any bytes are refused in words, or are a value that reads back
// the same. encode() is found beside the value's type.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>

#include "base/result.h"

namespace keel::fuzz {

template <class T>
void check_frame(std::string_view bytes, Result<T> (*decode)(std::string_view)) {
  const Result<T> value = decode(bytes);
  if (!value) {
    if (value.error().message.empty()) std::abort();
    return;
  }
  const std::string frame = encode(*value);
  const auto again = decode(frame);
  if (!again || encode(*again) != frame) std::abort();
}

}  // namespace keel::fuzz
