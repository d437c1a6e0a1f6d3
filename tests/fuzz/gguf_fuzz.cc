// rooms: model/local
// The head of a model file of any bytes, whole or cut off, is refused in words or described within
// bounds.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/limits.h"
#include "model/local/gguf_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view head(reinterpret_cast<const char*>(data), size);
  for (const std::uint64_t file_bytes : {std::uint64_t{size}, std::uint64_t{size} + (1u << 30)}) {
    const auto info = keel::local::check_gguf_bytes(head, file_bytes, "m.gguf");
    if (!info) {
      if (info.error().message.empty()) std::abort();
      continue;
    }
    if (info->architecture.empty() || info->tensors > keel::limits::gguf_tensors) std::abort();
    if (info->file_bytes != file_bytes) std::abort();
  }
  return 0;
}
