#include "ui/turn_view.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace keel::ui {
namespace {

constexpr std::string_view frames[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
constexpr auto show_seconds_after = std::chrono::seconds(3);

std::string thousands(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3 + (number < 0 ? 1u : 0u);) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string duration_text(double ms) {
  return ms < 1000 ? fmt::format("{:.0f} ms", ms) : fmt::format("{:.1f} s", ms / 1000);
}

}  // namespace

std::string progress_text(const agent::Progress& progress) {
  if (progress.phase == "loading") {
    if (progress.total <= 0) return "loading the model";
    return fmt::format("loading the model {}%", progress.done * 100 / progress.total);
  }
  if (progress.phase == "reading") {
    if (progress.total <= 0) return "reading";
    return fmt::format("reading {} of {} tokens", thousands(progress.done),
                       thousands(progress.total));
  }
  if (progress.phase == "writing") return "thinking";
  if (progress.phase == "waiting") return "waiting for another answer to end";
  if (progress.phase == "restarting") return "restarting the engine";
  return safe_line(progress.phase);
}

std::string arguments_text(const std::string& arguments) {
  Result<Json> value = parse_json(arguments);
  if (!value || !value->is_object()) return safe_line(arguments);
  std::string out;
  for (const auto& [key, item] : value->items()) {
    if (!out.empty()) out += ", ";
    out += key + "=" + (item.is_string() ? item.get<std::string>() : dump_json(item));
  }
  return safe_line(out);
}

TurnView::TurnView(const Terminal& terminal, bool text)
    : terminal_(terminal),
      text_(text),
      render_(text && terminal.output && terminal.moves),
      live_(Look{terminal.width() - 1, terminal.styled}, terminal.height()),
      status_since_(std::chrono::steady_clock::now()) {
  bool on_output = text_ && terminal_.output;
  note_fd_ = on_output ? STDOUT_FILENO : terminal_.errors ? STDERR_FILENO : -1;
  status_fd_ = terminal_.moves ? note_fd_ : -1;
}

TurnView::~TurnView() {
  end();
}

void TurnView::on_event(const agent::Event& event) {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  own_status_ = true;
  if (const auto* token = std::get_if<agent::Token>(&event)) {
    add_text(token->text);
  } else if (const auto* progress = std::get_if<agent::Progress>(&event)) {
    if (progress->phase == "restarting") end_text();
    if (progress->phase != "tool") set_status(progress_text(*progress));
  } else if (std::get_if<agent::Routed>(&event) != nullptr) {
    set_status("thinking");
  } else if (const auto* started = std::get_if<agent::ToolStarted>(&event)) {
    end_text();
    set_status("calling " + safe_line(started->name));
  } else if (const auto* finished = std::get_if<agent::ToolFinished>(&event)) {
    tool_line(*finished);
    set_status("thinking");
  } else if (const auto* notice = std::get_if<agent::Notice>(&event)) {
    end_text();
    note({{safe_line(notice->text), warn}});
  } else if (const auto* reply = std::get_if<agent::Replied>(&event)) {
    replied(*reply);
  }
}

void TurnView::on_background(const agent::Progress& progress) {
  std::lock_guard lock(mutex_);
  if (!ended_ && (!own_status_ || status_ == "thinking" || status_.starts_with("loading"))) {
    set_status(progress_text(progress));
  }
}

void TurnView::stopping() {
  std::lock_guard lock(mutex_);
  if (!ended_) set_status("stopping");
}

void TurnView::tick() {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  ++frame_;
  draw_text(true);
  draw_status();
}

void TurnView::end() {
  std::lock_guard lock(mutex_);
  if (ended_) return;
  end_text();
  clear_status();
  ended_ = true;
}

void TurnView::replied(const agent::Replied& reply) {
  if (!any_text_) add_text(json_string_or(reply.result, "reply", ""));
  end_text();
}

void TurnView::add_text(const std::string& text) {
  if (!text_ || text.empty()) return;
  any_text_ = true;
  waiting_ += text;
  draw_text(false);
}

// Drawing a long answer takes longer the longer it is: at most a fifth of the time goes into it.
void TurnView::draw_text(bool now) {
  if (waiting_.empty()) return;
  Time start = std::chrono::steady_clock::now();
  if (render_ && !now && start - last_draw_ < draw_every_) return;
  std::string safe = safe_text(waiting_);
  waiting_.clear();
  std::string out = render_ ? live_.feed(safe) : safe;
  if (out.empty()) return;
  if (status_fd_ == STDOUT_FILENO) clear_status();
  write_all(STDOUT_FILENO, out);
  mid_line_ = render_ || out.back() != '\n';
  last_draw_ = std::chrono::steady_clock::now();
  draw_every_ = std::max<std::chrono::steady_clock::duration>(std::chrono::milliseconds(30),
                                                              4 * (last_draw_ - start));
}

void TurnView::end_text() {
  draw_text(true);
  if (render_) {
    std::string out = live_.finish();
    if (!out.empty()) {
      clear_status();
      write_all(STDOUT_FILENO, out);
    }
  } else if (mid_line_) {
    write_all(STDOUT_FILENO, "\n");
  }
  mid_line_ = false;
}

void TurnView::set_status(std::string text) {
  if (text != status_) {
    bool same_kind = text.substr(0, 7) == status_.substr(0, 7);
    if (!same_kind) status_since_ = std::chrono::steady_clock::now();
    status_ = std::move(text);
  }
  draw_status();
}

void TurnView::draw_status() {
  if (status_fd_ < 0 || status_.empty()) return;
  if (mid_line_ && status_fd_ == STDOUT_FILENO)
    return;  // the text itself shows that something happens
  std::string line = std::string(frames[frame_ % std::size(frames)]) + " " + status_;
  auto elapsed = std::chrono::steady_clock::now() - status_since_;
  if (elapsed >= show_seconds_after) {
    line +=
        fmt::format(" ({} s)", std::chrono::duration_cast<std::chrono::seconds>(elapsed).count());
  }
  line = cut_to_cells(line, terminal_.width() - 1);
  write_all(status_fd_, "\r\x1b[K" + paint(line, dim, terminal_.styled));
  status_drawn_ = true;
}

void TurnView::clear_status() {
  if (!status_drawn_) return;
  write_all(status_fd_, "\r\x1b[K");
  status_drawn_ = false;
}

void TurnView::note(const Spans& spans) {
  if (note_fd_ < 0) return;
  clear_status();
  std::string out;
  for (const Spans& line : wrap(spans, terminal_.width() - 1))
    out += paint(line, terminal_.styled) + "\n";
  write_all(note_fd_, out);
  draw_status();
}

void TurnView::tool_line(const agent::ToolFinished& call) {
  end_text();
  int width = terminal_.width() - 1;
  std::string head = fmt::format(" {} ", safe_line(call.name));
  std::string time = " · " + duration_text(call.ms);
  int room = std::max(8, width - 1 - cell_width(head) - cell_width(time) - 3);
  std::string summary = safe_line(trim(call.summary.substr(0, call.summary.find('\n'))));
  int for_summary = std::min(cell_width(summary),
                             std::max(room / 2, room - cell_width(arguments_text(call.arguments))));
  std::string arguments = cut_to_cells(arguments_text(call.arguments), room - for_summary);
  Spans line = {{call.ok ? "●" : "✗", call.ok ? dim : bad}, {head + arguments + time, dim}};
  if (!summary.empty()) line.push_back({" · " + cut_to_cells(summary, for_summary), dim});
  note(line);
}

}  // namespace keel::ui
