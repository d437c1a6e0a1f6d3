// What other agents keep of their owner in Markdown: OpenClaw's workspace, Hermes' memories, the
// memory folders of Claude Code. docs/formats/memory-folder.md, "What else can be imported".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "memory/folder/intake.h"

namespace keel::memory {

enum class Workspace { none, openclaw, hermes, claude_code };

// Told by the files in the folder; `root` becomes the folder in which they lie.
Workspace workspace_at(std::string& root);
std::string_view name_of(Workspace kind);

Status import_workspace(const std::string& root, Workspace kind, Intake& intake,
                        ImportReport& report);

// Notes under headings, a page for each list item (with what is indented below it) and paragraph;
// the headings above it are its tags. Pure.
struct Note {
  std::string text;
  std::vector<std::string> headings;
  int line = 0;
};
std::vector<Note> notes_in(std::string_view text, int first_line = 1);

}  // namespace keel::memory
