// Counts prompts while the engine answers others: it looks at the model's vocabulary and template
// alone, which nobody changes while the model is loaded, on a thread of its own.
//
// Threads: any.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "model/inference/context.h"
#include "model/inference/template.h"
#include "model/local/protocol.h"
#include "rt/queue.h"
#include "rt/thread.h"

namespace keel::local {

class Counter {
 public:
  using Emit = std::function<void(const EngineEvent&)>;
  // `emit` is called on the counter's thread with a CountEvent or an ErrorEvent for each request.
  explicit Counter(Emit emit);
  ~Counter();
  // The model to count for from now on; none before it is freed. Waits for the count that runs.
  void use(const Context* context);
  // False if limits::engine_counts wait already.
  bool push(CountRequest request);

 private:
  Result<CountEvent> count(const CountRequest& request);

  const Emit emit_;
  rt::Queue<CountRequest> requests_;
  std::mutex mutex_;
  const Context* context_ = nullptr;
  std::unique_ptr<ChatTemplate> chat_;
  rt::Thread thread_;
};

}  // namespace keel::local
