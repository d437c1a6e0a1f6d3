#include "tool/allowed_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/openat2.h>
#include <sys/syscall.h>
#endif

#include <cerrno>

#include "base/limits.h"
#include "base/text.h"
#include "rt/file.h"

namespace keel::tool {
namespace {

// Opening a named pipe for reading would wait for a writer; a terminal must not become keel's own.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;

tl::unexpected<Error> outside(const std::vector<std::string>& folders, std::string_view path) {
  return fail(Code::permission, "'" + printable(path) + "' is outside the allowed folders",
              "allowed: " + shorten(join(folders, ", "), 400));
}

// The components below a folder; "." and doubled slashes vanish, ".." is refused.
Result<std::vector<std::string>> components(std::string_view path) {
  std::vector<std::string> out;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      return fail(Code::permission, "'" + printable(path) + "' contains '..'",
                  "name the file by its path from an allowed folder");
    }
    out.emplace_back(part);
  }
  return out;
}

int open_by_component(int folder, const std::vector<std::string>& parts, int flags) {
  rt::Fd current(openat(folder, ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  for (std::size_t i = 0; i < parts.size() && current; ++i) {
    const bool last = i + 1 == parts.size();
    const int step = last ? flags : kOpenFlags | O_DIRECTORY;
    current = rt::Fd(openat(current.get(), parts[i].c_str(), step));
  }
  return current.release();
}

int open_beneath(int folder, const std::vector<std::string>& parts, int flags, PathWalk walk) {
#if defined(__linux__) && defined(SYS_openat2)
  if (walk == PathWalk::kernel && !parts.empty()) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const std::string relative = join(parts, "/");
    const long fd = syscall(SYS_openat2, folder, relative.c_str(), &how, sizeof how);
    // Kernels before 5.6 and some sandboxes do not know the call.
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(fd);
  }
#else
  (void)walk;
#endif
  return open_by_component(folder, parts, flags);
}

Error open_error(int number, const std::string& path, PathKind kind) {
  if (number == ELOOP || number == EXDEV || number == EMLINK) {
    return Error{Code::permission,
                 "'" + printable(path) + "' is or passes a symbolic link",
                 "links are not followed; name the file itself",
                 {}};
  }
  if (number == ENOTDIR) {
    const char* what =
        kind == PathKind::folder ? "' is not a folder" : "' passes a file as if it were a folder";
    return Error{
        Code::invalid_argument, "'" + printable(path) + what, "list_files shows what is there", {}};
  }
  Error error = rt::errno_error(number, "opening '" + printable(path) + "'");
  if (error.code == Code::not_found) {
    error.message = "there is no '" + printable(path) + "' in the allowed folders";
    error.hint = "list_files shows what is there";
  }
  return error;
}

Result<AllowedPath> open_in(const std::string& folder, const std::vector<std::string>& parts,
                            PathKind kind, PathWalk walk) {
  const rt::Fd base(open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (!base) return pass(rt::errno_error(errno, "opening the allowed folder " + folder));
  const int flags = kOpenFlags | (kind == PathKind::folder ? O_DIRECTORY : 0);
  AllowedPath out;
  out.path = parts.empty() ? folder : folder + "/" + join(parts, "/");
  out.fd = rt::Fd(open_beneath(base.get(), parts, flags, walk));
  if (!out.fd) return pass(open_error(errno, out.path, kind));
  return out;
}

bool is_missing(const Error& error) {
  return error.code == Code::not_found;
}

Result<AllowedPath> open_relative(const std::vector<std::string>& folders, std::string_view path,
                                  PathKind kind, PathWalk walk) {
  const std::vector<std::string> parts = TRY(components(path));
  Result<AllowedPath> first = open_in(folders.front(), parts, kind, walk);
  if (first || !is_missing(first.error())) return first;
  for (const std::string& folder : folders) {
    Result<AllowedPath> found = open_in(folder, parts, kind, walk);
    if (found || !is_missing(found.error())) return found;
    // "notes/boat.md" where the allowed folder is itself called notes.
    const std::string name = folder.substr(folder.rfind('/') + 1);
    if (!parts.empty() && parts.front() == name) {
      found = open_in(folder, {parts.begin() + 1, parts.end()}, kind, walk);
      if (found || !is_missing(found.error())) return found;
    }
  }
  return first;
}

}  // namespace

Result<AllowedPath> open_allowed(const std::vector<std::string>& folders, std::string_view path,
                                 PathKind kind, PathWalk walk) {
  if (folders.empty()) {
    return fail(Code::permission, "no folder has been opened to keel",
                "the owner can list folders in keel.toml: [files] allow = [\"/path/to/notes\"]");
  }
  if (path.size() > limits::file_path_bytes || path.find('\0') != path.npos) {
    return fail(Code::invalid_argument, "'" + printable(path) + "' is not a path");
  }
  if (!path.starts_with('/')) return open_relative(folders, path, kind, walk);
  for (const std::string& folder : folders) {
    if (!path.starts_with(folder)) continue;
    const std::string_view rest = path.substr(folder.size());
    if (!rest.empty() && rest.front() != '/') continue;  // /notes does not open /notes-private
    const std::vector<std::string> parts = TRY(components(rest));
    return open_in(folder, parts, kind, walk);
  }
  return outside(folders, path);
}

}  // namespace keel::tool
