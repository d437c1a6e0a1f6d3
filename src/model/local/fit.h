// How a model is loaded so that it fits this machine: asks an engine child what it needs
// (engine-protocol.md, `need`), looks at the machine and makes the plan (model/budget/). What the
// child measured is kept in KEEL_HOME/needs.json (docs/formats/needs.md) until the model, the
// settings or the engine change; the machine is looked at anew each time.
//
// Any thread. A dry run takes about as long as reading the vocabulary.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/budget/plan.h"
#include "model/local/tune.h"

namespace keel::local {

struct FitOptions {
  std::string path;                      // of the GGUF, absolute
  std::string home;                      // cpu.json, profile.json, needs.json; empty: nothing kept
  std::string program;                   // to run as engine; empty: this one
  std::string library;                   // the CPU library; empty: chosen
  std::string library_folder;            // empty: beside the program
  std::vector<std::string> environment;  // of the child
  int context = 0;                       // tokens; 0: chosen
  int threads = 0;                       // 0: chosen
  bool gpu = true;                       // a graphics processor may be used
};

// What was measured for this model (tune.h), or what was chosen for the machine.
Result<EngineSettings> settings_for(const FitOptions& options);

struct Fit {
  budget::Needs needs;
  budget::Machine machine;
  budget::Plan plan;
};
Result<Fit> fit_model(const FitOptions& options, const EngineSettings& settings);

// Whether a library's complaint is about memory. llama.cpp has no code of its own for that.
bool speaks_of_memory(std::string_view complaint);

}  // namespace keel::local
