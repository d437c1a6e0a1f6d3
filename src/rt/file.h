// Whole-file operations with errors that name the file. Files keel writes are 0600, folders 0700.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "rt/fd.h"

namespace keel::rt {

// Refuses more than max_bytes (Code::limit).
Result<std::string> read_file(const std::string& path, std::size_t max_bytes);
// Through a temporary file in the same folder, fsync and rename: readers see the old or the new
// content, never a part.
Status write_file(const std::string& path, std::string_view content);
// All of it, to where the descriptor stands; `path` is for the error.
Status write_all(int fd, std::string_view content, const std::string& path);
// A rename that is on the disk when it returns; replaces what is there.
Status move_file(const std::string& from, const std::string& to);
Status make_folder(const std::string& path);
// Free for this user on the file system of `path`; nothing if the system does not tell.
std::optional<std::uint64_t> free_disk_bytes(const std::string& path);
// An exclusive lock on a file that lasts as long as the descriptor; Code::busy if another process
// holds it.
Result<Fd> lock_file(const std::string& path);
// Errno as an Error: ENOSPC and EDQUOT are Code::disk_full, EACCES and EPERM Code::permission,
// ENOENT Code::not_found.
Error errno_error(int number, std::string what);

}  // namespace keel::rt
