// How much each key may ask for: answers at once, requests a minute, tokens and money a day. A
// minute is the last sixty seconds, a day the owner's own. What is being made is finished, so the
// answers that run when a day's bound is reached may go over it.
//
// Threads: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "config/config.h"

namespace keel::api {

struct Spent {
  std::int64_t tokens = 0;  // read anew or written
  double usd = 0.0;
};

class Quotas {
 public:
  using Limits = std::map<std::string, config::KeyLimits>;  // by the key's name
  // `today`: what was spent before this start. Who is not in `limits` has no bound.
  Quotas(const Clock& clock, Limits limits, std::map<std::string, Spent> today = {});

  struct Refusal {
    std::string why;  // names the key of keel.toml that says so
    std::int64_t retry_after_s = 1;
  };
  // Takes one answer's place, or says why not. leave() gives it back.
  std::optional<Refusal> enter(const std::string& key);
  void leave(const std::string& key);
  void spend(const std::string& key, const Spent& spent);

  // What is left of a bound, and how long until all of it is there again.
  struct Left {
    std::int64_t limit = 0;
    std::int64_t remaining = 0;
    std::chrono::milliseconds reset{0};
  };
  struct State {
    std::optional<Left> requests;
    std::optional<Left> tokens;
  };
  State state(const std::string& key);

 private:
  using Steady = std::chrono::steady_clock::time_point;
  struct Use {
    std::int64_t at_once = 0;
    std::deque<Steady> minute;  // when the requests of the last minute came
    std::string day;
    Spent spent;
  };
  const config::KeyLimits& limits_of(const std::string& key) const;
  Use& use_of(const std::string& key);  // of now

  const Clock& clock_;
  const Limits limits_;
  std::mutex mutex_;
  std::map<std::string, Use> uses_;
};

// Until the next midnight of the machine's zone; at least 1.
std::int64_t seconds_to_midnight(WallMs now);

}  // namespace keel::api
