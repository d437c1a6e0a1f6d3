// One turn on the screen: the events of agent/event.h as streamed text, a status line that says
// what is happening, and one line a tool call. To a terminal the text is rendered Markdown; to a
// pipe it is the text itself, made safe, and status and tool lines go to standard error if that is
// a terminal, or nowhere.
//
// Threads: on_event() and tick() may be called from different threads.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "agent/event.h"
#include "ui/cells.h"
#include "ui/live_markdown.h"
#include "ui/terminal.h"

namespace keel::ui {

class TurnView {
 public:
  // Without `text` nothing is written to standard output (`keel chat --json` prints the result
  // itself).
  TurnView(const Terminal& terminal, bool text);
  ~TurnView();

  void on_event(const agent::Event& event);
  // Progress of a model that is being loaded ahead of the question: shown until the turn says
  // something itself.
  void on_background(const agent::Progress& progress);
  void stopping();
  // Ten times a second: moves the spinner and draws text that waits.
  void tick();
  // Draws the rest and clears the status line; nothing is written afterwards.
  void end();

 private:
  using Time = std::chrono::steady_clock::time_point;
  void add_text(const std::string& text);
  void draw_text(bool now);
  void end_text();
  void set_status(std::string text);
  void draw_status();
  void clear_status();
  void note(const Spans& spans);
  void tool_line(const agent::ToolFinished& call);
  void replied(const agent::Replied& reply);

  std::mutex mutex_;
  const Terminal terminal_;
  const bool text_;
  const bool render_;   // text is drawn as Markdown
  int status_fd_ = -1;  // -1: nowhere
  int note_fd_ = -1;
  LiveMarkdown live_;
  std::string waiting_;  // text that has not been drawn yet
  bool any_text_ = false;
  bool mid_line_ = false;  // the cursor of standard output is not at the start of a line
  bool status_drawn_ = false;
  bool own_status_ = false;
  bool ended_ = false;
  std::string status_;
  unsigned frame_ = 0;
  Time status_since_;
  Time last_draw_;
  std::chrono::steady_clock::duration draw_every_ = std::chrono::milliseconds(30);
};

// "loading the model 40%", "reading 412 of 1,950 tokens": exposed for its test.
std::string progress_text(const agent::Progress& progress);
// {"url": "https://example.org"} as "url=https://example.org".
std::string arguments_text(const std::string& arguments);

}  // namespace keel::ui
