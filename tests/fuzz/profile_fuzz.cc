// rooms: model/local
// A profile.json of any bytes is never more than "not measured": it gives settings whose numbers an
// engine can be started with, or an error in words. KEY in the text is the model's own key.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/text.h"
#include "model/local/tune.h"
#include "rt/file.h"

namespace {

struct Home {
  Home() {
    std::string name = (std::filesystem::temp_directory_path() / "keel-fuzz-XXXXXX").string();
    KEEL_ASSERT(::mkdtemp(name.data()) != nullptr);
    folder = name;
    MUST(keel::rt::write_file(model(), "model"));
  }
  ~Home() {
    std::error_code error;
    std::filesystem::remove_all(folder, error);
  }
  std::string model() const { return folder + "/m.gguf"; }
  std::string folder;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Home home;
  static const std::string key = keel::local::profile_key(home.model(), "machine");
  const std::string text(reinterpret_cast<const char*>(data), size);
  MUST(keel::rt::write_file(home.folder + "/profile.json", keel::replace_all(text, "KEY", key)));
  const auto settings = keel::local::kept_settings(home.folder, home.model(), "machine");
  if (!settings) {
    if (settings.error().message.empty()) std::abort();
    return 0;
  }
  if (settings->threads < 0 || settings->threads > keel::limits::config_threads_max) std::abort();
  if (settings->batch < 0 || settings->batch > keel::limits::engine_batch_max) std::abort();
  return 0;
}
