#include "net/http/stream.h"

#include <utility>

#include "base/limits.h"

namespace keel::http {

void Channel::put(std::string bytes) {
  if (pending_.empty()) {
    pending_ = std::move(bytes);
  } else {
    pending_ += bytes;
  }
}

// Once for all that gathers until the connection comes to take it.
void Channel::wake_up(std::unique_lock<std::mutex> lock) {
  if (closed_ || std::exchange(woken_, true)) return;
  const std::function<void()> wake = wake_;
  lock.unlock();
  wake();
}

bool Channel::send(Response response) {
  std::unique_lock lock(mutex_);
  if (std::exchange(answered_, true)) return false;
  ended_ = true;
  if (closed_) return false;
  put(answer_head(response.status, response.headers,
                  {Framing::length, response.body.size(), form_.keep_alive}));
  if (!form_.head_only) put(std::move(response.body));
  wake_up(std::move(lock));
  return true;
}

bool Channel::begin(int status, const Headers& headers) {
  std::unique_lock lock(mutex_);
  if (std::exchange(answered_, true)) return false;
  streaming_ = true;
  if (closed_) return false;
  const Framing framing = form_.chunks ? Framing::chunked : Framing::close;
  put(answer_head(status, headers, {framing, 0, form_.keep_alive && form_.chunks}));
  if (form_.head_only) ended_ = true;
  wake_up(std::move(lock));
  return true;
}

bool Channel::write(std::string_view bytes, bool wait) {
  if (bytes.empty()) return true;  // an empty chunk would be the last one
  std::unique_lock lock(mutex_);
  const auto has_room = [&] {
    return closed_ || ended_ || pending_.size() < limits::http_stream_bytes;
  };
  if (wait) room_.wait(lock, has_room);
  if (closed_ || ended_ || !streaming_) return false;
  if (!has_room()) {
    lock.unlock();
    abort();
    return false;
  }
  put(form_.chunks ? chunk(bytes) : std::string(bytes));
  wake_up(std::move(lock));
  return true;
}

void Channel::end() {
  std::unique_lock lock(mutex_);
  if (!streaming_ || std::exchange(ended_, true) || closed_) return;
  if (form_.chunks) put(std::string(last_chunk));
  wake_up(std::move(lock));
}

void Channel::abort() {
  std::unique_lock lock(mutex_);
  if (std::exchange(ended_, true) || closed_) return;
  aborted_ = true;
  room_.notify_all();
  wake_up(std::move(lock));
  stop_.request_stop();
}

bool Channel::answered() const {
  const std::lock_guard lock(mutex_);
  return answered_;
}

Channel::Taken Channel::take() {
  const std::lock_guard lock(mutex_);
  Taken taken;
  taken.bytes = std::exchange(pending_, {});
  taken.ended = ended_;
  taken.aborted = aborted_;
  taken.keep_alive = form_.keep_alive && (form_.chunks || !streaming_);
  woken_ = false;
  room_.notify_all();
  return taken;
}

void Channel::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    pending_.clear();
    wake_ = nullptr;
    room_.notify_all();
  }
  // Outside the lock: whoever waits for the stop may write at once.
  stop_.request_stop();
}

}  // namespace keel::http
