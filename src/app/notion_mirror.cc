#include "app/notion_mirror.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "log/log.h"
#include "memory/notion/client.h"
#include "rt/file.h"

namespace keel::app {

namespace notion = memory::notion;
using std::chrono::milliseconds;

Result<std::unique_ptr<notion::Client>> open_notion(const config::Config& config,
                                                    net::Client& net) {
  notion::ClientOptions options;
  options.base_url = config.notion.base_url;
  options.token = [token = config.notion.token] { return token.resolve(); };
  options.version = config.notion.version;
  options.per_second = config.notion.requests_per_second;
  return notion::Client::create(net, std::move(options));
}

Result<std::unique_ptr<notion::Mirror>> open_mirror(Assembly& assembly) {
  const config::NotionConfig& config = assembly.config().notion;
  if (assembly.notion() == nullptr || config.data_source.empty()) {
    return fail(Code::config, "keel.toml names nothing to sync memory with",
                "Add [memory] folder = \"PATH\" for a folder of Markdown files, or [notion] with a "
                "token and a data_source; docs/guide/folder.md and notion.md say how.");
  }
  return std::make_unique<notion::Mirror>(assembly.memory(), assembly.database(),
                                          *assembly.notion(), assembly.clock(),
                                          notion::MirrorOptions{config.data_source, config.owner});
}

Result<rt::Fd> lock_notion(const config::Config& config, int wait_ms) {
  constexpr int step_ms = 50;
  for (int waited = 0;; waited += step_ms) {
    Result<rt::Fd> lock = rt::lock_file(config.notion_lock_path());
    if (lock || lock.error().code != Code::busy) return lock;
    if (waited >= wait_ms)
      return fail(Code::busy, "another keel is syncing with Notion",
                  "keel serve does it by itself; keel memory sync --status says how things stand.");
    rt::sleep_ms(step_ms);
  }
}

NotionState notion_state(const config::Config& config, store::Database& database) {
  if (config.notion.data_source.empty())
    return {true, "tools only: [notion] names no data_source to mirror memory in", ""};
  const SystemClock clock;
  const Result<notion::MirrorStatus> status = notion::mirror_status(database, clock);
  if (!status) return {false, status.error().message, status.error().hint};
  const notion::Counts& counts = status->counts;
  std::string text = fmt::format("{} of {} pages are in Notion", counts.synced, counts.pages);
  if (counts.waiting + counts.sending > 0)
    text += fmt::format(", {} wait to be sent", counts.waiting + counts.sending);
  if (counts.refused > 0) text += fmt::format(", {} were refused", counts.refused);
  if (counts.held > 0) text += fmt::format(", {} wait for you", counts.held);
  if (counts.conflicts > 0) text += fmt::format(", {} conflicts", counts.conflicts);
  text += status->synced_ms > 0 ? "; last synced " + iso_time(status->synced_ms) : "; never synced";
  if (status->full)
    return {false, text + "; Notion is full and takes no new pages: they stay here",
            "Make room in the workspace or change its plan."};
  if (!status->problem.empty()) return {false, text + "; " + status->problem, status->problem_hint};
  const bool well = counts.refused + counts.held + counts.conflicts == 0;
  return {well, text, well ? "" : "keel memory sync --status tells more."};
}

std::unique_ptr<NotionWorker> NotionWorker::start(Assembly& assembly) {
  if (assembly.notion() == nullptr) return nullptr;
  Result<std::unique_ptr<notion::Mirror>> mirror = open_mirror(assembly);
  if (!mirror) return nullptr;
  return std::unique_ptr<NotionWorker>(new NotionWorker(assembly, std::move(*mirror)));
}

NotionWorker::NotionWorker(Assembly& assembly, std::unique_ptr<notion::Mirror> mirror)
    : assembly_(assembly),
      mirror_(std::move(mirror)),
      thread_(rt::start_thread("notion", [this](std::stop_token stop) { run(stop); })) {}

void NotionWorker::run(std::stop_token stop) {
  using std::chrono::steady_clock;
  steady_clock::time_point look_at = steady_clock::now();
  while (!stop.stop_requested()) {
    const bool look = steady_clock::now() >= look_at;
    const milliseconds rest = step(look, stop);
    if (look)
      look_at = steady_clock::now() + std::max<milliseconds>(rest, limits::notion_poll_time);
    rt::wait_for(rest, stop);
  }
}

milliseconds NotionWorker::step(bool look, std::stop_token stop) {
  const milliseconds soon = limits::notion_write_time;
  if (!look) {
    const Result<bool> waiting = mirror_->waiting();
    if (!waiting || !*waiting) return soon;
  }
  const Result<rt::Fd> lock = lock_notion(assembly_.config(), 0);
  if (!lock) return soon;
  notion::SyncOptions options;
  options.send_only = !look;
  notion::Report report;
  const Status done = mirror_->sync(options, report, stop);
  if (report.changes() > 0)
    log::info("notion", "created={} updated={} trashed={} taken={} adopted={} deleted={}",
              report.created, report.updated, report.trashed, report.taken, report.adopted,
              report.deleted);
  if (done || stop.stop_requested()) return soon;
  log::warn("notion", "{}", done.error().text());
  const Code code = done.error().code;
  const bool passes = code == Code::network || code == Code::timeout || code == Code::busy;
  return passes ? milliseconds(limits::notion_poll_time)
                : milliseconds(limits::notion_trouble_time);
}

}  // namespace keel::app
