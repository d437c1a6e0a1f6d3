#include "log/log.h"

#include <fcntl.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>

#include "base/limits.h"
#include "base/text.h"
#include "log/redact.h"
#include "rt/fd.h"
#include "rt/file.h"

namespace keel::log {
namespace {

constexpr std::array<std::string_view, 5> level_names{"debug", "info", "warn", "error", "off"};

spdlog::level::level_enum spd_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
    case Level::off:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

std::shared_ptr<spdlog::logger> make_logger(std::vector<spdlog::sink_ptr> sinks) {
  auto logger = std::make_shared<spdlog::logger>("keel", sinks.begin(), sinks.end());
  // What write() lets through is for the sinks to sort; each line reaches the kernel at once and so
  // survives kill -9.
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  // A log that cannot be written (disk full) must not take keel down, nor fill the terminal.
  logger->set_error_handler([](const std::string& message) {
    static std::atomic<bool> said{false};
    if (!said.exchange(true))
      std::fprintf(stderr, "keel: the log cannot be written: %s\n", message.c_str());
  });
  return logger;
}

spdlog::sink_ptr stderr_sink() {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  sink->set_level(spdlog::level::warn);
  return sink;
}

struct Global {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> logger = make_logger({stderr_sink()});
  Redactor redactor;
};

// Never destroyed: threads may log while the program ends.
Global& global() {
  static Global* instance = std::make_unique<Global>().release();
  return *instance;
}

std::atomic<Level> lowest{Level::warn};

// fopen() would make the file readable by others where the umask allows it.
void make_private(const std::string& path) {
  rt::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file) ::fchmod(file.get(), 0600);
}

Status check_place(const std::string& path) {
  std::size_t slash = path.rfind('/');
  if (slash != std::string::npos && slash != 0) TRY(rt::make_folder(path.substr(0, slash)));
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return fail(Code::io, "the log cannot be written: " + path + " is not a regular file",
                "Move it away.");
  }
  return {};
}

}  // namespace

Status open(const Options& options) {
  std::vector<spdlog::sink_ptr> sinks;
  if (options.to_stderr) sinks.push_back(stderr_sink());
  if (!options.path.empty()) {
    TRY(check_place(options.path));
    spdlog::file_event_handlers handlers;
    handlers.before_open = make_private;
    try {
      sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
          options.path, limits::log_file_bytes, limits::log_files, false, handlers));
    } catch (const std::exception& exception) {
      return fail(Code::io, fmt::format("the log cannot be written: {}", exception.what()),
                  "Check the folder's permissions and the free space.");
    }
  }
  auto logger = make_logger(std::move(sinks));
  std::lock_guard lock(global().mutex);
  global().logger = std::move(logger);
  lowest = options.level;
  return {};
}

void close() {
  auto logger = make_logger({stderr_sink()});
  std::lock_guard lock(global().mutex);
  global().logger = std::move(logger);
  lowest = Level::warn;
}

Result<Level> level_from_name(std::string_view name) {
  for (std::size_t i = 0; i < level_names.size(); ++i) {
    if (name == level_names[i]) return static_cast<Level>(i);
  }
  return fail(Code::invalid_argument, fmt::format("'{}' is not a log level", printable(name)),
              "It can be debug, info, warn, error or off.");
}

bool enabled(Level level) {
  return level != Level::off && level >= lowest.load(std::memory_order_relaxed);
}

void add_secret(std::string_view secret) {
  global().redactor.add(secret);
}

std::string redact(std::string_view text) {
  return global().redactor.apply(text);
}

void write(Level level, std::string_view room, std::string_view line) {
  if (!enabled(level)) return;
  // Redacted first: escaping or cutting could leave a part of a secret that is no longer found.
  std::string clean = escape_line(redact(line), limits::log_line_bytes);
  std::string clean_room = escape_line(redact(room), limits::log_room_bytes);
  std::shared_ptr<spdlog::logger> logger;
  {
    std::lock_guard lock(global().mutex);
    logger = global().logger;
  }
  logger->log(spd_level(level), "{}: {}", clean_room, clean);
}

}  // namespace keel::log
