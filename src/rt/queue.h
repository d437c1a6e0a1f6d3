// A bounded queue between threads. push() refuses when full (the caller decides what that means:
// answer "busy", drop, wait); pop() waits for an item, for close() or for a stop request. After
// close() the rest can still be popped.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>

namespace keel::rt {

template <class T>
class Queue {
 public:
  explicit Queue(std::size_t bound) : bound_(bound) {}

  // False if the queue is full or closed; the item is then untouched.
  bool push(T&& item) {
    std::lock_guard lock(mutex_);
    if (closed_ || items_.size() >= bound_) return false;
    items_.push_back(std::move(item));
    ready_.notify_one();
    return true;
  }

  // Waits for room; false if closed or stopped.
  bool push_wait(T&& item, std::stop_token stop = {}) {
    std::unique_lock lock(mutex_);
    if (!ready_.wait(lock, stop, [&] { return closed_ || items_.size() < bound_; })) return false;
    if (closed_) return false;
    items_.push_back(std::move(item));
    ready_.notify_all();
    return true;
  }

  // Nothing when closed and empty, or when stopped.
  std::optional<T> pop(std::stop_token stop = {}) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, stop, [&] { return closed_ || !items_.empty(); });
    return take_locked();
  }

  // Nothing when there is nothing right now.
  std::optional<T> try_pop() {
    std::lock_guard lock(mutex_);
    return take_locked();
  }

  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    ready_.notify_all();
  }

 private:
  std::optional<T> take_locked() {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    ready_.notify_all();
    return item;
  }

  const std::size_t bound_;
  std::mutex mutex_;
  std::condition_variable_any ready_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace keel::rt
