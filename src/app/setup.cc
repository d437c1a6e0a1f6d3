#include "app/setup.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "log/log.h"
#include "rt/file.h"

namespace keel::app {

Result<config::Config> load_config() {
  std::string home = TRY(config::home_folder());
  return config::load(home);
}

Result<config::Config> need_config() {
  config::Config config = TRY(load_config());
  if (config.exists) return config;
  std::vector<std::string> models = models_in(config.home);
  std::string model = models.empty() ? "FILE.gguf" : models.front();
  return fail(Code::config, fmt::format("keel is not set up yet: there is no {}", config.path),
              fmt::format("Run: keel init --model {}\nWithout a model file at hand: keel model "
                          "list --available shows "
                          "what fits this machine, keel model pull NAME fetches it.",
                          model));
}

Status open_home(const config::Config& config) {
  TRY(rt::make_folder(config.home));
  TRY(rt::make_folder(config.home + "/logs"));
  log::Options options;
  options.path = config.home + "/logs/keel.log";
  options.level = TRY(log::level_from_name(config.log_level));
  return log::open(options);
}

namespace {

constexpr std::string_view serves_mark = " serve";

// What the process that took the lock wrote into its file: its number, and whether it serves.
std::string lock_words(const config::Config& config) {
  constexpr std::size_t words_bytes = 64;
  Result<std::string> words = rt::read_file(config.lock_path(), words_bytes);
  return words ? std::string(trim(*words)) : std::string();
}

}  // namespace

std::string serving_process(const config::Config& config) {
  std::string words = lock_words(config);
  if (!words.ends_with(serves_mark)) return {};
  words.resize(words.size() - serves_mark.size());
  return words;
}

Result<rt::Fd> lock_home(const config::Config& config, bool serves) {
  Result<rt::Fd> lock = rt::lock_file(config.lock_path());
  if (lock) {
    // For the messages of others; the lock itself does not depend on it.
    std::string process =
        std::to_string(::getpid()) + std::string(serves ? serves_mark : "") + "\n";
    if (::ftruncate(lock->get(), 0) != 0 ||
        ::pwrite(lock->get(), process.data(), process.size(), 0) < 0) {
      log::debug("app", "the lock file could not be written");
    }
    return lock;
  }
  if (lock.error().code != Code::busy) return lock;
  std::string holder = "another keel";
  std::string number = lock_words(config);
  number.resize(std::min(number.size(), number.find(' ')));
  if (!number.empty()) holder += " (process " + printable(number) + ")";
  return fail(Code::busy, fmt::format("{} is working with {}", holder, config.home),
              "End it first. To talk from several terminals, start keel serve once: every keel "
              "chat joins it.");
}

std::vector<std::string> models_in(const std::string& home) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(home + "/models", error)) {
    if (entry.path().extension() == ".gguf" && entry.is_regular_file(error))
      found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace keel::app
