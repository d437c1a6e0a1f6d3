#include "app/folder_sync.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/limits.h"
#include "base/text.h"
#include "log/log.h"

namespace keel::app {
namespace {

constexpr int lock_tries = 100;
constexpr int lock_wait_ms = 100;

}  // namespace

std::string synced_folder(const config::Config& config, const std::string& folder) {
  std::error_code code;
  std::string root = folder.empty()
                         ? config.memory_folder
                         : std::filesystem::absolute(folder, code).lexically_normal().string();
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  return root;
}

Result<memory::SyncReport> sync_once(Assembly& assembly, const std::string& folder,
                                     memory::SyncOptions options) {
  options.root = synced_folder(assembly.config(), folder);
  if (options.root.empty())
    return fail(Code::config, "keel.toml names no folder to keep in step with memory.",
                "Name one with --folder, or in keel.toml: [memory] folder = \"~/keel-notes\"");
  options.lock_path = assembly.config().home + "/folder.lock";
  // Another process is at it for a moment only.
  for (int tries = 0;; ++tries) {
    Result<memory::SyncReport> report =
        memory::sync_folder(assembly.memory(), assembly.database(), assembly.clock(), options);
    if (report || report.error().code != Code::busy || tries >= lock_tries) return report;
    rt::sleep_ms(lock_wait_ms);
  }
}

std::unique_ptr<FolderWorker> FolderWorker::start(Assembly& assembly) {
  if (assembly.config().memory_folder.empty()) return nullptr;
  return std::unique_ptr<FolderWorker>(new FolderWorker(assembly));
}

FolderWorker::FolderWorker(Assembly& assembly)
    : assembly_(assembly),
      thread_(rt::start_thread("folder", [this](std::stop_token stop) { run(stop); })) {}

FolderWorker::~FolderWorker() = default;

void FolderWorker::run(const std::stop_token& stop) {
  std::string last;
  while (!stop.stop_requested()) {
    const auto begun = std::chrono::steady_clock::now();
    const Result<memory::SyncReport> report = sync_once(assembly_, {}, {});
    const auto took = std::chrono::steady_clock::now() - begun;
    std::string words;
    if (!report) {
      words = report.error().text();
    } else {
      if (report->held_back > 0)
        words = std::to_string(report->held_back) +
                " files are gone at once; `keel memory sync` says what can be done";
      for (const memory::Problem& one : report->problems)
        words += (words.empty() ? "" : "; ") + printable(one.file) + ": " + printable(one.what);
      if (!report->quiet())
        log::info("memory", "folder: {}", dump_json(memory::sync_json(*report)));
    }
    if (words != last && !words.empty()) log::warn("memory", "folder: {}", shorten(words, 1000));
    last = words;
    rt::wait_for(std::max<std::chrono::steady_clock::duration>(limits::folder_poll_time, 20 * took),
                 stop);
  }
}

}  // namespace keel::app
