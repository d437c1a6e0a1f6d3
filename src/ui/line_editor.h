// One line of the owner's, with editing and history (libedit). Keys that were pressed while an
// answer streamed are given to push_typed() and come first. A paste of several lines (bracketed
// paste) stays one message: its line ends show as ⏎ and are line ends again in what is returned.
//
// The history is a text file, one message a line (backslash and line end written as \\ and \n),
// mode 0600, appended to at once, so that nothing is lost with the terminal. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "ui/terminal.h"

namespace keel::ui {

class LineEditor {
 public:
  enum class End { line, end_of_input, interrupted };
  struct Read {
    End end = End::line;
    std::string text;
  };

  // The history file may be missing; one that cannot be read or written only costs the history.
  static Result<std::unique_ptr<LineEditor>> create(const Terminal& terminal,
                                                    Interrupts& interrupts,
                                                    const std::string& history_path);
  ~LineEditor();

  // `prompt` is plain text.
  Read read(const std::string& prompt);
  void push_typed(std::string_view bytes);

 private:
  struct State;
  explicit LineEditor(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// One line of the history file and back. Exposed for their test.
std::string history_line(std::string_view message);
std::string history_message(std::string_view line);

}  // namespace keel::ui
