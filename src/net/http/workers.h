// The threads that handlers run on. A job that waits for a model may take minutes, so there are
// many; they are made when jobs come and end when none come for a while.
//
// Policy: so many threads at most, so many jobs wait beside those that run, more are refused.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>

#include "rt/thread.h"

namespace keel::http {

class Workers {
 public:
  Workers(std::size_t threads, std::size_t waiting, std::chrono::milliseconds idle_time)
      : most_(threads), bound_(threads + waiting), idle_time_(idle_time) {}
  ~Workers();  // waits for the jobs that run; those that wait are dropped
  // False if too many wait, or after stop().
  bool submit(std::function<void()> job);
  // Takes no more jobs, and drops those that wait.
  void stop();
  std::size_t threads() const;

 private:
  using Place = std::list<rt::Thread>::iterator;
  void work(Place place);

  const std::size_t most_;
  const std::size_t bound_;  // jobs that run or wait
  const std::chrono::milliseconds idle_time_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> jobs_;
  std::list<rt::Thread> threads_;
  std::list<rt::Thread> ended_;  // to be joined
  std::size_t running_ = 0;      // jobs
  bool stopped_ = false;
};

}  // namespace keel::http
