// Leaves a model alone that fails again and again, and tries it now and then: closed, after
// limits::breaker_failures failures in a row open for a pause, then half-open: one call may try it.
// A success closes it, a failure opens it for twice as long, up to limits::breaker_pause_max. A
// service that says when to come back is left alone until then.
//
// Not thread-safe. Times are the caller's.
#pragma once

#include <chrono>
#include <string>

#include "base/error.h"

namespace keel::model {

class Breaker {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class State { closed, open, half_open };

  // half_open while a call that tries it has not ended: others are told `open` then.
  State state(Time now) const;
  // Until a call may try it again; 0 unless open.
  std::chrono::milliseconds wait(Time now) const;
  // Why it opened: the last failure.
  const std::string& why() const { return why_; }
  int failures() const { return failures_; }

  // Whether a call may go to it now. A half-open breaker lets one through, until that has ended.
  bool admit(Time now);
  void succeeded();
  void failed(Time now, const Error& error);
  // The call ended without saying anything about the model: it was stopped, or its prompt was too
  // long.
  void neither();

 private:
  int failures_ = 0;
  bool trying_ = false;
  std::chrono::milliseconds pause_{0};
  Time until_{};
  std::string why_;
};

// Whether an error says something about the model, and not about what it was asked.
bool is_models_fault(const Error& error);

}  // namespace keel::model
