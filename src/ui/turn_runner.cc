#include "ui/turn_runner.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "base/limits.h"
#include "base/text.h"
#include "rt/fd.h"
#include "rt/frame.h"
#include "rt/thread.h"

namespace keel::ui {
namespace {

constexpr int tick_ms = 100;
constexpr int left_by_interrupt = 130;  // what shells use for "ended by SIGINT"

// The terminal does not echo while text streams into it; keys arrive as they are pressed.
class QuietKeys {
 public:
  explicit QuietKeys(bool wanted) {
    if (!wanted || ::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ECHONL);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    quiet.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped program would leave the terminal silent
    active_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet) == 0;
  }
  ~QuietKeys() { restore(); }
  void restore() {
    if (active_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    active_ = false;
  }

 private:
  termios before_{};
  bool active_ = false;
};

// True if a whole line "/stop" was typed; it is taken out.
bool take_stop(std::string& typed) {
  std::size_t start = 0;
  for (std::size_t at = 0; at < typed.size(); ++at) {
    if (typed[at] != '\n' && typed[at] != '\r') continue;
    if (trim(std::string_view(typed).substr(start, at - start)) == "/stop") {
      typed.erase(start, at + 1 - start);
      return true;
    }
    start = at + 1;
  }
  return false;
}

class Watch {
 public:
  Watch(TurnView& view, Interrupts& interrupts, bool keys)
      : view_(view), interrupts_(interrupts), keys_(keys) {}

  // Until `done` becomes readable.
  void until(int done, std::stop_source& stop, QuietKeys& quiet) {
    for (;;) {
      pollfd waits[] = {
          {done, POLLIN, 0}, {interrupts_.fd(), POLLIN, 0}, {keys_ ? STDIN_FILENO : -1, POLLIN, 0}};
      int ready = ::poll(waits, 3, tick_ms);
      if (ready > 0 && waits[0].revents != 0) return;
      if (ready > 0 && waits[1].revents != 0) on_signals(stop, quiet);
      if (ready > 0 && waits[2].revents != 0) on_keys(stop);
      view_.tick();
    }
  }
  bool leave = false;
  std::string typed;

 private:
  void request_stop(std::stop_source& stop) {
    view_.stopping();
    stop.request_stop();
  }
  void on_signals(std::stop_source& stop, QuietKeys& quiet) {
    Interrupts::Seen seen = interrupts_.take();
    if (seen.leave) leave = true;
    if (seen.interrupts > 0 && stop.stop_requested()) {
      // The turn's rows are on disk; the next start takes it up as after any other end.
      quiet.restore();
      view_.end();
      give_terminal_back();
      std::_Exit(left_by_interrupt);
    }
    if (seen.interrupts > 0 || seen.leave) request_stop(stop);
  }
  void on_keys(std::stop_source& stop) {
    char bytes[1024];
    ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (n <= 0) {
      keys_ = false;
      leave = true;
      if (n < 0) request_stop(stop);  // the terminal has gone
      return;
    }
    if (typed.size() < limits::typed_ahead_bytes) typed.append(bytes, static_cast<std::size_t>(n));
    if (take_stop(typed)) request_stop(stop);
  }

  TurnView& view_;
  Interrupts& interrupts_;
  bool keys_;
};

}  // namespace

Turned run_turn(agent::Session& session, const agent::TurnRequest& request, TurnView& view,
                Interrupts& interrupts, bool keys) {
  Result<std::pair<rt::Fd, rt::Fd>> ends = rt::socket_pair();
  if (!ends) return {tl::unexpected(std::move(ends).error()), false, {}};
  rt::Fd done_read = std::move(ends->first);
  rt::Fd done_write = std::move(ends->second);
  QuietKeys quiet(keys);
  std::stop_source stop;
  std::optional<Result<Json>> result;
  rt::Thread worker = rt::start_thread("turn", [&](std::stop_token) {
    result = session.run(
        request, [&view](const agent::Event& event) { view.on_event(event); }, stop.get_token());
    done_write.reset();  // the other end sees it
  });
  Watch watch(view, interrupts, keys);
  watch.until(done_read.get(), stop, quiet);
  worker.join();
  view.end();
  return {std::move(*result), watch.leave, std::move(watch.typed)};
}

}  // namespace keel::ui
