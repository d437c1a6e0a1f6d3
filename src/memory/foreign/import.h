// `keel memory import`: one door to everything that can be taken in, told apart by content.
#pragma once

#include <string>

#include "memory/folder/export.h"
#include "memory/folder/intake.h"
#include "memory/memory.h"
#include "store/database.h"

namespace keel::memory {

// An export of keel, what another program left, or a folder or file of Markdown; also packed as a
// zip archive, whose text files are unpacked into a temporary folder for as long as it takes.
// Code::not_found where there is nothing, Code::unsupported for a file that is none of these.
Status import_path(Memory& memory, store::Database& database, const std::string& path,
                   const ImportOptions& options, const RestoreOptions& restore,
                   ImportReport& report);

}  // namespace keel::memory
