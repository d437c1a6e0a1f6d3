#include "memory/folder/notes.h"

#include <sys/stat.h>

#include "base/limits.h"
#include "base/text.h"
#include "memory/folder/page_file.h"
#include "memory/folder/tree.h"

namespace keel::memory {

std::optional<NewPage> read_note(const std::string& root, const std::string& path,
                                 std::vector<Problem>& problems, bool repair) {
  Result<std::string> text = read_in(root, path, limits::folder_file_bytes);
  if (!text) {
    problems.push_back({path, 0, text.error().message, true});
    return std::nullopt;
  }
  if (std::optional<Problem> bad = not_text(*text)) {
    bad->file = path;
    bad->skipped = !repair || bad->what.starts_with("is UTF-16");
    problems.push_back(*bad);
    if (bad->skipped) return std::nullopt;
    problems.back().what += "; such bytes are marked in the page";
    *text = to_valid_utf8(*text);
  }
  std::vector<Problem> found;
  const Document document = read_document(*text, found);
  const Result<std::optional<FileStamp>> stamp = stamp_of(root, path);
  const WallMs changed = stamp && *stamp ? (*stamp)->changed_ns / 1'000'000 : 0;
  NewPage page = page_of(document, {path, changed}, found);
  const bool empty = document.body.empty() && !document.front.has("title");
  if (empty) found.push_back({path, 0, "is empty", true});
  for (Problem& one : found) {
    one.file = path;
    problems.push_back(std::move(one));
  }
  if (empty) return std::nullopt;
  return page;
}

Status import_notes(const std::string& path, Intake& intake, ImportReport& report) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0)
    return fail(Code::not_found, "There is no " + path + ".", "Name a folder or a file.");
  std::string root = path;
  std::vector<Problem> problems;
  std::vector<FoundFile> files;
  if (S_ISDIR(info.st_mode)) {
    while (root.size() > 1 && root.back() == '/') root.pop_back();
    files = TRY(find_files(root, problems));
  } else {
    const std::size_t slash = path.rfind('/');
    root = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    files.push_back({slash == std::string::npos ? path : path.substr(slash + 1), {}});
  }
  for (Problem& one : problems) report.add(std::move(one));
  for (const FoundFile& file : files) {
    ++report.files;
    problems.clear();
    std::optional<NewPage> page = read_note(root, file.path, problems);
    for (Problem& one : problems) report.add(std::move(one));
    if (page) TRY(intake.take(std::move(*page), file.path, 1));
  }
  return intake.finish();
}

}  // namespace keel::memory
