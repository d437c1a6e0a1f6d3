// Somebody to talk to: the daemon if it runs, else an agent in this process.
#pragma once

#include <memory>

#include "agent/session.h"
#include "app/assembly.h"
#include "base/result.h"
#include "config/config.h"

namespace keel::app {

struct OpenSession {
  std::unique_ptr<agent::Session> daemon;  // one of the two
  std::unique_ptr<Assembly> alone;
  agent::Session& session();
};

// Alone, it first takes up the turns that a crash left open; events of those go to `sink`.
Result<OpenSession> open_session(const config::Config& config, const agent::EventSink& sink);

}  // namespace keel::app
