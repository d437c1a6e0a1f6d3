// The local model as the agent sees it: starts the engine child, loads the model into it, passes
// requests and events, and starts a new child where one died. An answer that a child began is
// continued by the next one from its tokens, so nothing is streamed twice.
//
// Threads: as model.h says; generate() calls wait for each other. The child is idle (no processor
// time) between requests and ends when this object does.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "model/local/fit.h"
#include "model/model.h"

namespace keel::local {

// `home` is KEEL_HOME: logs/engine.log and kv/ too.
struct LocalOptions : FitOptions {
  std::string name;    // as in keel.toml
  bool drafts = true;  // guess what comes next (LoadRequest)
};

struct LocalStats {
  int restarts = 0;
  double load_ms = 0.0;
  std::string library;
  int threads = 0;
  int pid = -1;  // of the child; -1 if none runs
};

class LocalModel final : public model::Model {
 public:
  // Starts nothing yet; the file is looked at when the model is first used.
  static std::unique_ptr<LocalModel> create(LocalOptions options);
  ~LocalModel() override;

  model::Info info() const override;
  model::Readiness readiness() const override;
  Result<model::Response> generate(const model::Request& request, const model::Sink& sink,
                                   std::stop_token stop) override;
  Status prepare(const model::Request& request, const model::Sink& sink,
                 std::stop_token stop) override;
  // Loads the model if need be.
  Result<std::int64_t> count(const model::Request& request) override;
  void rest() override;

  LocalStats stats() const;

 private:
  struct State;
  explicit LocalModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace keel::local
