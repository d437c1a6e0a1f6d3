#include "model/engine/counter.h"

#include <utility>

#include "base/limits.h"

namespace keel::local {

Counter::Counter(Emit emit) : emit_(std::move(emit)), requests_(limits::engine_counts) {
  thread_ = rt::start_thread("keel-eng-count", [this](std::stop_token stop) {
    while (std::optional<CountRequest> request = requests_.pop(stop)) {
      const Result<CountEvent> counted = count(*request);
      if (counted) {
        emit_(*counted);
      } else {
        emit_(ErrorEvent{request->id, counted.error()});
      }
    }
  });
}

Counter::~Counter() {
  requests_.close();
}

void Counter::use(const Context* context) {
  const std::lock_guard lock(mutex_);
  chat_.reset();
  context_ = context;
}

bool Counter::push(CountRequest request) {
  return requests_.push(std::move(request));
}

Result<CountEvent> Counter::count(const CountRequest& request) {
  const std::lock_guard lock(mutex_);
  if (context_ == nullptr) {
    return fail(Code::internal, "the engine was asked before a model was loaded");
  }
  // A template of its own: the other one belongs to who answers.
  if (!chat_) chat_ = TRY(ChatTemplate::create(context_->model()));
  return CountEvent{request.id, TRY(chat_->count(request.request)),
                    static_cast<std::int64_t>(context_->size())};
}

}  // namespace keel::local
