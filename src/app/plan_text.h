// The memory plan of a model in words, for `keel model memory` and doctor, and where both get it.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "config/config.h"
#include "model/local/fit.h"

namespace keel::app {

// The local model of keel.toml called `name`; empty: the default, or the first local one.
Result<const config::ModelConfig*> find_local_model(const config::Config& config, std::string name);

// Starts an engine child unless what the model needs is known already. Code::limit is in the plan,
// not an error here.
Result<local::Fit> fit_of(const config::Config& config, const config::ModelConfig& model);

// "needs 1.9 GB of 22.1 GB that keel can have; context 16384 tokens, 512 read at once".
std::string plan_summary(const local::Fit& fit);
// What memory goes to, one row each: what, bytes, why. Then what was shrunk.
std::vector<std::string> plan_rows(const budget::Plan& plan);
Json plan_json(const local::Fit& fit);

}  // namespace keel::app
