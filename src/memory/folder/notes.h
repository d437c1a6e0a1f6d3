// A folder of Markdown files, or one file, that keel did not write: every file is a page.
#pragma once

#include <string>

#include "memory/folder/intake.h"

namespace keel::memory {

// `path`: a folder or a file. Links out of the folder are not followed. What is wrong with a file
// is reported; errors are those of the folder as a whole and of the database.
Status import_notes(const std::string& path, Intake& intake, ImportReport& report);

// Reads one file as a page; nothing if it cannot be taken, which is then reported.
// `repair`: bytes that are no text are marked instead of refused.
std::optional<NewPage> read_note(const std::string& root, const std::string& path,
                                 std::vector<Problem>& problems, bool repair = true);

}  // namespace keel::memory
