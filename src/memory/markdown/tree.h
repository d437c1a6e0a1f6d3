// The Markdown files of a folder: found, read and replaced. Symbolic links are not followed, names
// that begin with a dot are passed over. Files are replaced as a whole: whoever reads sees the old
// or the new text, and what somebody wrote in the meantime is never lost.
//
// Any thread. Bounds: limits::folder_files, folder_depth, folder_file_bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "memory/markdown/front_matter.h"

namespace keel::memory {

struct FileStamp {
  std::int64_t bytes = 0;
  std::int64_t changed_ns = 0;  // since 1970
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
struct FoundFile {
  std::string path;  // from the folder, with slashes
  FileStamp stamp;
};

// What a kill in the middle of replace_file() or remove_file() leaves beside a file.
struct Leftover {
  std::string path;  // from the folder
  std::string of;    // the file that was to be replaced
  // It may hold what was in the file before; otherwise it is a part of what was to be written.
  bool may_be_theirs = false;
};
struct FolderContent {
  std::vector<FoundFile> files;  // sorted by path
  std::vector<Leftover> leftovers;
};
// What cannot be looked at is reported.
Result<FolderContent> find_files(const std::string& root, std::vector<Problem>& problems);

// The bytes of a file. Code::limit for one that is too large, Code::not_found, Code::permission.
Result<std::string> read_in(const std::string& root, const std::string& path,
                            std::size_t most_bytes);
// Why a text cannot be taken as it is: the line of the first byte that is no UTF-8, or NUL.
std::optional<Problem> not_text(std::string_view bytes);

// Whether a path that a file names stays inside the folder it is taken from.
bool stays_inside(std::string_view path);

// Nothing if there is no such file.
Result<std::optional<FileStamp>> stamp_of(const std::string& root, const std::string& path);

enum class Replaced {
  done,
  changed,  // the file was not as expected; it is as it was, the new text was not written
};
// Writes a text if the file holds `expected` still; without `expected` only if there is no file.
// Folders on the way are made.
Result<Replaced> replace_file(const std::string& root, const std::string& path,
                              const std::optional<std::string>& expected, std::string_view text);
// Removes a file that holds `expected` still.
Result<Replaced> remove_file(const std::string& root, const std::string& path,
                             const std::string& expected);

}  // namespace keel::memory
