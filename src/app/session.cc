#include "app/session.h"

#include <sys/stat.h>

#include <chrono>

#include "agent/agent.h"
#include "app/setup.h"
#include "base/limits.h"
#include "base/text.h"
#include "gateway/client.h"
#include "log/log.h"
#include "rt/thread.h"

namespace keel::app {

agent::Session& OpenSession::session() {
  if (daemon) return *daemon;
  return alone->agent();
}

namespace {

constexpr int look_again_ms = 100;

// A daemon that was killed leaves its socket behind; nobody listens there. Other errors are the
// owner's to see.
Result<bool> join_daemon(const config::Config& config, OpenSession& opened) {
  struct stat found{};
  if (::stat(config.socket_path().c_str(), &found) != 0) return false;
  Result<std::unique_ptr<gateway::Client>> client = gateway::Client::connect(config.socket_path());
  if (client) {
    opened.daemon = std::move(*client);
    return true;
  }
  const Code code = client.error().code;
  if (code == Code::io || code == Code::not_found || code == Code::unavailable) return false;
  return pass(client.error());
}

// False while another process holds the lock of KEEL_HOME and is a daemon.
Result<bool> work_alone(const config::Config& config, OpenSession& opened) {
  Result<std::unique_ptr<Assembly>> assembly = Assembly::open(config, Assembly::Extent::agent);
  if (assembly) {
    opened.alone = std::move(*assembly);
    return true;
  }
  if (assembly.error().code == Code::busy && !serving_process(config).empty()) return false;
  return pass(assembly.error());
}

}  // namespace

Result<OpenSession> open_session(const config::Config& config, const agent::EventSink& sink,
                                 const std::function<void(const std::string&)>& on_wait) {
  OpenSession opened;
  const auto begun = std::chrono::steady_clock::now();
  bool told = false;
  for (;;) {
    if (TRY(join_daemon(config, opened))) return opened;
    if (TRY(work_alone(config, opened))) break;
    const std::string daemon = "keel serve (process " + printable(serving_process(config)) + ")";
    if (std::chrono::steady_clock::now() - begun > limits::daemon_ready_wait) {
      return fail(Code::busy, daemon + " holds " + config.home + " but does not answer",
                  config.home + "/logs/keel.log says what it does. To go on without it, end it.");
    }
    if (!told) on_wait(daemon + " is starting or ending; waiting for it ...");
    told = true;
    rt::sleep_ms(look_again_ms);
  }
  agent::Recovered recovered = TRY(opened.alone->agent().recover(sink, {}));
  if (recovered.finished + recovered.failed > 0) {
    log::info("app", "taken up after a crash: {} turns finished, {} failed", recovered.finished,
              recovered.failed);
  }
  return opened;
}

}  // namespace keel::app
