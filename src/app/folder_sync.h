// The folder that is kept in step with memory: by the daemon on its own, by `keel memory sync` at
// once.
#pragma once

#include <memory>
#include <string>

#include "app/assembly.h"
#include "memory/folder/sync.h"
#include "rt/thread.h"

namespace keel::app {

// Absolute; the one of keel.toml where `folder` is empty, and nothing if that names none.
std::string synced_folder(const config::Config& config, const std::string& folder);
// One pass over `folder`, or over the one of keel.toml where it is empty; Code::config if there is
// none.
Result<memory::SyncReport> sync_once(Assembly& assembly, const std::string& folder,
                                     memory::SyncOptions options);

// Looks at the folder every limits::folder_poll_time, more seldom where a look takes long, until it
// is destroyed. What is wrong is in the log, once.
class FolderWorker {
 public:
  // Nothing without a folder in keel.toml.
  static std::unique_ptr<FolderWorker> start(Assembly& assembly);
  ~FolderWorker();

 private:
  explicit FolderWorker(Assembly& assembly);
  void run(const std::stop_token& stop);
  Assembly& assembly_;
  rt::Thread thread_;
};

}  // namespace keel::app
