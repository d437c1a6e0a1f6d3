// The whole memory as a folder that people and other programs can read, and keel can take back with
// the same ids, revisions and hashes. docs/formats/memory-folder.md, "Export".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "memory/folder/intake.h"
#include "memory/memory.h"
#include "store/database.h"

namespace keel::memory {

inline constexpr std::string_view kManifest = "keel.json";
inline constexpr std::string_view kFormat = "keel-memory";
inline constexpr int kFormatVersion = 1;
inline constexpr std::string_view kHistoryFile = "history/pages.jsonl";
inline constexpr std::string_view kTombstonesFile = "history/tombstones.jsonl";
inline constexpr std::string_view kAliasesFile = "history/words.jsonl";
inline constexpr std::string_view kAuditFile = "audit/retrievals.jsonl";

struct ExportOptions {
  std::string agent_name;
  std::string exported;  // when: an ISO time
  bool force = false;    // files that were changed since the last export are replaced
};
struct ExportReport {
  std::string folder;
  std::int64_t pages = 0, revisions = 0, tombstones = 0, aliases = 0, retrievals = 0;
  std::int64_t removed = 0;  // files of the export before, of pages that are gone
};
// All of one moment. A folder that holds other things, or an export whose files were edited since,
// is Code::already_exists and stays as it is.
Result<ExportReport> export_folder(Memory& memory, store::Database& database,
                                   const std::string& folder, const ExportOptions& options);

struct RestoreOptions {
  bool forgotten = false;  // pages that were forgotten here come back too
};
// Whether a folder is an export.
bool is_export(const std::string& folder);
// Takes an export back. Files that were edited since become revisions, Markdown files that it did
// not write become pages, pages whose file was deleted stay away.
Status import_export(Memory& memory, store::Database& database, const std::string& folder,
                     const ImportOptions& options, const RestoreOptions& restore,
                     ImportReport& report);

}  // namespace keel::memory
