#include "net/http/workers.h"

#include <utility>

namespace keel::http {

Workers::~Workers() {
  stop();
  std::list<rt::Thread> threads;
  {
    const std::lock_guard lock(mutex_);
    threads.splice(threads.end(), threads_);
    threads.splice(threads.end(), ended_);
  }
  for (rt::Thread& thread : threads) thread.join();
}

void Workers::stop() {
  std::deque<std::function<void()>> dropped;
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  dropped.swap(jobs_);
  ready_.notify_all();
}

bool Workers::submit(std::function<void()> job) {
  std::list<rt::Thread> ended;  // joined without the lock: they are about to return
  const std::lock_guard lock(mutex_);
  ended.swap(ended_);
  const std::size_t jobs = running_ + jobs_.size();
  if (stopped_ || jobs >= bound_) return false;
  if (jobs >= threads_.size() && threads_.size() < most_) {
    const Place place = threads_.emplace(threads_.end());
    *place = rt::start_thread("http-work", [this, place](std::stop_token) { work(place); });
  }
  jobs_.push_back(std::move(job));
  ready_.notify_one();
  return true;
}

std::size_t Workers::threads() const {
  const std::lock_guard lock(mutex_);
  return threads_.size();
}

void Workers::work(Place place) {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    const bool has_job =
        ready_.wait_for(lock, idle_time_, [&] { return stopped_ || !jobs_.empty(); });
    if (stopped_ || !has_job) break;
    ++running_;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it holds must not live until the next one
    lock.lock();
    --running_;
  }
  if (!stopped_) ended_.splice(ended_.end(), threads_, place);
}

}  // namespace keel::http
