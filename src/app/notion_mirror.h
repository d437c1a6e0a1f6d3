// Notion as keel.toml names it: the client, the mirror of memory, and the daemon's thread that
// keeps the two together.
#pragma once

#include <memory>
#include <string>

#include "app/assembly.h"
#include "memory/notion/mirror.h"
#include "rt/thread.h"

namespace keel::app {

// [notion] must have a token.
Result<std::unique_ptr<memory::notion::Client>> open_notion(const config::Config& config,
                                                            net::Client& net);
// Code::config, with what to write into keel.toml, if there is no [notion] or no data_source in it.
Result<std::unique_ptr<memory::notion::Mirror>> open_mirror(Assembly& assembly);
// One sync at a time on this KEEL_HOME: waits while another process is at it.
Result<rt::Fd> lock_notion(const config::Config& config, int wait_ms);

struct NotionState {
  bool well = false;
  std::string text, hint;
};
// From the ledger, without a request.
NotionState notion_state(const config::Config& config, store::Database& database);

// Sends what changes here soon after it did, and looks at Notion from time to time.
class NotionWorker {
 public:
  // Nothing where keel.toml asks for no mirror.
  static std::unique_ptr<NotionWorker> start(Assembly& assembly);

 private:
  NotionWorker(Assembly& assembly, std::unique_ptr<memory::notion::Mirror> mirror);
  void run(std::stop_token stop);
  // How long to leave it alone after this.
  std::chrono::milliseconds step(bool look, std::stop_token stop);

  Assembly& assembly_;
  std::unique_ptr<memory::notion::Mirror> mirror_;
  rt::Thread thread_;  // last: it uses the others
};

}  // namespace keel::app
