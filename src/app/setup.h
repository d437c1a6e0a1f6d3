// What most commands begin with: the configuration, the folder, the log and the lock.
#pragma once

#include "base/result.h"
#include "config/config.h"
#include "rt/fd.h"

namespace keel::app {

// KEEL_HOME's configuration; a missing keel.toml gives the defaults, with `exists` false.
Result<config::Config> load_config();
// The same for commands that cannot do without keel.toml: a missing one is Code::config with the
// first steps.
Result<config::Config> need_config();

// Makes KEEL_HOME and its folders (0700) and opens the log.
Status open_home(const config::Config& config);

// The right to run turns on this KEEL_HOME, held as long as the descriptor; Code::busy names the
// process that holds it. `serves`: this process is the daemon, whom others may wait for.
Result<rt::Fd> lock_home(const config::Config& config, bool serves);
// The process id of the daemon that holds that right or held it last; empty if it was not a daemon.
std::string serving_process(const config::Config& config);

// The GGUF files of KEEL_HOME/models, by name.
std::vector<std::string> models_in(const std::string& home);

}  // namespace keel::app
