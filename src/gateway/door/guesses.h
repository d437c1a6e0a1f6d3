// How often an address may guess. What counts is how many different wrong tokens it has shown
// lately: a program with an old token that asks again and again learns nothing by that, and must
// not lock out the others of its address.
//
// One thread at a time. Limits: limits.h, "gateway/api".
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace keel::api {

class Guesses {
 public:
  explicit Guesses(const Clock& clock) : clock_(clock) {}
  // Seconds until this address may show a token again; 0: now. Nothing is exempt, no address and
  // no token.
  int wait_s(const std::string& address);
  void wrong(const std::string& address, std::string_view token);

 private:
  using Steady = std::chrono::steady_clock::time_point;
  struct Guess {
    Steady when;
    std::string hash;
  };
  std::deque<Guess>& recent(const std::string& address);

  const Clock& clock_;
  std::map<std::string, std::deque<Guess>> addresses_;
};

}  // namespace keel::api
