// The log: one line an event to KEEL_HOME/logs/keel.log (0600, rotated), warnings and errors also
// to stderr when asked. Every line passes one sink that replaces registered secrets (exact, base64,
// hex and URL-encoded forms) by "[redacted]" and escapes control characters, so that no caller can
// forget to. Thread-safe. Before open() lines of level warn and above go to stderr.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace keel::log {

enum class Level { debug, info, warn, error, off };

struct Options {
  std::string path;  // empty: no file
  Level level = Level::info;
  bool to_stderr = false;
};

Status open(const Options& options);
void close();
Result<Level> level_from_name(std::string_view name);
bool enabled(Level level);

// From now on the secret never appears in a line. Shorter than 6 bytes is ignored (it would redact
// ordinary words).
void add_secret(std::string_view secret);
std::string redact(std::string_view text);

void write(Level level, std::string_view room, std::string_view line);

template <class... Args>
void info(std::string_view room, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info))
    write(Level::info, room, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(std::string_view room, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::warn))
    write(Level::warn, room, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(std::string_view room, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::error))
    write(Level::error, room, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(std::string_view room, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug))
    write(Level::debug, room, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace keel::log
