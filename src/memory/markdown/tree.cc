#include "memory/markdown/tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/id.h"
#include "base/limits.h"
#include "base/text.h"
#include "rt/fd.h"
#include "rt/file.h"

namespace keel::memory {
namespace {

namespace fs = std::filesystem;

FileStamp stamp_from(const struct stat& info) {
#ifdef __APPLE__
  const timespec& changed = info.st_mtimespec;
#else
  const timespec& changed = info.st_mtim;
#endif
  return {static_cast<std::int64_t>(info.st_size),
          static_cast<std::int64_t>(changed.tv_sec) * 1'000'000'000 + changed.tv_nsec};
}

bool is_markdown(const std::string& name) {
  const std::string lower = ascii_lower(name);
  return lower.ends_with(".md") || lower.ends_with(".markdown");
}

// Both names change places at once. False where the file system cannot do that.
bool swap_names(const std::string& a, const std::string& b) {
#if defined(__linux__) && defined(RENAME_EXCHANGE)
  return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
#elif defined(__APPLE__)
  return ::renamex_np(a.c_str(), b.c_str(), RENAME_SWAP) == 0;
#else
  return (void)a, (void)b, false;
#endif
}

constexpr std::string_view kWriting = ".keel-new-";
constexpr std::string_view kSwapping = ".keel-swap-";

class Walk {
 public:
  Walk(const std::string& root, std::vector<Problem>& problems)
      : root_(root), problems_(problems) {}

  Result<FolderContent> run() {
    TRY(enter("", 0));
    std::sort(found_.files.begin(), found_.files.end(),
              [](const FoundFile& a, const FoundFile& b) { return a.path < b.path; });
    return std::move(found_);
  }

 private:
  void report(const std::string& path, std::string what) {
    if (problems_.size() < limits::folder_problems)
      problems_.push_back({printable(path, 400), 0, std::move(what), true});
  }

  Status enter(const std::string& folder, int depth) {
    std::error_code code;
    fs::directory_iterator entry(root_ + "/" + folder, code);
    if (code && folder.empty())
      return tl::unexpected(rt::errno_error(code.value(), "could not read the folder " + root_));
    if (code) {
      report(folder, "could not be read: " + code.message());
      return {};
    }
    for (; entry != fs::directory_iterator(); entry.increment(code)) {
      const std::string name = entry->path().filename().string();
      const std::string path = folder.empty() ? name : folder + "/" + name;
      if (name.starts_with('.'))
        note_leftover(path, name);
      else
        TRY(look_at(path, name, depth));
    }
    if (code) report(folder, "could not be read to its end: " + code.message());
    return {};
  }

  void note_leftover(const std::string& path, const std::string& name) {
    const std::size_t writing = name.rfind(kWriting), swapping = name.rfind(kSwapping);
    const std::size_t mark = writing != std::string::npos ? writing : swapping;
    if (mark == std::string::npos || mark < 2) return;
    struct stat info{};
    if (::lstat((root_ + "/" + path).c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return;
    found_.leftovers.push_back(
        {path, path.substr(0, path.size() - name.size()) + name.substr(1, mark - 1),
         writing == std::string::npos});
  }

  Status look_at(const std::string& path, const std::string& name, int depth) {
    struct stat info{};
    if (::lstat((root_ + "/" + path).c_str(), &info) != 0) return {};
    if (S_ISLNK(info.st_mode)) {
      report(path, "is a symbolic link; links are not followed");
    } else if (S_ISDIR(info.st_mode)) {
      if (depth + 1 < limits::folder_depth) return enter(path, depth + 1);
      report(path, fmt::format("lies more than {} folders deep", limits::folder_depth));
    } else if (S_ISREG(info.st_mode) && is_markdown(name)) {
      if (!is_valid_utf8(path)) {
        report(path, "its name is not UTF-8");
        return {};
      }
      if (found_.files.size() >= limits::folder_files)
        return fail(
            Code::limit,
            fmt::format("{} holds more than {} Markdown files.", root_, limits::folder_files),
            "Name one of its folders.");
      found_.files.push_back({path, stamp_from(info)});
    }
    return {};
  }

  const std::string& root_;
  std::vector<Problem>& problems_;
  FolderContent found_;
};

Status write_whole(const std::string& path, std::string_view text, mode_t mode) {
  const rt::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return tl::unexpected(rt::errno_error(errno, "could not create " + path));
  TRY(rt::write_all(fd.get(), text, path));
  if (::fchmod(fd.get(), mode) != 0 || ::fsync(fd.get()) != 0)
    return tl::unexpected(rt::errno_error(errno, "could not sync " + path));
  return {};
}

// Beside the file, so that a kill in between leaves it where find_files() looks for it.
std::string beside(const std::string& path, std::string_view mark) {
  const std::size_t slash = path.rfind('/');
  const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
  return path.substr(0, name) + "." + path.substr(name) + std::string(mark) + random_hex(4);
}

bool holds(const std::string& root, const std::string& path, const std::string& expected) {
  const Result<std::string> text = read_in(root, path, limits::folder_file_bytes);
  return text && *text == expected;
}

Result<Replaced> create(const std::string& temporary, const std::string& path) {
  // link() does not replace a file that came in the meantime; not every file system has it.
  if (::link(temporary.c_str(), path.c_str()) == 0) {
    ::unlink(temporary.c_str());
    return Replaced::done;
  }
  const int error = errno;
  struct stat info{};
  if (error == EEXIST || ::lstat(path.c_str(), &info) == 0) {
    ::unlink(temporary.c_str());
    return Replaced::changed;
  }
  if (::rename(temporary.c_str(), path.c_str()) == 0) return Replaced::done;
  ::unlink(temporary.c_str());
  return tl::unexpected(rt::errno_error(errno, "could not write " + path));
}

}  // namespace

Result<FolderContent> find_files(const std::string& root, std::vector<Problem>& problems) {
  return Walk(root, problems).run();
}

Result<std::string> read_in(const std::string& root, const std::string& path,
                            std::size_t most_bytes) {
  const std::string whole = root + "/" + path;
  const rt::Fd fd(::open(whole.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return tl::unexpected(rt::errno_error(errno, "could not read " + whole));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return fail(Code::invalid_argument, whole + " is not a file.");
  const auto too_large = [&] {
    return fail(Code::limit, fmt::format("{} has more than {}.", whole, bytes_text(most_bytes)),
                "Split it, or keep it elsewhere and remember where it is.");
  };
  if (static_cast<std::uint64_t>(info.st_size) > most_bytes) return too_large();
  std::string out(static_cast<std::size_t>(info.st_size) + 1, '\0');
  std::size_t at = 0;
  for (;;) {
    const ssize_t n = ::read(fd.get(), out.data() + at, out.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(rt::errno_error(errno, "could not read " + whole));
    if (n == 0) break;
    at += static_cast<std::size_t>(n);
    if (at > most_bytes) return too_large();
    if (at == out.size()) out.resize(out.size() * 2);
  }
  out.resize(at);
  return out;
}

std::optional<Problem> not_text(std::string_view bytes) {
  if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff"))
    return Problem{{}, 1, "is UTF-16; save it as UTF-8", true};
  if (is_valid_utf8(bytes) && bytes.find('\0') == std::string_view::npos) return std::nullopt;
  int line = 1;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t begin = at;
    const char32_t c = next_code_point(bytes, at);
    const bool replaced = c == 0xFFFD && !bytes.substr(begin).starts_with("\xef\xbf\xbd");
    if (c == 0 || replaced)
      return Problem{{}, line, c == 0 ? "holds a NUL byte" : "is not UTF-8", true};
    if (c == '\n') ++line;
  }
  return Problem{{}, line, "is not UTF-8", true};
}

bool stays_inside(std::string_view path) {
  if (path.empty() || path.find('\0') != std::string_view::npos) return false;
  for (const std::string_view part : split(path, '/'))
    if (part.empty() || part == "." || part == "..") return false;
  return true;
}

Result<std::optional<FileStamp>> stamp_of(const std::string& root, const std::string& path) {
  struct stat info{};
  const std::string whole = root + "/" + path;
  if (::lstat(whole.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<FileStamp>();
    return tl::unexpected(rt::errno_error(errno, "could not look at " + whole));
  }
  if (!S_ISREG(info.st_mode)) return std::optional<FileStamp>();
  return std::optional<FileStamp>(stamp_from(info));
}

Result<Replaced> replace_file(const std::string& root, const std::string& path,
                              const std::optional<std::string>& expected, std::string_view text) {
  const std::string whole = root + "/" + path;
  std::string temporary = beside(whole, kWriting);
  struct stat info{};
  mode_t mode = 0600;
  if (expected) {
    if (::lstat(whole.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return Replaced::changed;
    mode = info.st_mode & 07777;
    if (!holds(root, path, *expected)) return Replaced::changed;
  } else if (const std::size_t slash = whole.rfind('/'); slash != std::string::npos) {
    TRY(rt::make_folder(whole.substr(0, slash)));
  }
  if (Status written = write_whole(temporary, text, mode); !written) {
    ::unlink(temporary.c_str());
    return tl::unexpected(std::move(written).error());
  }
  if (!expected) return create(temporary, whole);
  // From here on it is whole, and may become what was in the file.
  const std::string swap = beside(whole, kSwapping);
  if (::rename(temporary.c_str(), swap.c_str()) == 0) temporary = swap;
  if (swap_names(temporary, whole)) {
    // What was there may be newer than what was read: then it goes back.
    const std::string name = temporary.substr(root.size() + 1);
    if (!holds(root, name, *expected)) {
      swap_names(temporary, whole);
      if (holds(root, name, std::string(text))) ::unlink(temporary.c_str());
      return Replaced::changed;
    }
    ::unlink(temporary.c_str());
    return Replaced::done;
  }
  if (::rename(temporary.c_str(), whole.c_str()) != 0) {
    const Error error = rt::errno_error(errno, "could not replace " + whole);
    ::unlink(temporary.c_str());
    return tl::unexpected(error);
  }
  return Replaced::done;
}

Result<Replaced> remove_file(const std::string& root, const std::string& path,
                             const std::string& expected) {
  const std::string whole = root + "/" + path;
  const std::string aside = beside(whole, kSwapping);
  if (!holds(root, path, expected)) return Replaced::changed;
  if (::rename(whole.c_str(), aside.c_str()) != 0)
    return tl::unexpected(rt::errno_error(errno, "could not remove " + whole));
  if (!holds(root, aside.substr(root.size() + 1), expected)) {
    if (::link(aside.c_str(), whole.c_str()) == 0) ::unlink(aside.c_str());
    return Replaced::changed;
  }
  ::unlink(aside.c_str());
  return Replaced::done;
}

}  // namespace keel::memory
