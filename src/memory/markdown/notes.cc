#include "memory/markdown/notes.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"
#include "memory/markdown/page_file.h"
#include "memory/markdown/tree.h"

namespace keel::memory {

std::optional<NewPage> note_of(std::string text, const std::string& path, WallMs changed_ms,
                               std::vector<Problem>& problems, Reading reading) {
  if (std::optional<Problem> bad = not_text(text)) {
    bad->file = path;
    bad->skipped = reading == Reading::edit || bad->what.starts_with("is UTF-16");
    problems.push_back(*bad);
    if (bad->skipped) return std::nullopt;
    problems.back().what += "; such bytes are marked in the page";
    text = to_valid_utf8(text);
  }
  std::vector<Problem> found;
  const Document document = read_document(text, found);
  NewPage page = page_of(document, {path, changed_ms, reading == Reading::edit}, found);
  if (const int line = document.front.line("tags"); page.tags.size() > limits::memory_tags)
    found.push_back(
        {path, line,
         fmt::format("has {}{} tags; a page holds at most {}{}",
                     page.tags.size() > limits::front_matter_items ? "over " : "",
                     std::min(page.tags.size(), limits::front_matter_items), limits::memory_tags,
                     reading == Reading::edit ? "" : ", the first of them are kept"),
         reading == Reading::edit});
  const bool empty = document.body.empty() && !document.front.has("title");
  if (empty) found.push_back({path, 0, "is empty", true});
  bool skipped = false;
  for (Problem& one : found) {
    one.file = path;
    skipped = skipped || one.skipped;
    problems.push_back(std::move(one));
  }
  if (skipped) return std::nullopt;
  if (page.tags.size() > limits::memory_tags) page.tags.resize(limits::memory_tags);
  return page;
}

std::optional<NewPage> read_note(const std::string& root, const std::string& path,
                                 std::vector<Problem>& problems, Reading reading) {
  Result<std::string> text = read_in(root, path, limits::folder_file_bytes);
  if (!text) {
    problems.push_back({path, 0, text.error().message, true});
    return std::nullopt;
  }
  const Result<std::optional<FileStamp>> stamp = stamp_of(root, path);
  const WallMs changed = stamp && *stamp ? (*stamp)->changed_ns / 1'000'000 : 0;
  return note_of(std::move(*text), path, changed, problems, reading);
}

}  // namespace keel::memory
