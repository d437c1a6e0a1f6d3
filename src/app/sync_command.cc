// keel memory sync and conflicts: memory, its folder and its mirror in Notion.
#include <fmt/format.h>

#include <charconv>

#include "app/assembly.h"
#include "app/commands.h"
#include "app/folder_sync.h"
#include "app/notion_mirror.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/folder/sync.h"
#include "memory/memory.h"

namespace keel::app {
namespace {

namespace notion = memory::notion;

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
                    "  --accept-deletions forgets them, --rewrite-deleted writes the files again\n",
                    report.held_back));
  for (const memory::Problem& one : report.problems) {
    const std::string place = one.line > 0 ? fmt::format("{}:{}", one.file, one.line) : one.file;
    print(fmt::format("  {}: {}\n", printable(place, 300), printable(one.what, 300)));
  }
}

void print_notion_conflicts(const std::vector<notion::ConflictRecord>& conflicts) {
  for (const notion::ConflictRecord& one : conflicts)
    print(fmt::format(
        "  {} ({}) was changed here and in Notion on {}: revision {} stands, revision {} is the "
        "other text\n",
        one.page_id, printable(one.title, 60), local_day(one.at_ms), one.kept_rev, one.lost_rev));
}

void print_notion_status(const NotionState& state, const notion::MirrorStatus& status) {
  print("Notion: " + state.text + "\n");
  if (!state.hint.empty()) print("  " + state.hint + "\n");
  for (const notion::Entry& entry : status.troubled)
    print(fmt::format("  {} {}: {}\n", entry.page_id, entry.state, printable(entry.note, 200)));
  print_notion_conflicts(status.conflicts);
}

void print_notion(const notion::Report& report) {
  print(fmt::format("To Notion:   {} created, {} updated, {} put into its trash\n", report.created,
                    report.updated, report.trashed));
  print(fmt::format("From Notion: {} changed, {} new, {} forgotten\n", report.taken, report.adopted,
                    report.deleted));
  for (const std::string& notice : report.notices) print("  " + printable(notice, 300) + "\n");
  if (report.full) print("  Notion is full and takes no new pages: they stay here.\n");
}

Result<Json> folder_status(Assembly& assembly, const std::string& folder, bool json) {
  const auto conflicts = TRY(open_conflicts_of(assembly));
  const auto rows = TRY(assembly.database().read(
      [&](store::Connection& connection) { return memory::read_rows(connection, folder); }));
  std::int64_t pages = 0;
  std::vector<const memory::SyncRow*> left;
  for (const auto& [path, row] : rows) {
    pages += !row.page_id.empty();
    if (!row.note.empty()) left.push_back(&row);
  }
  if (!json) {
    print(fmt::format("{}: {} files, {} pages\n", folder, rows.size(), pages));
    for (const memory::SyncRow* row : left)
      print(fmt::format("  {}: {}\n", printable(row->path, 300), printable(row->note, 300)));
    print_conflicts(conflicts);
  }
  Json notes = Json::array();
  for (const memory::SyncRow* row : left)
    notes.push_back({{"file", row->path}, {"what", row->note}});
  return Json{{"folder", folder},
              {"files", rows.size()},
              {"pages", pages},
              {"left_alone", std::move(notes)},
              {"conflicts", conflicts_json(conflicts)}};
}

Status status(const config::Config& config, const MemorySyncArguments& arguments) {
  std::unique_ptr<Assembly> assembly = TRY(Assembly::open(config, Assembly::Extent::memory));
  const std::string folder = synced_folder(config, arguments.folder);
  Json json = Json::object();
  if (!folder.empty()) json["folder"] = TRY(folder_status(*assembly, folder, arguments.json));
  const notion::MirrorStatus mirror =
      TRY(notion::mirror_status(assembly->database(), assembly->clock()));
  json["notion"] = mirror.json();
  if (arguments.json)
    print_json(json);
  else
    print_notion_status(notion_state(config, assembly->database()), mirror);
  return {};
}

Result<Json> sync_with_folder(Assembly& assembly, const MemorySyncArguments& arguments) {
  memory::SyncOptions options;
  options.deletions = arguments.accept_deletions;
  options.rewrite = arguments.rewrite_deleted;
  const memory::SyncReport report = TRY(sync_once(assembly, arguments.folder, options));
  if (!arguments.json) print_sync(report);
  return memory::sync_json(report);
}

Status sync_with_notion(Assembly& assembly, const MemorySyncArguments& arguments, Json& json) {
  std::unique_ptr<notion::Mirror> mirror = TRY(open_mirror(assembly));
  const rt::Fd lock = TRY(lock_notion(assembly.config(), limits::notion_lock_wait_ms));
  notion::SyncOptions options;
  options.compare_all = arguments.full;
  options.accept_deletions = arguments.accept_deletions;
  notion::Report report;
  Status done = mirror->sync(options, report, {});
  json = report.json();
  if (!arguments.json) print_notion(report);
  return done;
}

// The folder first: what its owner wrote goes on to Notion at once.
Status sync(const MemorySyncArguments& arguments) {
  config::Config config = TRY(load_config());
  if (arguments.status) return status(config, arguments);
  const bool folder = !synced_folder(config, arguments.folder).empty();
  const bool with_notion =
      arguments.folder.empty() && (!folder || !config.notion.data_source.empty());
  std::unique_ptr<Assembly> assembly =
      TRY(Assembly::open(config, with_notion ? Assembly::Extent::tools : Assembly::Extent::memory));
  Json json = Json::object();
  if (folder) json["folder"] = TRY(sync_with_folder(*assembly, arguments));
  Status done;
  if (with_notion) done = sync_with_notion(*assembly, arguments, json["notion"]);
  const bool said = folder || (with_notion && !json["notion"].is_null());
  if (arguments.json && said) print_json(json);
  return done;
}

Status conflicts(const MemoryConflictsArguments& arguments) {
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  if (arguments.settle.empty()) {
    const auto open = TRY(open_conflicts_of(*assembly));
    const notion::MirrorStatus mirror =
        TRY(notion::mirror_status(assembly->database(), assembly->clock()));
    if (arguments.json) {
      print_json({{"conflicts", conflicts_json(open)}, {"notion", mirror.json()["conflicts"]}});
      return {};
    }
    if (!open.empty() || mirror.conflicts.empty()) print_conflicts(open);
    print_notion_conflicts(mirror.conflicts);
    if (!mirror.conflicts.empty())
      print("keel memory conflicts --settle all takes those of Notion off this list.\n");
    return {};
  }
  std::int64_t number = 0;
  const char* end = arguments.settle.data() + arguments.settle.size();
  const bool is_number =
      std::from_chars(arguments.settle.data(), end, number).ptr == end && number > 0;
  if (!is_number && arguments.settle != "all")
    return fail(Code::invalid_argument, "'" + printable(arguments.settle, 40) + "' is no conflict",
                "Name its number, or all.");
  std::int64_t settled = TRY(assembly->database().write([&](store::Connection& connection) {
    return memory::settle_conflicts(connection, is_number ? number : 0);
  }));
  if (!is_number) settled += TRY(notion::Ledger(assembly->database()).clear_conflicts());
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

int memory_sync_command(const MemorySyncArguments& arguments) {
  return report(sync(arguments));
}
int memory_conflicts_command(const MemoryConflictsArguments& arguments) {
  return report(conflicts(arguments));
}

}  // namespace keel::app
