// A Markdown file that anybody wrote, as a page.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "memory/markdown/front_matter.h"
#include "memory/memory.h"

namespace keel::memory {

enum class Reading {
  once,  // bytes that are no text are marked, what the file does not say is guessed from its stamp
  edit,  // of a page that is here: such a file is refused, what it does not say stays as it is
};
// Reads one file as a page; nothing if it cannot be taken, which is then reported.
std::optional<NewPage> read_note(const std::string& root, const std::string& path,
                                 std::vector<Problem>& problems, Reading reading = Reading::once);
// The same of a text that was read already; `changed_ms` is the file's.
std::optional<NewPage> note_of(std::string text, const std::string& path, WallMs changed_ms,
                               std::vector<Problem>& problems, Reading reading = Reading::once);

}  // namespace keel::memory
