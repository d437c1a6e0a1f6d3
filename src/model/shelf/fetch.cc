#include "model/shelf/fetch.h"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <vector>

#include "model/shelf/meter.h"
#include "rt/thread.h"

namespace keel::shelf {
namespace {

constexpr int kTickMs = 20;

}  // namespace

void Fetch::end_with(End end) {
  {
    const std::lock_guard lock(mutex_);
    if (!end_) end_ = std::move(end);
  }
  ended_.request_stop();
}

// Small files are shared out too; the last pieces of a large one should end together.
void Fetch::share_out() {
  const std::uint64_t bytes = facts_.version.bytes;
  workers_ = 1;
  piece_bytes_ = bytes;
  if (!facts_.resumable()) return;
  const std::uint64_t least = std::min(limits::shelf_piece_min_bytes, options_.piece_bytes);
  const std::uint64_t workers =
      std::clamp<std::uint64_t>(bytes / least, 1, static_cast<std::uint64_t>(options_.connections));
  piece_bytes_ = std::clamp(bytes / (2 * workers) + 1, least, options_.piece_bytes);
  workers_ = static_cast<int>(workers);
}

// False when this worker is to end.
bool Fetch::wait_again(const End& end, std::stop_token stop) {
  int round = 0;
  {
    const std::lock_guard lock(mutex_);
    round = barren_++ / workers_;
    trouble_ = end.error.message;
  }
  if (round + 1 >= limits::shelf_attempts) {
    end_with({End::Kind::failed, end.error, {}});
    return false;
  }
  const auto backoff = std::min<std::chrono::milliseconds>(
      options_.retry_wait * (1 << std::min(round, 10)), limits::shelf_retry_wait_max);
  return rt::wait_for(std::max(backoff, end.wait), stop);
}

bool Fetch::read_one(Span piece, std::stop_token stop) {
  End end = hub_.read(
      facts_, piece,
      [&](std::uint64_t at, std::string_view bytes) { return partial_.store(at, bytes); }, stop);
  partial_.give_back(piece.end);
  if (end.kind == End::Kind::done) return true;
  if (!facts_.resumable()) partial_.forget();
  if (stop.stop_requested()) return false;
  if (end.kind == End::Kind::again) return wait_again(end, stop);
  end_with(std::move(end));
  return false;
}

void Fetch::work(std::stop_token stop) {
  while (!stop.stop_requested()) {
    const std::optional<Span> piece = partial_.take(piece_bytes_);
    if (piece) {
      if (!read_one(*piece, stop)) break;
    } else if (partial_.complete() || !rt::wait_for(std::chrono::milliseconds(kTickMs), stop)) {
      break;  // while others read, one of their pieces may come back
    }
  }
  const std::lock_guard lock(mutex_);
  --running_;
}

// Until the workers are through: progress for the caller, checkpoints for the next run.
void Fetch::watch(std::stop_token stop) {
  auto saved = std::chrono::steady_clock::now();
  auto shown = saved - limits::shelf_progress_time;
  std::uint64_t before = partial_.arrived_bytes();
  for (;;) {
    if (stop.stop_requested()) ended_.request_stop();
    const auto now = std::chrono::steady_clock::now();
    Progress progress{Progress::Phase::reading, partial_.arrived_bytes(), facts_.version.bytes, {}};
    bool through = false;
    {
      const std::lock_guard lock(mutex_);
      through = running_ == 0;
      // Where every attempt begins anew, arriving bytes are no progress.
      if (progress.done_bytes > before && facts_.resumable()) {
        barren_ = 0;
        trouble_.clear();
      }
      progress.trouble = trouble_;
    }
    before = progress.done_bytes;
    if (!progress.trouble.empty()) progress.phase = Progress::Phase::waiting;
    if (options_.progress && (through || now - shown >= limits::shelf_progress_time)) {
      options_.progress(progress);
      shown = now;
    }
    if (through) return;
    if (now - saved >= options_.checkpoint_time) {
      if (Status written = partial_.checkpoint(); !written) {
        end_with({End::Kind::failed, written.error(), {}});
      }
      saved = now;
    }
    rt::sleep_ms(kTickMs);
  }
}

End Fetch::run(std::stop_token stop) {
  share_out();
  running_ = workers_;
  {
    std::vector<rt::Thread> threads;
    for (int i = 0; i < workers_; ++i) {
      threads.push_back(
          rt::start_thread("shelf-read", [this](std::stop_token) { work(ended_.get_token()); }));
    }
    watch(stop);
  }
  const Status saved = partial_.checkpoint();
  if (stop.stop_requested()) return {End::Kind::failed, {Code::cancelled, "stopped", {}, {}}, {}};
  const std::lock_guard lock(mutex_);
  if (end_) return *end_;
  if (!saved) return {End::Kind::failed, saved.error(), {}};
  return {};
}

}  // namespace keel::shelf
