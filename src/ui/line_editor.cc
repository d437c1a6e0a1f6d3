#include "ui/line_editor.h"

#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "log/log.h"
#include "rt/file.h"

namespace keel::ui {
namespace {

constexpr std::string_view paste_begins = "\x1b[200~";
constexpr std::string_view paste_ends = "\x1b[201~";
constexpr std::string_view line_end_mark = "⏎";
constexpr int escape_wait_ms = 30;  // the rest of an escape sequence follows at once

bool begins_with_part_of(std::string_view bytes, std::string_view sequence) {
  return bytes.size() < sequence.size() && sequence.starts_with(bytes);
}

}  // namespace

struct LineEditor::State {
  State(const Terminal& t, Interrupts& i) : terminal(t), interrupts(i) {}

  const Terminal terminal;
  Interrupts& interrupts;
  std::string history_path;
  EditLine* editor = nullptr;
  History* history = nullptr;
  std::string prompt;
  std::string typed;  // bytes that have been read and not yet handed to libedit
  bool pasting = false;
  bool interrupted = false;

  int next_char(wchar_t* out);
  bool more(int wait_ms);
  bool take_paste_mark();
  void load_history();
  void remember(const std::string& line);
};

// Waits for input or a signal; false at the end of input and when the owner interrupts.
bool LineEditor::State::more(int wait_ms) {
  for (;;) {
    pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {interrupts.fd(), POLLIN, 0}};
    int ready = ::poll(waits, 2, wait_ms);
    if (ready == 0) return false;
    if (ready < 0) continue;  // a signal: its byte is on the descriptor
    if (waits[1].revents != 0) {
      Interrupts::Seen seen = interrupts.take();
      if (seen.resized) el_resize(editor);
      if (seen.interrupts > 0 || seen.leave) {
        interrupted = true;
        return false;
      }
    }
    if (waits[0].revents != 0) {
      char bytes[4096];
      ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
      if (n <= 0) return false;
      typed.append(bytes, static_cast<std::size_t>(n));
      return true;
    }
  }
}

bool LineEditor::State::take_paste_mark() {
  std::string_view mark = pasting ? paste_ends : paste_begins;
  while (begins_with_part_of(typed, mark) && more(escape_wait_ms)) {
  }
  if (!typed.starts_with(mark)) return false;
  typed.erase(0, mark.size());
  pasting = !pasting;
  return true;
}

int LineEditor::State::next_char(wchar_t* out) {
  for (;;) {
    if (typed.empty() && !more(-1)) return interrupted ? -1 : 0;
    if (typed.front() == '\x1b' && take_paste_mark()) continue;
    if (typed.empty()) continue;
    if (utf8_incomplete_suffix(typed) == typed.size() && more(escape_wait_ms)) continue;
    std::size_t used = 0;
    char32_t c = next_code_point(typed, used);
    typed.erase(0, used);
    if (pasting) {
      if (c == '\r' && typed.starts_with("\n")) continue;
      std::size_t zero = 0;
      if (c == '\r' || c == '\n') c = next_code_point(line_end_mark, zero);
      if (c == '\t') c = ' ';
      if (c < 0x20 || c == 0x7f) continue;  // pasted control keys must not act
    }
    *out = static_cast<wchar_t>(c);
    return 1;
  }
}

void LineEditor::State::load_history() {
  HistEvent event;
  history = history_init();
  ::history(history, &event, H_SETSIZE, static_cast<int>(limits::history_lines));
  ::history(history, &event, H_SETUNIQUE, 1);
  Result<std::string> text = rt::read_file(history_path, limits::history_bytes);
  if (!text) return;
  std::vector<std::string_view> lines = split(*text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  std::size_t skip =
      lines.size() > limits::history_lines ? lines.size() - limits::history_lines : 0;
  std::string kept;
  for (std::size_t i = skip; i < lines.size(); ++i) {
    kept += std::string(lines[i]) + "\n";
    std::string shown = replace_all(history_message(lines[i]), "\n", line_end_mark);
    if (is_valid_utf8(shown)) ::history(history, &event, H_ENTER, shown.c_str());
  }
  if (skip > limits::history_lines) {
    if (Status done = rt::write_file(history_path, kept); !done)
      log::warn("ui", "{}", done.error().text());
  }
}

void LineEditor::State::remember(const std::string& line) {
  HistEvent event;
  ::history(history, &event, H_ENTER, line.c_str());
  rt::Fd file(::open(history_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return;
  write_all(file.get(), history_line(replace_all(line, line_end_mark, "\n")) + "\n");
}

Result<std::unique_ptr<LineEditor>> LineEditor::create(const Terminal& terminal,
                                                       Interrupts& interrupts,
                                                       const std::string& history_path) {
  auto state = std::make_unique<State>(terminal, interrupts);
  state->history_path = history_path;
  remember_terminal();
  state->editor = el_init("keel", stdin, stdout, stderr);
  if (state->editor == nullptr) {
    return fail(Code::io, "the terminal could not be set up for editing",
                "Use keel chat -m TEXT instead.");
  }
  state->load_history();
  EditLine* editor = state->editor;
  el_set(editor, EL_CLIENTDATA, state.get());
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_SIGNAL, 0);
  // Between lines too the terminal hands on every key as it is and shows none: libedit writes its
  // prompt before it changes the mode, and a key such as Ctrl-D that comes in between would be
  // taken by the terminal's own line editing and never reach us.
  el_set(editor, EL_SETTY, "-x", "-icanon", "-echo", "-iexten", nullptr);
  el_set(editor, EL_HIST, ::history, state->history);
  el_rfunc_t read_key = [](EditLine* line, wchar_t* out) {
    void* data = nullptr;
    el_get(line, EL_CLIENTDATA, &data);
    return static_cast<State*>(data)->next_char(out);
  };
  el_set(editor, EL_GETCFN, read_key);
  auto prompt = [](EditLine* line) -> char* {
    void* data = nullptr;
    el_get(line, EL_CLIENTDATA, &data);
    return static_cast<State*>(data)->prompt.data();
  };
  el_set(editor, EL_PROMPT_ESC, static_cast<char* (*)(EditLine*)>(prompt), '\1');
  el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  el_set(editor, EL_BIND, "\\e[3~", "ed-delete-next-char", nullptr);
  el_set(editor, EL_BIND, "\\e[1;5C", "em-next-word", nullptr);
  el_set(editor, EL_BIND, "\\e[1;5D", "ed-prev-word", nullptr);
  if (terminal.moves) write_all(STDOUT_FILENO, "\x1b[?2004h");
  return std::unique_ptr<LineEditor>(new LineEditor(std::move(state)));
}

LineEditor::LineEditor(std::unique_ptr<State> state) : state_(std::move(state)) {}

LineEditor::~LineEditor() {
  if (state_->terminal.moves) write_all(STDOUT_FILENO, "\x1b[?2004l");
  el_end(state_->editor);
  give_terminal_back();  // not every libedit does it
  history_end(state_->history);
}

LineEditor::Read LineEditor::read(const std::string& prompt) {
  State& state = *state_;
  state.interrupted = false;
  // \1 tells libedit that what stands between takes no cells.
  state.prompt = state.terminal.styled ? "\1\x1b[1m\1" + prompt + "\1\x1b[0m\1" : prompt;
  el_resize(state.editor);
  int count = 0;
  const char* line = el_gets(state.editor, &count);
  if (line == nullptr || count <= 0) {
    write_all(STDOUT_FILENO, "\n");
    return {state.interrupted ? End::interrupted : End::end_of_input, {}};
  }
  std::string text(line, static_cast<std::size_t>(count));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (!trim(text).empty()) state.remember(text);
  return {End::line, replace_all(std::move(text), line_end_mark, "\n")};
}

void LineEditor::push_typed(std::string_view bytes) {
  state_->typed.append(bytes);
}

std::string history_line(std::string_view message) {
  return replace_all(replace_all(std::string(message), "\\", "\\\\"), "\n", "\\n");
}

std::string history_message(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) {
      ++i;
      out += line[i] == 'n' ? '\n' : line[i];
    } else {
      out += line[i];
    }
  }
  return out;
}

}  // namespace keel::ui
