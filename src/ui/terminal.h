// What the program's three standard streams are, and what may be written to them, and the signals
// that reach it. Detected once at start; the size is asked for each time because windows change.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "rt/fd.h"

namespace keel::ui {

struct Terminal {
  bool input = false;   // standard input is a terminal
  bool output = false;  // standard output is one
  bool errors = false;  // standard error is one
  bool moves = false;   // TERM names one that can move its cursor
  bool styled = false;  // the same, and NO_COLOR is not set

  int width() const;   // cells, 20 to 200; lines longer than that are hard to read
  int height() const;  // rows, at least 5
};

Terminal detect_terminal();

// How the terminal is before keel changes its mode, and back to that at once: for a program that
// ends without its destructors.
void remember_terminal();
void give_terminal_back();

// Writes everything, however the descriptor cuts it; gives up silently when the reader has gone.
void write_all(int fd, std::string_view bytes);

// The program's character type becomes UTF-8 whatever the locale says, because keel speaks nothing
// else.
void use_utf8_locale();

// Signals as something a loop can wait for: SIGINT, SIGTERM, SIGHUP and SIGWINCH arrive as bytes on
// a descriptor. One object a process at a time; the old handlers come back with its end.
class Interrupts {
 public:
  static Result<Interrupts> create();
  Interrupts(Interrupts&&) noexcept = default;
  ~Interrupts();

  struct Seen {
    int interrupts = 0;  // Ctrl-C
    bool leave = false;  // SIGTERM or SIGHUP
    bool resized = false;
  };
  int fd() const { return read_end_.get(); }
  // What has arrived since the last call.
  Seen take();

 private:
  Interrupts() = default;
  rt::Fd read_end_;
  rt::Fd write_end_;
};

}  // namespace keel::ui
