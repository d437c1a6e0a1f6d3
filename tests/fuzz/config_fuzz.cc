// rooms: config
// A keel.toml of any bytes gives a configuration within its bounds, or problems in words.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/limits.h"
#include "base/text.h"
#include "config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = keel::config::parse(text, "/home/owner/.keel", "keel.toml");
  if (!config) {
    if (config.error().message.empty()) std::abort();
    if (!keel::is_valid_utf8(config.error().message)) std::abort();
    return 0;
  }
  if (config->agent_name.size() > keel::limits::config_name_bytes) std::abort();
  for (const auto& model : config->models) {
    if (model.name.empty() || model.name.size() > keel::limits::config_name_bytes) std::abort();
    if (model.context < 0 || model.context > keel::limits::config_context_max) std::abort();
    if (model.threads < 0 || model.threads > keel::limits::config_threads_max) std::abort();
  }
  for (const auto& folder : config->folders) {
    if (!folder.starts_with('/')) std::abort();
  }
  return 0;
}
