#include "gateway/door/token.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/hash.h"
#include "base/id.h"
#include "base/limits.h"
#include "config/config.h"
#include "log/log.h"
#include "rt/file.h"

namespace keel::api {
namespace {

constexpr std::size_t kRandomBytes = 32;

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mode == b.st_mode &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

}  // namespace

bool is_token(std::string_view text) {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  return text.size() >= limits::token_min_bytes && text.size() <= limits::token_max_bytes && plain;
}

std::string token_form() {
  return std::to_string(limits::token_min_bytes) + " to " +
         std::to_string(limits::token_max_bytes) + " visible characters";
}

Result<TokenFile> TokenFile::open(std::string path) {
  TokenFile file(std::move(path));
  struct stat info{};
  if (::lstat(file.path_.c_str(), &info) != 0 && errno == ENOENT) {
    TRY(rt::write_file(file.path_, "keel_" + random_hex(kRandomBytes) + "\n"));
  }
  TRY(file.read());
  return file;
}

Status TokenFile::read() {
  token_.clear();
  seen_ = {};
  (void)::lstat(path_.c_str(), &seen_);
  // A secret like any other: it must be the owner's alone, and never stands in the log.
  std::string token = TRY(config::Secret("file:" + path_).resolve());
  if (!is_token(token)) {
    return fail(Code::config, path_ + " holds no token: " + token_form() + " are needed",
                "Remove the file; keel serve makes a new one.");
  }
  token_ = std::move(token);
  return {};
}

const std::string& TokenFile::current() {
  struct stat now{};
  if (::lstat(path_.c_str(), &now) == 0 && same_file(now, seen_)) return token_;
  const Status status = read();
  if (!status) log::warn("gateway", "no client is let in: {}", status.error().text());
  return token_;
}

}  // namespace keel::api
