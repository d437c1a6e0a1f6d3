#include "ui/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "config/config.h"
#include "rt/frame.h"

namespace keel::ui {
namespace {

winsize window() {
  winsize size{};
  for (int fd : {STDOUT_FILENO, STDERR_FILENO, STDIN_FILENO}) {
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size;
  }
  return {};
}

std::optional<termios> terminal_before;

constexpr int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
std::atomic<int> write_fd{-1};
struct sigaction before[std::size(signals)];

void on_signal(int number) {
  int saved = errno;
  auto byte = static_cast<unsigned char>(number);
  [[maybe_unused]] ssize_t n = ::write(write_fd.load(), &byte, 1);
  errno = saved;
}

}  // namespace

int Terminal::width() const {
  int columns = window().ws_col;
  return std::clamp(columns > 0 ? columns : 80, 20, 200);
}

int Terminal::height() const {
  int rows = window().ws_row;
  return std::max(rows > 0 ? rows : 24, 5);
}

Terminal detect_terminal() {
  Terminal terminal;
  terminal.input = ::isatty(STDIN_FILENO) == 1;
  terminal.output = ::isatty(STDOUT_FILENO) == 1;
  terminal.errors = ::isatty(STDERR_FILENO) == 1;
  std::string kind = config::environment("TERM");
  terminal.moves = !kind.empty() && kind != "dumb";
  terminal.styled = terminal.moves && config::environment("NO_COLOR").empty();
  return terminal;
}

void remember_terminal() {
  termios now{};
  if (::tcgetattr(STDIN_FILENO, &now) == 0) terminal_before = now;
}

void give_terminal_back() {
  if (terminal_before) ::tcsetattr(STDIN_FILENO, TCSANOW, &*terminal_before);
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void use_utf8_locale() {
  std::setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX > 1) return;
  for (const char* name : {"C.UTF-8", "en_US.UTF-8", "UTF-8"}) {
    if (std::setlocale(LC_CTYPE, name) != nullptr) return;
  }
}

Result<Interrupts> Interrupts::create() {
  std::pair<rt::Fd, rt::Fd> ends = TRY(rt::socket_pair());
  Interrupts made;
  made.read_end_ = std::move(ends.first);
  made.write_end_ = std::move(ends.second);
  for (int fd : {made.read_end_.get(), made.write_end_.get()}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  write_fd = made.write_end_.get();
  for (std::size_t i = 0; i < std::size(signals); ++i) {
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    ::sigaction(signals[i], &action, &before[i]);
  }
  return made;
}

Interrupts::~Interrupts() {
  if (!read_end_) return;
  for (std::size_t i = 0; i < std::size(signals); ++i) ::sigaction(signals[i], &before[i], nullptr);
  write_fd = -1;
}

Interrupts::Seen Interrupts::take() {
  Seen seen;
  unsigned char bytes[64];
  ssize_t n = 0;
  while ((n = ::read(read_end_.get(), bytes, sizeof bytes)) > 0) {
    for (ssize_t i = 0; i < n; ++i) {
      if (bytes[i] == SIGINT) ++seen.interrupts;
      if (bytes[i] == SIGTERM || bytes[i] == SIGHUP) seen.leave = true;
      if (bytes[i] == SIGWINCH) seen.resized = true;
    }
  }
  return seen;
}

}  // namespace keel::ui
