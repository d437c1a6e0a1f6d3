// rooms: model
// A script of any bytes is a model, or is refused in words that name the line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/script.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto model = keel::model::ScriptModel::from_text({"script", "script.jsonl", 0}, text);
  if (!model && model.error().message.empty()) std::abort();
  return 0;
}
