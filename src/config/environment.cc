#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/limits.h"
#include "base/text.h"
#include "config/config.h"
#include "config/path.h"
#include "log/log.h"

namespace keel::config {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string user_folder() {
  std::string home = environment("HOME");
  if (!home.empty()) return home;
  const passwd* user = ::getpwuid(::geteuid());
  return user == nullptr || user->pw_dir == nullptr ? std::string() : user->pw_dir;
}

Result<std::string> secret_from_file(const std::string& reference) {
  std::string path = expand_home(reference);
  std::string hint = fmt::format("Put the secret alone into {0}, then run: chmod 600 {0}", path);
  if (!path.starts_with("/"))
    return fail(Code::config, fmt::format("the path of a secret is not absolute: {}", path), hint);
  // Without O_NONBLOCK a pipe in the file's place would hang the start.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    std::string why = errno == ELOOP ? "it is a symbolic link" : std::strerror(errno);
    return fail(Code::config, fmt::format("the secret in {} cannot be read: {}", path, why), hint);
  }
  struct stat info{};
  if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return fail(Code::config,
                fmt::format("the secret in {} cannot be read: it is not a regular file", path),
                hint);
  }
  if (info.st_uid != ::geteuid()) {
    return fail(Code::config,
                fmt::format("the secret in {} is not used: the file belongs to another user", path),
                hint);
  }
  if ((info.st_mode & 0077) != 0) {
    return fail(
        Code::config,
        fmt::format("the secret in {} is not used: other users can open the file (mode {:o})", path,
                    info.st_mode & 0777),
        hint);
  }
  Result<std::string> content = read_bytes(file.get(), limits::secret_bytes);
  if (!content) {
    return fail(Code::config,
                fmt::format("the secret in {} cannot be read: {}", path, content.error().message),
                hint);
  }
  while (!content->empty() && (content->back() == '\n' || content->back() == '\r'))
    content->pop_back();
  return content;
}

}  // namespace

std::string expand_home(std::string_view path) {
  if (path != "~" && !path.starts_with("~/")) return std::string(path);
  return user_folder() + std::string(path.substr(1));
}

std::string absolute_path(std::string_view path, const std::string& base) {
  std::string expanded = expand_home(path);
  if (!expanded.starts_with("/")) expanded = base + "/" + expanded;
  std::string clean = std::filesystem::path(expanded).lexically_normal().string();
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  return clean;
}

Result<std::string> read_bytes(int fd, std::size_t max_bytes) {
  std::string content;
  char buffer[16384];
  while (true) {
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(Code::io, std::strerror(errno));
    if (n == 0) return content;
    content.append(buffer, static_cast<std::size_t>(n));
    if (content.size() > max_bytes)
      return fail(Code::limit, fmt::format("it is larger than {} bytes", max_bytes));
  }
}

std::string environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::string() : value;
}

std::vector<std::string> child_environment() {
  std::vector<std::string> out;
  // Those of drivers say which graphics processor there is, and hold no secret.
  for (const char* name : {"PATH", "HOME", "LANG", "TMPDIR", "VK_DRIVER_FILES", "VK_ICD_FILENAMES",
                           "CUDA_VISIBLE_DEVICES", "GGML_VK_VISIBLE_DEVICES"}) {
    std::string value = environment(name);
    if (value.empty() && std::string_view(name) == "PATH") value = "/usr/local/bin:/usr/bin:/bin";
    if (!value.empty()) out.push_back(std::string(name) + "=" + value);
  }
  return out;
}

Result<std::string> home_folder() {
  std::string chosen = environment("KEEL_HOME");
  if (chosen.empty()) {
    std::string user = user_folder();
    if (!user.starts_with("/")) {
      return fail(Code::config, "keel does not know where to keep its files: HOME is not set",
                  "Set KEEL_HOME to a folder.");
    }
    chosen = user + "/.keel";
  }
  std::error_code error;
  std::filesystem::path current = std::filesystem::current_path(error);
  std::string base = error ? std::string() : current.string();
  if (!expand_home(chosen).starts_with("/") && base.empty()) {
    return fail(Code::config, "KEEL_HOME is a relative path and the current folder is gone",
                "Use an absolute path.");
  }
  if (!is_valid_utf8(chosen))
    return fail(Code::config, "KEEL_HOME is not valid UTF-8", "Use another folder.");
  return absolute_path(chosen, base);
}

Result<std::string> Secret::resolve() const {
  std::string secret;
  if (reference_.starts_with("env:")) {
    std::string name = reference_.substr(4);
    secret = environment(name);
    if (secret.empty()) {
      return fail(
          Code::config,
          fmt::format(
              "the environment variable {} is not set, but keel.toml takes a secret from it", name),
          fmt::format("Set {}, or keep the secret in a file and write \"file:PATH\".", name));
    }
  } else if (reference_.starts_with("file:")) {
    secret = TRY(secret_from_file(reference_.substr(5)));
  } else if (reference_.empty()) {
    return fail(Code::config, "no secret is configured",
                "Write \"env:NAME\" or \"file:PATH\" in keel.toml.");
  } else {
    return fail(Code::config, "a secret must be given as \"env:NAME\" or \"file:PATH\"");
  }
  log::add_secret(secret);
  // It goes into HTTP headers, where a line break would begin a header of its own.
  bool odd = std::any_of(secret.begin(), secret.end(),
                         [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (odd || secret.empty()) {
    return fail(
        Code::config,
        fmt::format("the secret from {} is {}", reference_, odd ? "not one line of text" : "empty"),
        "Write the key alone, on one line.");
  }
  return secret;
}

}  // namespace keel::config
