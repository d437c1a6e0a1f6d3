#include "model/schedule.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/limits.h"

namespace keel::model {

struct Schedule::Place::Ticket {
  Priority priority = Priority::owner;
  std::uint64_t order = 0;
  std::stop_source yield;
};

Schedule::Place::Place(Schedule& schedule, std::unique_ptr<Ticket> ticket)
    : schedule_(&schedule), ticket_(std::move(ticket)) {}
Schedule::Place::Place(Place&& other) noexcept = default;
Schedule::Place::~Place() {
  if (ticket_) schedule_->leave(*ticket_);
}

std::stop_token Schedule::Place::yield() const {
  return ticket_->yield.get_token();
}

Status Schedule::Place::rejoin(const std::stop_token& stop) {
  Status waited = schedule_->wait(*ticket_, stop);
  if (!waited) ticket_.reset();
  return waited;
}

Schedule::Schedule() = default;
Schedule::~Schedule() = default;

Result<Schedule::Place> Schedule::enter(Priority priority, const std::stop_token& stop) {
  auto ticket = std::make_unique<Ticket>();
  ticket->priority = priority;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= limits::model_waiting) {
      return fail(Code::busy,
                  std::to_string(waiting_.size()) + " requests wait for the local model already",
                  "try again when some of them are answered");
    }
    ticket->order = orders_++;
  }
  TRY(wait(*ticket, stop));
  return Place(*this, std::move(ticket));
}

std::size_t Schedule::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

bool Schedule::in_use() const {
  const std::lock_guard lock(mutex_);
  return using_ != nullptr;
}

std::optional<Schedule::Place> Schedule::try_enter(Priority priority) {
  auto ticket = std::make_unique<Ticket>();
  ticket->priority = priority;
  const std::lock_guard lock(mutex_);
  if (using_ != nullptr || !waiting_.empty()) return std::nullopt;
  ticket->order = orders_++;
  using_ = ticket.get();
  return Place(*this, std::move(ticket));
}

const Schedule::Ticket* Schedule::next() const {
  const auto best =
      std::min_element(waiting_.begin(), waiting_.end(), [](const Ticket* a, const Ticket* b) {
        return std::tie(a->priority, a->order) < std::tie(b->priority, b->order);
      });
  return best == waiting_.end() ? nullptr : *best;
}

Status Schedule::wait(Ticket& ticket, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  ticket.yield = std::stop_source();
  const auto place = waiting_.insert(waiting_.end(), &ticket);
  // Who rejoins is back in the queue before the use is free: others of its urgency would get it
  // else.
  if (using_ == &ticket) {
    using_ = nullptr;
    changed_.notify_all();
  }
  if (using_ != nullptr && ticket.priority < using_->priority) {
    // What hears of it may call back; not under the lock.
    std::stop_source yield = using_->yield;
    lock.unlock();
    yield.request_stop();
    lock.lock();
  }
  const bool mine =
      changed_.wait(lock, stop, [&] { return using_ == nullptr && next() == &ticket; });
  waiting_.erase(place);
  if (!mine) {
    changed_.notify_all();
    return fail(Code::cancelled, "stopped while it waited for the local model");
  }
  using_ = &ticket;
  return {};
}

void Schedule::leave(Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  if (using_ == &ticket) using_ = nullptr;
  changed_.notify_all();
}

}  // namespace keel::model
