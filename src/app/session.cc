#include "app/session.h"

#include <sys/stat.h>

#include "agent/agent.h"
#include "gateway/client.h"
#include "log/log.h"

namespace keel::app {

agent::Session& OpenSession::session() {
  if (daemon) return *daemon;
  return alone->agent();
}

Result<OpenSession> open_session(const config::Config& config, const agent::EventSink& sink) {
  OpenSession opened;
  struct stat found{};
  if (::stat(config.socket_path().c_str(), &found) == 0) {
    Result<std::unique_ptr<gateway::Client>> client =
        gateway::Client::connect(config.socket_path());
    if (client) {
      opened.daemon = std::move(*client);
      return opened;
    }
    // A daemon that was killed leaves its socket behind; nobody listens there. Other errors are the
    // owner's to see.
    bool dead = client.error().code == Code::io || client.error().code == Code::not_found ||
                client.error().code == Code::unavailable;
    if (!dead) return pass(client.error());
  }
  opened.alone = TRY(Assembly::open(config, Assembly::Extent::agent));
  agent::Recovered recovered = TRY(opened.alone->agent().recover(sink, {}));
  if (recovered.finished + recovered.failed > 0) {
    log::info("app", "taken up after a crash: {} turns finished, {} failed", recovered.finished,
              recovered.failed);
  }
  return opened;
}

}  // namespace keel::app
