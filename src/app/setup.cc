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

Result<rt::Fd> lock_home(const config::Config& config) {
  Result<rt::Fd> lock = rt::lock_file(config.lock_path());
  if (lock) {
    // For people and for the message below; the lock itself does not depend on it.
    std::string process = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock->get(), 0) != 0 ||
        ::pwrite(lock->get(), process.data(), process.size(), 0) < 0) {
      log::debug("app", "the lock file could not be written");
    }
    return lock;
  }
  if (lock.error().code != Code::busy) return lock;
  std::string holder = "another keel";
  constexpr std::size_t digits_bytes = 64;
  if (Result<std::string> process = rt::read_file(config.lock_path(), digits_bytes)) {
    std::string number(trim(*process));
    if (!number.empty()) holder += " (process " + printable(number) + ")";
  }
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
