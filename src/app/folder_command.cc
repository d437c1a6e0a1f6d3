// keel memory export and import: memory as a folder of files.
#include <fmt/format.h>

#include "app/assembly.h"
#include "app/commands.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/folder/export.h"
#include "memory/foreign/import.h"
#include "memory/memory.h"

namespace keel::app {
namespace {

constexpr std::size_t shown_problems = 50;

Status write_folder(const MemoryExportArguments& arguments) {
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  memory::ExportOptions options;
  options.agent_name = assembly->config().agent_name;
  options.exported = iso_time(assembly->clock().wall_ms());
  options.force = arguments.force;
  const memory::ExportReport report = TRY(
      memory::export_folder(assembly->memory(), assembly->database(), arguments.folder, options));
  if (arguments.json) {
    print_json({{"folder", report.folder},
                {"pages", report.pages},
                {"revisions", report.revisions},
                {"forgotten", report.tombstones},
                {"words", report.aliases},
                {"retrievals", report.retrievals},
                {"files_removed", report.removed}});
    return {};
  }
  print(fmt::format("Exported {} pages with {} revisions and {} retrievals to {}\n", report.pages,
                    report.revisions, report.retrievals, report.folder));
  if (report.removed > 0)
    print(fmt::format("Removed {} files of pages that are gone.\n", report.removed));
  print("keel memory import " + report.folder + " takes it back.\n");
  return {};
}

void print_problem(const memory::Problem& one) {
  const std::string place = one.line > 0 ? fmt::format("{}:{}", one.file, one.line) : one.file;
  print(fmt::format("  {}{}: {}\n", one.skipped ? "not taken: " : "", printable(place, 300),
                    printable(one.what, 300)));
}

void print_import(const memory::ImportReport& report, bool dry_run) {
  print(fmt::format("{}{}: {} files\n", dry_run ? "Dry run, nothing was written. " : "",
                    report.source, report.files));
  std::string kinds;
  for (const auto& [kind, count] : report.kinds)
    kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", count, kind);
  print(fmt::format("  {:>7} {}{}\n", report.added,
                    dry_run ? "pages would be added" : "pages added",
                    kinds.empty() ? "" : " (" + kinds + ")"));
  if (report.restored > 0)
    print(fmt::format("  {:>7} of them with all their revisions\n", report.restored));
  if (report.changed > 0)
    print(fmt::format("  {:>7} {}\n", report.changed, "pages changed by edits of their files"));
  if (report.known > 0) print(fmt::format("  {:>7} known already\n", report.known));
  if (report.skipped > 0) print(fmt::format("  {:>7} not taken\n", report.skipped));
  if (dry_run)
    for (const std::string& title : report.titles) print("    " + printable(title, 100) + "\n");
  for (std::size_t i = 0; i < report.problems.size() && i < shown_problems; ++i)
    print_problem(report.problems[i]);
  const auto more = static_cast<std::int64_t>(report.problems.size()) + report.more_problems -
                    static_cast<std::int64_t>(shown_problems);
  if (more > 0) print(fmt::format("  and {} more; --json shows them\n", more));
}

Status read_folder(const MemoryImportArguments& arguments) {
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  const memory::ImportOptions options{arguments.origin, arguments.dry_run};
  const memory::RestoreOptions restore{arguments.forgotten};
  memory::ImportReport report;
  TRY(memory::import_path(assembly->memory(), assembly->database(), arguments.path, options,
                          restore, report));
  if (arguments.json) {
    Json json = memory::report_json(report);
    json["dry_run"] = arguments.dry_run;
    print_json(json);
  } else {
    print_import(report, arguments.dry_run);
  }
  return {};
}

}  // namespace

int memory_export_command(const MemoryExportArguments& arguments) {
  return report(write_folder(arguments));
}
int memory_import_command(const MemoryImportArguments& arguments) {
  return report(read_folder(arguments));
}

}  // namespace keel::app
