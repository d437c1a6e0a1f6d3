// keel memory sync and conflicts: memory and the folder that is kept in step with it.
#include <fmt/format.h>

#include <charconv>

#include "app/assembly.h"
#include "app/commands.h"
#include "app/folder_sync.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/text.h"
#include "memory/folder/sync.h"
#include "memory/memory.h"

namespace keel::app {
namespace {

Result<std::unique_ptr<Assembly>> open_for_sync() {
  config::Config config = TRY(load_config());
  return Assembly::open(config, Assembly::Extent::memory);
}

Json conflict_json(const memory::ConflictRecord& one) {
  return {{"number", one.number},      {"page", one.page_id},      {"file", one.path},
          {"at", iso_time(one.at_ms)}, {"before", one.texts.base}, {"stands", one.texts.ours},
          {"other", one.texts.theirs}};
}

Json conflicts_json(const std::vector<memory::ConflictRecord>& conflicts) {
  Json list = Json::array();
  for (const memory::ConflictRecord& one : conflicts) list.push_back(conflict_json(one));
  return list;
}

void print_block(std::string_view name, std::string_view text) {
  print(fmt::format("  {}\n", name));
  if (text.empty()) print("    (nothing)\n");
  for (const std::string_view line : split(text, '\n'))
    if (!text.empty()) print("    " + printable(line, 200) + "\n");
}

void print_conflicts(const std::vector<memory::ConflictRecord>& conflicts) {
  if (conflicts.empty()) print("No conflicts.\n");
  for (const memory::ConflictRecord& one : conflicts) {
    print(fmt::format("{}  {}  {}  {}\n", one.number, iso_time(one.at_ms), one.page_id,
                      printable(one.path, 200)));
    print_block("the folder's text stands:", one.texts.ours);
    print_block("the other text:", one.texts.theirs);
  }
  if (!conflicts.empty())
    print("keel memory conflicts --settle NUMBER|all takes them off this list.\n");
}

Result<std::vector<memory::ConflictRecord>> open_conflicts_of(Assembly& assembly) {
  return assembly.database().read(
      [](store::Connection& connection) { return memory::open_conflicts(connection); });
}

void print_sync(const memory::SyncReport& report) {
  print(fmt::format("From the folder: {} pages added, {} changed, {} forgotten\n",
                    report.pages_added, report.pages_changed, report.pages_forgotten));
  print(fmt::format("To the folder:   {} files written, {} removed\n", report.files_written,
                    report.files_removed));
  if (report.conflicts > 0)
    print(fmt::format("{} places were changed on both sides: keel memory conflicts\n",
                      report.conflicts));
  if (report.held_back > 0)
    print(
        fmt::format("{} files are gone. Their pages are kept until you say what is meant:\n"
                    "  --forget-deleted forgets them, --rewrite-deleted writes the files again\n",
                    report.held_back));
  for (const memory::Problem& one : report.problems) {
    const std::string place = one.line > 0 ? fmt::format("{}:{}", one.file, one.line) : one.file;
    print(fmt::format("  {}: {}\n", printable(place, 300), printable(one.what, 300)));
  }
}

Status sync_status(Assembly& assembly, const MemoryFolderArguments& arguments) {
  const auto conflicts = TRY(open_conflicts_of(assembly));
  const std::string folder = synced_folder(assembly.config(), arguments.folder);
  const auto rows = TRY(assembly.database().read(
      [&](store::Connection& connection) { return memory::read_rows(connection, folder); }));
  std::int64_t pages = 0;
  std::vector<const memory::SyncRow*> left;
  for (const auto& [path, row] : rows) {
    pages += !row.page_id.empty();
    if (!row.note.empty()) left.push_back(&row);
  }
  if (arguments.json) {
    Json notes = Json::array();
    for (const memory::SyncRow* row : left)
      notes.push_back({{"file", row->path}, {"what", row->note}});
    print_json({{"folder", folder},
                {"files", rows.size()},
                {"pages", pages},
                {"left_alone", std::move(notes)},
                {"conflicts", conflicts_json(conflicts)}});
    return {};
  }
  print(folder.empty() ? std::string("keel.toml names no folder: [memory] folder = \"...\"\n")
                       : fmt::format("{}: {} files, {} pages\n", folder, rows.size(), pages));
  for (const memory::SyncRow* row : left)
    print(fmt::format("  {}: {}\n", printable(row->path, 300), printable(row->note, 300)));
  print_conflicts(conflicts);
  return {};
}

Status sync(const MemoryFolderArguments& arguments) {
  std::unique_ptr<Assembly> assembly = TRY(open_for_sync());
  if (arguments.status) return sync_status(*assembly, arguments);
  memory::SyncOptions options;
  options.deletions = arguments.forget_deleted;
  options.rewrite = arguments.rewrite_deleted;
  const memory::SyncReport report = TRY(sync_once(*assembly, arguments.folder, options));
  if (arguments.json)
    print_json(memory::sync_json(report));
  else
    print_sync(report);
  return {};
}

Status conflicts(const MemoryConflictsArguments& arguments) {
  std::unique_ptr<Assembly> assembly = TRY(open_for_sync());
  if (arguments.settle.empty()) {
    const auto open = TRY(open_conflicts_of(*assembly));
    if (arguments.json)
      print_json({{"conflicts", conflicts_json(open)}});
    else
      print_conflicts(open);
    return {};
  }
  std::int64_t number = 0;
  const char* end = arguments.settle.data() + arguments.settle.size();
  const bool is_number =
      std::from_chars(arguments.settle.data(), end, number).ptr == end && number > 0;
  if (!is_number && arguments.settle != "all")
    return fail(Code::invalid_argument, "'" + printable(arguments.settle, 40) + "' is no conflict",
                "Name its number, or all.");
  const std::int64_t settled = TRY(assembly->database().write([&](store::Connection& connection) {
    return memory::settle_conflicts(connection, is_number ? number : 0);
  }));
  if (settled == 0 && is_number)
    return fail(Code::not_found, fmt::format("there is no open conflict {}", number),
                "keel memory conflicts lists them.");
  if (arguments.json)
    print_json({{"settled", settled}});
  else
    print(fmt::format("Settled: {}\n", settled));
  return {};
}

}  // namespace

int memory_sync_command(const MemoryFolderArguments& arguments) {
  return report(sync(arguments));
}
int memory_conflicts_command(const MemoryConflictsArguments& arguments) {
  return report(conflicts(arguments));
}

}  // namespace keel::app
