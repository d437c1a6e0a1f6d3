// Conversations that ChatGPT and Claude export: every turn of the owner and of the model, word for
// word, as a page of its session. docs/formats/memory-folder.md, "What else can be imported".
#pragma once

#include <string>
#include <vector>

#include "memory/folder/intake.h"

namespace keel::memory {

enum class Chats { none, chatgpt, claude };

// Told by the keys of the first conversation; both services call the file conversations.json.
Chats chats_in(const std::string& path);

// `file` names it in reports.
Status import_chats(const std::string& path, const std::string& file, Chats kind, Intake& intake,
                    ImportReport& report);

// The turns of one conversation, oldest first: what was said on the branch that its owner saw last.
// Pure. What could not be read is added to `problems`, without file and line.
std::vector<NewPage> turns_of(const Json& conversation, Chats kind, std::vector<Problem>& problems);

}  // namespace keel::memory
