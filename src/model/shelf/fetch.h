// The reading of one version of a file: workers take the missing pieces in order, each with a
// connection of its own, until all is there or asking further is of no use.
//
// Threads: run() blocks the caller, who gets the progress; the workers end before it returns.
#pragma once

#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "model/shelf/hub.h"
#include "model/shelf/partial.h"
#include "model/shelf/pull.h"

namespace keel::shelf {

class Fetch {
 public:
  Fetch(const Hub& hub, const Facts& facts, Partial& partial, const PullOptions& options)
      : hub_(hub), facts_(facts), partial_(partial), options_(options) {}

  // done, changed or failed; what has arrived is in the state either way. After a stop: failed with
  // Code::cancelled.
  End run(std::stop_token stop);

 private:
  void work(std::stop_token stop);
  bool read_one(Span piece, std::stop_token stop);
  bool wait_again(const End& end, std::stop_token stop);
  void end_with(End end);
  void watch(std::stop_token stop);
  void share_out();

  const Hub& hub_;
  const Facts& facts_;
  Partial& partial_;
  const PullOptions& options_;

  std::mutex mutex_;
  std::stop_source ended_;  // fires with the first end that is not done
  std::optional<End> end_;  // the first one
  int barren_ = 0;          // attempts in a row that brought nothing
  int running_ = 0;         // workers
  std::string trouble_;     // shown while nothing arrives
  int workers_ = 1;         // these two are set before the workers start
  std::uint64_t piece_bytes_ = 0;
};

}  // namespace keel::shelf
