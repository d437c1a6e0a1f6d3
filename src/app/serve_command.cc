#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "account/egress.h"
#include "agent/agent.h"
#include "app/assembly.h"
#include "app/commands.h"
#include "app/folder_sync.h"
#include "app/notion_mirror.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/limits.h"
#include "gateway/api/surface.h"
#include "gateway/server.h"
#include "log/log.h"
#include "rt/frame.h"
#include "rt/thread.h"
#include "ui/terminal.h"

namespace keel::app {
namespace {

void say(const std::string& line) {
  ui::write_all(STDERR_FILENO, line + "\n");
}

// Returns with the first signal that asks for the end (true), or when `done` becomes readable
// (false).
bool wait_for_end(ui::Interrupts& interrupts, int done) {
  for (;;) {
    pollfd waits[] = {{interrupts.fd(), POLLIN, 0}, {done, POLLIN, 0}};
    if (::poll(waits, 2, -1) <= 0) continue;
    if (waits[0].revents != 0) {
      ui::Interrupts::Seen seen = interrupts.take();
      if (seen.interrupts > 0 || seen.leave) return true;
    }
    if (waits[1].revents != 0) return false;
  }
}

// Takes up what a crash left open; false if the owner wants the end before that is done.
Result<bool> recover(agent::Agent& agent, ui::Interrupts& interrupts) {
  std::pair<rt::Fd, rt::Fd> done = TRY(rt::socket_pair());
  Result<agent::Recovered> recovered = agent::Recovered{};
  bool ending = false;
  {
    std::stop_source stop;
    rt::Thread worker = rt::start_thread("recover", [&](std::stop_token) {
      recovered = agent.recover([](const agent::Event&) {}, stop.get_token());
      done.second.reset();
    });
    ending = wait_for_end(interrupts, done.first.get());
    if (ending) stop.request_stop();
  }
  if (ending) return false;
  agent::Recovered counts = TRY(std::move(recovered));
  if (counts.finished + counts.failed > 0) {
    say(fmt::format("keel serve: after the last crash {} turns were finished, {} failed",
                    counts.finished, counts.failed));
  }
  return true;
}

// Nothing if keel.toml wants none, or if another program has the port: the daemon is of use
// without.
Result<std::unique_ptr<api::Surface>> open_surface(const config::Config& config,
                                                   Assembly& assembly) {
  if (config.listen.empty()) return std::unique_ptr<api::Surface>();
  api::SurfaceOptions options{config.listen, config.listen_names, config.token_path(),
                              config.listen_plain, config.any_model};
  options.limits = config.key_limits;
  options.keys = config.keys;
  options.usage = &assembly.usage();
  options.more_metrics = [&ledger = assembly.ledger()] { return ledger.metrics(); };
  Result<std::unique_ptr<api::Surface>> surface =
      api::Surface::start(assembly.router(), assembly.clock(), std::move(options));
  if (!surface && surface.error().code == Code::busy) {
    say("keel serve: no HTTP: " + surface.error().text());
    return std::unique_ptr<api::Surface>();
  }
  return surface;
}

// Both ends at the same time, so that together they take no longer than one. True if all that was
// being done has ended.
bool drain(gateway::Server& server, api::Surface* surface) {
  bool surface_ended = true;
  rt::Thread other;
  if (surface != nullptr) {
    other = rt::start_thread("drain", [&](std::stop_token) {
      surface_ended = surface->drain(limits::drain_grace, limits::drain_time);
    });
  }
  const bool server_ended = server.drain(limits::drain_grace, limits::drain_time);
  if (other.joinable()) other.join();
  return server_ended && surface_ended;
}

Status serve() {
  config::Config config = TRY(need_config());
  for (const std::string& note : config.notes) say(note);
  ui::Interrupts interrupts = TRY(ui::Interrupts::create());
  std::unique_ptr<Assembly> assembly = TRY(Assembly::open(config, Assembly::Extent::daemon));
  if (!TRY(recover(assembly->agent(), interrupts))) return {};
  std::unique_ptr<gateway::Server> server =
      TRY(gateway::Server::start(assembly->agent(), config.socket_path()));
  std::unique_ptr<api::Surface> surface = TRY(open_surface(config, *assembly));
  std::unique_ptr<FolderWorker> folder = FolderWorker::start(*assembly);
  std::unique_ptr<NotionWorker> notion = NotionWorker::start(*assembly);
  if (surface) say("keel serve: http://" + config.listen + ", token in " + config.token_path());
  say(fmt::format("keel serve: ready, {}", config.socket_path()));
  log::info("app", "serving {}", config.socket_path());
  wait_for_end(interrupts, -1);
  say("keel serve: ending");
  folder.reset();
  notion.reset();
  if (!drain(*server, surface.get())) {
    // A turn that does not end is taken up at the next start, as after a crash.
    log::warn("app", "a turn did not end in time");
    std::_Exit(exit_ok);
  }
  surface.reset();
  server.reset();
  assembly.reset();
  log::info("app", "ended");
  return {};
}

}  // namespace

int serve_command() {
  return report(serve());
}

}  // namespace keel::app
