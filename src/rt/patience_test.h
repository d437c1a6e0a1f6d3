// Time in tests. A test waits for a condition, never for a fixed time: quick where the machine is,
// patient where it is not. Sanitizers slow a program down 5 to 15 times, and other programs share
// the processors, so bounds that are promises to the owner ("a stop acts within a second") are
// kept as they are without sanitizers and widened with them.
#pragma once

#include <chrono>
#include <functional>

#include "rt/thread.h"

namespace keel::rt {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

// For what comes at once on an idle machine and must come some time on any.
inline constexpr std::chrono::seconds patience{sanitized ? 90 : 30};

// How long something may take that is promised within `time`.
constexpr std::chrono::milliseconds promised(std::chrono::milliseconds time) {
  return sanitized ? 10 * time : time;
}

// Waits until the condition holds; false if it still does not after all patience.
inline bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    sleep_ms(5);
  }
  return true;
}

}  // namespace keel::rt
