// After a kill in the middle of replacing a file: what was in the file, if it was the owner's, goes
// back to its place; all else is removed.
#pragma once

#include <string>
#include <vector>

#include "memory/folder/sync_rows.h"
#include "memory/memory.h"

namespace keel::memory {

Status clear_leftovers(Memory& memory, const std::string& root,
                       const std::vector<Leftover>& leftovers, const SyncRows& rows,
                       std::vector<Problem>& problems);

// Whether a text is what keel writes for one of the page's forms: then it holds nothing that the
// page does not have.
bool is_form_of(Memory& memory, std::string_view text, const std::string& path);

}  // namespace keel::memory
