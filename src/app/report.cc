#include "app/report.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>

#include "base/limits.h"
#include "base/text.h"
#include "rt/file.h"
#include "ui/cells.h"
#include "ui/chat.h"
#include "ui/terminal.h"

namespace keel::app {

int report(const Error& error) {
  ui::Terminal terminal = ui::detect_terminal();
  ui::write_all(STDERR_FILENO, ui::error_text(error, terminal.errors && terminal.styled) + "\n");
  if (error.code == Code::config) return exit_config;
  if (error.code == Code::busy) return exit_running;
  return exit_failed;
}

int report(const Status& status) {
  return status ? exit_ok : report(status.error());
}

int report_usage(std::string_view problem) {
  ui::Terminal terminal = ui::detect_terminal();
  std::string text = ui::paint("error:", ui::bad | ui::bold, terminal.errors && terminal.styled);
  ui::write_all(STDERR_FILENO, text + " " + ui::safe_text(trim(problem)) + "\n");
  return exit_usage;
}

void print(std::string_view text) {
  if (::isatty(STDOUT_FILENO) == 1) {
    ui::write_all(STDOUT_FILENO, ui::safe_text(text));
  } else {
    ui::write_all(STDOUT_FILENO, text);
  }
}

void print_json(const Json& value) {
  ui::write_all(STDOUT_FILENO, dump_json(value) + "\n");
}

Status check_message(std::string_view text) {
  if (text.size() > limits::message_bytes) {
    return fail(Code::limit,
                fmt::format("the message is larger than {} bytes", limits::message_bytes),
                "Put long texts into a file in an allowed folder and ask for it by name.");
  }
  if (std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return fail(Code::invalid_argument, fmt::format("the message holds a NUL byte at byte {}", nul),
                "Send text, not a binary file.");
  }
  if (!is_valid_utf8(text)) {
    std::size_t at = 0;
    while (at < text.size()) {
      std::size_t next = at;
      if (next_code_point(text, next) == 0xfffd && text.substr(at, 3) != "\xef\xbf\xbd") break;
      at = next;
    }
    return fail(Code::invalid_argument, fmt::format("the message is not valid UTF-8 (byte {})", at),
                "Convert it first, for example with: iconv -f latin1 -t utf-8");
  }
  if (trim(text).empty()) {
    return fail(Code::invalid_argument, "the message is empty",
                "Give it with -m or on standard input.");
  }
  return {};
}

Result<std::string> read_message() {
  std::string text;
  char bytes[65536];
  for (;;) {
    ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(rt::errno_error(errno, "standard input could not be read"));
    if (n == 0) break;
    text.append(bytes, static_cast<std::size_t>(n));
    if (text.size() > limits::message_bytes) break;
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  TRY(check_message(text));
  return text;
}

}  // namespace keel::app
