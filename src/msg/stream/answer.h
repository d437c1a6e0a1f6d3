// An answer as a whole, and the two things done to its events on the way: gathering them, and
// keeping back calls until they are whole.
#pragma once

#include "msg/alias.h"
#include "msg/stream/event.h"

namespace keel::msg {

struct Answer {
  std::string id;
  std::string model;
  Item item{Role::assistant, {}};
  Stop stop = Stop::end;
  std::string stop_sequence = {};
  TokenUsage usage = {};
};
// One that was read, and what its dialect said that this form cannot.
struct ReadAnswer {
  Answer answer;
  Losses losses;
};

// Gathers a stream's events. A call that was cut off is in the item with complete = false.
class Collector {
 public:
  void event(const StreamEvent& event);
  bool ended() const { return ended_; }
  const std::optional<ApiError>& error() const { return error_; }
  // What has come so far.
  const Answer& answer() const { return answer_; }

 private:
  Answer answer_;
  std::optional<ApiError> error_;
  bool ended_ = false;
};

// Lets a call through once it is whole, and never half of one: some clients run a call whose
// arguments end early with whatever they can read of them. Indices stay dense.
class CallGate {
 public:
  void event(const StreamEvent& event, StreamEvents& out);
  Losses take_losses();

 private:
  int next_index_ = 0;
  bool holding_ = false;
  bool passed_call_ = false;
  StreamEvents held_;
  Losses losses_;
};

// Gives tool calls their own names and namespaces again (ToolNames::original).
void restore_names(const ToolNames& names, StreamEvent& event);
void restore_names(const ToolNames& names, Item& item);

// The same for an answer that is not streamed.
void drop_half_calls(Answer& answer, Losses& losses);

// The events that an answer amounts to.
StreamEvents events_of(const Answer& answer);

}  // namespace keel::msg
