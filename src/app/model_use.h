// Which model the agent uses: the entries of keel.toml, the files of the shelf that have none yet,
// and the change from one to another. Memory and identity have no part in it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "model/shelf/shelf.h"

namespace keel::app {

// The name of the model that answers when nobody asks for another; empty if there is none.
std::string default_name(const config::Config& config);

// The entry of that name; Code::not_found names those there are.
Result<const config::ModelConfig*> find_model(const config::Config& config,
                                              const std::string& name);

// The files of KEEL_HOME/models that keel.toml does not name.
std::vector<shelf::Item> unnamed_files(const config::Config& config);

// Makes a model the default, from the next turn on: in keel.toml, which gains an entry if `name` is
// a file of the shelf, and in a daemon that runs. Gives the name in keel.toml.
Result<std::string> use_model(const std::string& name);

}  // namespace keel::app
