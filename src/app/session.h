// Somebody to talk to: the daemon if it runs, else an agent in this process.
#pragma once

#include <functional>
#include <memory>
#include <string>

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

// Alone, it first takes up the turns that a crash left open; events of those go to `sink`. A daemon
// that is starting (it does the same before it listens) or ending is waited for, at most
// limits::daemon_ready_wait; `on_wait` is told once what for.
Result<OpenSession> open_session(const config::Config& config, const agent::EventSink& sink,
                                 const std::function<void(const std::string&)>& on_wait);

}  // namespace keel::app
