// keel memory sync: memory and its mirrors.
#include <fmt/format.h>

#include "app/assembly.h"
#include "app/commands.h"
#include "app/notion_mirror.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/limits.h"
#include "base/text.h"

namespace keel::app {
namespace {

namespace notion = memory::notion;

void print_status(const NotionState& state, const notion::MirrorStatus& status) {
  print("Notion: " + state.text + "\n");
  if (!state.hint.empty()) print("  " + state.hint + "\n");
  for (const notion::Entry& entry : status.troubled)
    print(fmt::format("  {} {}: {}\n", entry.page_id, entry.state, printable(entry.note, 200)));
  for (const notion::ConflictRecord& one : status.conflicts)
    print(fmt::format(
        "  {} ({}) was changed on both sides on {}: revision {} stands, revision {} "
        "is the other text\n",
        one.page_id, printable(one.title, 60), iso_day(one.at_ms), one.kept_rev, one.lost_rev));
}

void print_report(const notion::Report& report) {
  print(fmt::format("To Notion:   {} created, {} updated, {} put into its trash\n", report.created,
                    report.updated, report.trashed));
  print(fmt::format("From Notion: {} changed, {} new, {} forgotten\n", report.taken, report.adopted,
                    report.deleted));
  for (const std::string& notice : report.notices) print("  " + printable(notice, 300) + "\n");
  if (report.full) print("  Notion is full and takes no new pages: they stay here.\n");
}

Status status(const config::Config& config, bool json) {
  std::unique_ptr<Assembly> assembly = TRY(Assembly::open(config, Assembly::Extent::memory));
  const notion::MirrorStatus status =
      TRY(notion::mirror_status(assembly->database(), assembly->clock()));
  if (json)
    print_json({{"notion", status.json()}});
  else
    print_status(notion_state(config, assembly->database()), status);
  return {};
}

Status sync(const MemorySyncArguments& arguments) {
  config::Config config = TRY(load_config());
  if (arguments.status) return status(config, arguments.json);
  std::unique_ptr<Assembly> assembly = TRY(Assembly::open(config, Assembly::Extent::tools));
  std::unique_ptr<notion::Mirror> mirror = TRY(open_mirror(*assembly));
  const rt::Fd lock = TRY(lock_notion(config, limits::notion_lock_wait_ms));
  notion::SyncOptions options;
  options.compare_all = arguments.full;
  options.accept_deletions = arguments.accept_deletions;
  notion::Report report;
  Status done = mirror->sync(options, report, {});
  if (arguments.json)
    print_json({{"notion", report.json()}});
  else
    print_report(report);
  return done;
}

}  // namespace

int memory_sync_command(const MemorySyncArguments& arguments) {
  return report(sync(arguments));
}

}  // namespace keel::app
