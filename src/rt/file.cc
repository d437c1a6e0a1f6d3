#include "rt/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/id.h"

namespace keel::rt {
namespace {

// A rename is durable only once the folder that holds the name is synced.
void sync_folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) ::fsync(fd.get());
}

}  // namespace

Error errno_error(int number, std::string what) {
  Error error;
  error.message = std::move(what) + ": " + std::strerror(number);
  switch (number) {
    case ENOSPC:
    case EDQUOT:
      error.code = Code::disk_full;
      error.hint = "free some space on that disk and try again";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      error.code = Code::permission;
      error.hint = "check who owns it and its permissions";
      break;
    case ENOENT:
    case ENOTDIR:
      error.code = Code::not_found;
      error.hint = "check the path";
      break;
    default:
      error.code = Code::io;
  }
  return error;
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return tl::unexpected(errno_error(errno, "could not open " + path));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) {
    return tl::unexpected(errno_error(errno, "could not look at " + path));
  }
  if (!S_ISREG(info.st_mode)) {
    return fail(Code::invalid_argument, path + " is not a regular file", "name a file");
  }
  std::string content;
  std::string buffer(64 << 10, '\0');
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(errno_error(errno, "could not read " + path));
    if (n == 0) return content;
    content.append(buffer, 0, static_cast<std::size_t>(n));
    if (content.size() > max_bytes) {
      return fail(Code::limit, path + " has more than " + std::to_string(max_bytes) + " bytes");
    }
  }
}

Status write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(errno_error(errno, "could not write " + path));
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Status write_file(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".new-" + random_hex(6);
  {
    Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) return tl::unexpected(errno_error(errno, "could not create " + temporary));
    Status written = write_all(fd.get(), content, temporary);
    if (written && ::fsync(fd.get()) != 0) {
      written = tl::unexpected(errno_error(errno, "could not sync " + temporary));
    }
    if (!written) {
      ::unlink(temporary.c_str());
      return written;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    Error error = errno_error(errno, "could not replace " + path);
    ::unlink(temporary.c_str());
    return tl::unexpected(std::move(error));
  }
  sync_folder_of(path);
  return {};
}

Status move_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return tl::unexpected(errno_error(errno, "could not move " + from + " to " + to));
  }
  sync_folder_of(to);
  return {};
}

Status make_folder(const std::string& path) {
  for (std::size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at);
    const std::string part = path.substr(0, at);
    if (!part.empty() && ::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      return tl::unexpected(errno_error(errno, "could not make the folder " + part));
    }
    if (at != std::string::npos) ++at;
  }
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    return tl::unexpected(errno_error(errno, "could not look at " + path));
  }
  if (!S_ISDIR(info.st_mode)) {
    return fail(Code::already_exists, path + " exists and is not a folder", "move it away");
  }
  return {};
}

std::optional<std::uint64_t> free_disk_bytes(const std::string& path) {
  struct statvfs facts{};
  if (::statvfs(path.c_str(), &facts) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
}

Result<Fd> lock_file(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return tl::unexpected(errno_error(errno, "could not open " + path));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return fail(Code::busy, path + " is held by another process", "stop the other one first");
    }
    return tl::unexpected(errno_error(errno, "could not lock " + path));
  }
  return fd;
}

}  // namespace keel::rt
