// Who uses next what does one thing at a time: the local engine. The more urgent goes first, then
// the earlier; whoever uses it now is asked to yield when somebody more urgent comes, and goes on
// before others of its own urgency. Nobody is interrupted by this alone: the user ends where it can
// and calls rejoin().
//
// Threads: any. The Schedule must outlive its places.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include "base/result.h"
#include "model/model.h"

namespace keel::model {

class Schedule {
 public:
  // The use, given up by its end. One owner.
  class Place {
   public:
    Place(Place&& other) noexcept;
    Place& operator=(Place&&) = delete;
    ~Place();
    // Stops when somebody more urgent waits.
    std::stop_token yield() const;
    // Gives the use up and waits for it again; Code::cancelled if stopped meanwhile, and then it is
    // given up for good.
    Status rejoin(const std::stop_token& stop);

   private:
    friend class Schedule;
    struct Ticket;
    Place(Schedule& schedule, std::unique_ptr<Ticket> ticket);
    Schedule* schedule_;
    std::unique_ptr<Ticket> ticket_;
  };

  Schedule();
  ~Schedule();
  // Waits for the use. Code::cancelled if stopped first, Code::busy if too many wait.
  Result<Place> enter(Priority priority, const std::stop_token& stop);
  std::size_t waiting() const;
  bool in_use() const;
  // The use if nobody has it.
  std::optional<Place> try_enter(Priority priority);

 private:
  using Ticket = Place::Ticket;
  // The use itself is given up first if the ticket has it.
  Status wait(Ticket& ticket, const std::stop_token& stop);
  void leave(Ticket& ticket);
  const Ticket* next() const;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<Ticket*> waiting_;
  Ticket* using_ = nullptr;
  std::uint64_t orders_ = 0;
};

}  // namespace keel::model
