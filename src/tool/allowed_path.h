// Opening a file or folder that the model named, inside the folders the owner has allowed and
// nowhere else. The kernel resolves the path below an open folder (openat2 with RESOLVE_BENEATH and
// RESOLVE_NO_SYMLINKS), or, where it cannot, keel walks it one component at a time without
// following links; so no "..", link or race leads out. The check and the opening are one act: what
// is returned is the open file, never a path to be opened again.
//
// Any thread. Errors: Code::permission outside the folders or across a link, Code::not_found.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rt/fd.h"

namespace keel::tool {

enum class PathKind { file, folder };
enum class PathWalk { kernel, by_component };  // the second is what systems without openat2 use

struct AllowedPath {
  rt::Fd fd;
  std::string path;  // absolute, for messages
};

// `path` is absolute, or relative to any of the folders (tried in order). Empty names the first
// folder.
Result<AllowedPath> open_allowed(const std::vector<std::string>& folders, std::string_view path,
                                 PathKind kind, PathWalk walk = PathWalk::kernel);

}  // namespace keel::tool
