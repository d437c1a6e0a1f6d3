// What makes this model fastest on this machine, found by measuring it: CPU library, attention
// path, threads, rearranged weights, tokens read at once, a cache of half the size. Each candidate
// runs in an engine child of its own, so one that dies is only a row of the table. The result is
// kept in KEEL_HOME/profile.json, one entry a model, until the model, the machine or keel's engine
// change.
//
// Any thread; the machine should be otherwise idle. Bounds: limits.h, "model/local".
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/local/cpu.h"
#include "model/local/protocol.h"

namespace keel::local {

struct EngineSettings {
  std::string library;    // path of the CPU library
  std::string gpu;        // path of the GPU library; empty: the processors compute everything
  std::string attention;  // as in LoadRequest
  std::string cache;      // as in LoadRequest
  int threads = 0;
  int batch = 0;
  bool repack = true;
};
// Those of a model that was not measured here. `gpu`: a graphics processor may be used.
EngineSettings usual_settings(const CpuChoice& cpu, bool gpu);
// "zen4, own attention (avx512), 2 threads", for people.
std::string settings_text(const EngineSettings& settings);
// What loads a model with them; context: tokens, 0: chosen.
LoadRequest load_request(const std::string& model_path, int context,
                         const EngineSettings& settings);

struct Trial {
  EngineSettings settings;
  std::string failed;     // why there are no figures; empty if there are
  double read_tps = 0.0;  // tokens a second
  double write_tps = 0.0;
  double turn_seconds =
      0.0;  // a typical turn: limits::tune_turn_read read, tune_turn_write written
};

struct Profile {
  EngineSettings best;
  std::vector<Trial> trials;  // the first: what llama.cpp does by itself
  std::int64_t depth = 0;     // tokens before those that were timed
  double took_seconds = 0.0;
};

struct TuneOptions {
  std::string model_path;
  std::string home;            // cpu.json and profile.json
  std::string program;         // empty: this one
  std::string library_folder;  // empty: beside the program
  std::vector<std::string> environment;
  double trial_seconds = 6.0;  // of computing, for each candidate
};

// Called before each trial: how many are done, of how many at most, and what is tried.
using OnTrial = std::function<void(int done, int of, const std::string& what)>;

// Measures and keeps the result.
Result<Profile> tune(const TuneOptions& wish, const OnTrial& on_trial, std::stop_token stop);

// Under which name profile.json keeps a model's settings; exposed for tests. Empty if there is no
// such model.
std::string profile_key(const std::string& model_path, const std::string& machine);

// The kept settings for this model, or Code::not_found; Code::corrupt if the file was changed to
// what no engine can be started with. `machine`: CpuChoice::fingerprint.
Result<EngineSettings> kept_settings(const std::string& home, const std::string& model_path,
                                     const std::string& machine);

// One row of `keel model bench`.
struct DepthSpeed {
  std::int64_t depth = 0;
  double read_tps = 0.0;
  double write_tps = 0.0;
  double write_limit_tps = 0.0;  // what reading weights and cache once a token would allow
};
struct Bench {
  EngineSettings settings;
  double memory_bytes_per_second = 0.0;  // measured with as many threads; 0: not measured
  std::vector<DepthSpeed> rows;
};
// With the settings that an answer would be computed with.
Result<Bench> bench(const TuneOptions& wish, const OnTrial& on_trial, std::stop_token stop);

}  // namespace keel::local
