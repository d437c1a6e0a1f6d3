#include "gateway/api/flight.h"

#include <condition_variable>
#include <optional>
#include <vector>

#include "base/limits.h"

namespace keel::api {
namespace {

std::size_t bytes_of(const model::StreamEvent& event) {
  constexpr std::size_t fixed = sizeof(model::StreamEvent);
  if (const auto* text = std::get_if<model::TextDelta>(&event)) return fixed + text->text.size();
  if (const auto* text = std::get_if<model::ThinkingDelta>(&event)) {
    return fixed + text->text.size();
  }
  return fixed;
}

}  // namespace

// One call, and what has come of it so far.
class Flight {
 public:
  // False if it is full, or its beginning is not kept any more.
  bool join() {
    const std::lock_guard lock(mutex_);
    if (aboard_ == 0 || aboard_ >= limits::joined_clients || overflown_) return false;
    ++aboard_;
    return true;
  }
  void leave() {
    bool last = false;
    {
      const std::lock_guard lock(mutex_);
      last = --aboard_ == 0;
    }
    if (last) stop_.request_stop();
  }
  std::stop_token stop_token() const { return stop_.get_token(); }

  void add(const model::StreamEvent& event) {
    const std::lock_guard lock(mutex_);
    bytes_ += bytes_of(event);
    if (bytes_ > limits::joined_bytes) overflown_ = true;
    if (overflown_) {
      events_.clear();
    } else {
      events_.push_back(event);
    }
    changed_.notify_all();
  }
  void end(const Result<model::Response>& outcome) {
    const std::lock_guard lock(mutex_);
    outcome_ = outcome;
    changed_.notify_all();
  }
  // Hands everything on until the end.
  Result<model::Response> follow(const model::Sink& sink, const std::stop_token& stop) {
    for (std::size_t next = 0;;) {
      std::vector<model::StreamEvent> news;
      {
        std::unique_lock lock(mutex_);
        const bool awake = changed_.wait(
            lock, stop, [&] { return overflown_ || outcome_ || events_.size() > next; });
        if (!awake) return fail(Code::cancelled, "the client left");
        if (overflown_) return fail(Code::limit, "the answer is too long to be shared");
        news.assign(events_.begin() + static_cast<std::ptrdiff_t>(next), events_.end());
        next = events_.size();
        if (news.empty()) return *outcome_;
      }
      for (const model::StreamEvent& event : news) sink(event);
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::stop_source stop_;
  std::vector<model::StreamEvent> events_;
  std::size_t bytes_ = 0;
  bool overflown_ = false;
  std::size_t aboard_ = 1;  // 0: it is ending
  std::optional<Result<model::Response>> outcome_;
};

Flights::Flights() = default;
Flights::~Flights() = default;

Result<model::Response> Flights::answer(const Key& key, const model::Sink& sink,
                                        std::stop_token stop, const Call& call, bool& joined) {
  std::shared_ptr<Flight> flight;
  joined = false;
  {
    const std::lock_guard lock(mutex_);
    const auto known = flights_.find(key);
    joined = known != flights_.end() && known->second->join();
    if (joined) {
      flight = known->second;
    } else {
      // Whoever leads brings the bytes of the key.
      if (known != flights_.end()) flights_.erase(known);
      flight = std::make_shared<Flight>();
      flights_.emplace(key, flight);
    }
  }
  if (!joined) return lead(key, flight, sink, std::move(stop), call);
  Result<model::Response> response = flight->follow(sink, stop);
  flight->leave();
  return response;
}

Result<model::Response> Flights::lead(const Key& key, const std::shared_ptr<Flight>& flight,
                                      const model::Sink& sink, std::stop_token stop,
                                      const Call& call) {
  const model::Sink told = [&](const model::StreamEvent& event) {
    flight->add(event);
    sink(event);
  };
  Result<model::Response> response = fail(Code::internal, "the call did not run");
  {
    // Its own client may leave while others wait for the answer.
    std::once_flag left;
    const auto leave = [&] { std::call_once(left, [&] { flight->leave(); }); };
    const std::stop_callback gone(stop, leave);
    response = call(told, flight->stop_token());
    flight->end(response);
    leave();
  }
  const std::lock_guard lock(mutex_);
  const auto known = flights_.find(key);
  if (known != flights_.end() && known->second == flight) flights_.erase(known);
  return response;
}

}  // namespace keel::api
