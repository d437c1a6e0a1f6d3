#include "model/route/breaker.h"

#include <algorithm>

#include "base/limits.h"

namespace keel::model {

bool is_models_fault(const Error& error) {
  switch (error.code) {
    case Code::limit:  // the prompt
    case Code::cancelled:
    case Code::invalid_argument:
    case Code::disk_full:
      return false;
    default:
      return true;
  }
}

Breaker::State Breaker::state(Time now) const {
  if (until_ == Time{}) return State::closed;
  return now < until_ || trying_ ? State::open : State::half_open;
}

std::chrono::milliseconds Breaker::wait(Time now) const {
  if (until_ == Time{} || now >= until_) return std::chrono::milliseconds(0);
  return std::chrono::ceil<std::chrono::milliseconds>(until_ - now);
}

bool Breaker::admit(Time now) {
  const State is = state(now);
  if (is == State::open) return false;
  trying_ = is == State::half_open;
  return true;
}

void Breaker::succeeded() {
  *this = Breaker();
}

void Breaker::failed(Time now, const Error& error) {
  ++failures_;
  why_ = error.message;
  const bool was_open = until_ != Time{};
  const bool tried = trying_;
  trying_ = false;
  if (error.retry_after_ms > 0) {
    const auto asked = std::chrono::milliseconds(error.retry_after_ms);
    until_ =
        std::max(until_, now + std::min<std::chrono::milliseconds>(asked, std::chrono::hours(24)));
    return;
  }
  // Calls that were under way when it opened say nothing new.
  if (was_open && !tried) return;
  if (!was_open && failures_ < limits::breaker_failures) return;
  pause_ = pause_.count() == 0 ? std::chrono::milliseconds(limits::breaker_pause) : pause_ * 2;
  pause_ = std::min<std::chrono::milliseconds>(pause_, limits::breaker_pause_max);
  until_ = now + pause_;
}

void Breaker::neither() {
  trying_ = false;
}

}  // namespace keel::model
