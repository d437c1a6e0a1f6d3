#include "ui/chat.h"

#include <fmt/core.h>
#include <unistd.h>

#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/text.h"
#include "rt/thread.h"
#include "ui/cells.h"
#include "ui/line_editor.h"
#include "ui/turn_runner.h"

namespace keel::ui {
namespace {

constexpr std::string_view help_text =
    "Write a message and press Enter. While an answer comes, Ctrl-C stops it.\n\n"
    "  /why          which memories the last answer was given, and what each word added\n"
    "  /model        the models there are; /model NAME uses another one from now on\n"
    "  /new          starts a fresh conversation; memory stays\n"
    "  /stop         stops the answer (the same as Ctrl-C)\n"
    "  /help         this text\n"
    "  /quit         leaves (so do Ctrl-D, and Ctrl-C at the prompt)\n\n"
    "Ctrl-R searches what you wrote before. A paste of several lines is one message.\n";

// "/word" and the rest of the line; nothing for an ordinary message such as "/etc/hosts is
// missing".
std::optional<std::pair<std::string, std::string>> command_of(std::string_view line) {
  line = trim(line);
  if (line.size() < 2 || line.front() != '/') return std::nullopt;
  std::size_t end = line.find_first_of(" \n");
  std::string word(line.substr(0, end));
  for (char c : std::string_view(word).substr(1)) {
    if (c < 'a' || c > 'z') return std::nullopt;
  }
  std::string rest(end == std::string_view::npos ? std::string_view{} : trim(line.substr(end)));
  return std::pair(std::move(word), std::move(rest));
}

// Loads the model while the owner writes; its progress goes to whatever turn is on the screen.
class Preparation {
 public:
  Preparation(agent::Session& session, const std::string& conversation) {
    thread_ = rt::start_thread("prepare", [this, &session, conversation](std::stop_token stop) {
      auto sink = [this](const agent::Event& event) {
        if (const auto* progress = std::get_if<agent::Progress>(&event)) on_progress(*progress);
      };
      // An error is not shown here: the turn meets the same one and shows it.
      (void)session.prepare(conversation, sink, stop);
      on_progress({});
    });
  }
  void watch(TurnView* view) {
    std::lock_guard lock(mutex_);
    view_ = view;
    if (view_ != nullptr && !latest_.phase.empty()) view_->on_background(latest_);
  }

 private:
  void on_progress(const agent::Progress& progress) {
    std::lock_guard lock(mutex_);
    latest_ = progress;
    if (view_ != nullptr && !latest_.phase.empty()) view_->on_background(latest_);
  }
  std::mutex mutex_;
  TurnView* view_ = nullptr;
  agent::Progress latest_;
  rt::Thread thread_;  // last: it ends before what it uses
};

class Chat {
 public:
  Chat(agent::Session& session, const Terminal& terminal, const ChatOptions& options,
       Interrupts& interrupts, LineEditor& editor)
      : session_(session),
        terminal_(terminal),
        options_(options),
        interrupts_(interrupts),
        editor_(editor),
        conversation_(options.conversation) {}

  int run() {
    greet();
    Preparation preparation(session_, conversation_);
    for (;;) {
      LineEditor::Read read = editor_.read("> ");
      if (read.end != LineEditor::End::line) return 0;
      if (trim(read.text).empty()) continue;
      if (auto command = command_of(read.text)) {
        if (!run_command(command->first, command->second)) return 0;
      } else if (!run_message(read.text, preparation)) {
        return 0;
      }
    }
  }

 private:
  void say(std::string_view text) { write_all(STDOUT_FILENO, text); }
  void say_dim(std::string_view text) { say(paint(text, dim, terminal_.styled) + "\n"); }
  void say_error(const Error& error) { say(error_text(error, terminal_.styled) + "\n"); }

  void greet() {
    Result<Json> status = session_.status();
    if (!status) return say_error(status.error());
    std::string name = json_string_or(*status, "agent", "Keel");
    std::string model =
        options_.model.empty() ? json_string_or(*status, "model", "") : options_.model;
    std::string line = name + (model.empty() ? "" : " · " + model);
    if (json_bool_or(*status, "daemon", false)) line += " · daemon";
    say_dim(safe_line(line) + " · /help");
  }

  // False when the program is to end.
  bool run_message(const std::string& text, Preparation& preparation) {
    TurnView view(terminal_, true);
    agent::TurnRequest request;
    request.conversation = conversation_;
    request.text = text;
    request.model = options_.model;
    preparation.watch(&view);
    Turned turned = run_turn(session_, request, view, interrupts_, true);
    preparation.watch(nullptr);
    if (!turned.result) {
      say_error(turned.result.error());
    } else {
      last_turn_ = json_string_or(*turned.result, "turn", "");
      if (json_bool_or(*turned.result, "stopped", false)) say_dim("(stopped)");
    }
    say("\n");
    editor_.push_typed(turned.typed_ahead);
    return !turned.leave;
  }

  bool run_command(const std::string& word, const std::string& rest) {
    if (word == "/quit" || word == "/exit") return false;
    if (word == "/help") {
      say(help_text);
    } else if (word == "/why") {
      why(rest);
    } else if (word == "/model") {
      model(rest);
    } else if (word == "/new") {
      conversation_ = "chat-" + replace_all(iso_time(SystemClock().wall_ms()), ":", "");
      say_dim("A fresh conversation: " + conversation_ + ". Memory stays.");
    } else if (word == "/stop") {
      say_dim("No answer is being written.");
    } else {
      say_error({Code::invalid_argument,
                 "There is no command " + word + ".",
                 "/help lists the commands.",
                 {}});
    }
    return true;
  }

  void why(const std::string& turn) {
    Result<Json> why = session_.why(turn.empty() ? last_turn_ : turn);
    if (!why) return say_error(why.error());
    std::string text = safe_text(json_string_or(*why, "text", ""));
    if (!text.ends_with('\n')) text += '\n';
    say(text);
  }

  void model(const std::string& name) {
    if (!name.empty()) {
      if (Status used = session_.use_model(name); !used) return say_error(used.error());
      options_.model.clear();
      say_dim("From now on: " + safe_line(name));
      return;
    }
    Result<Json> status = session_.status();
    if (!status) return say_error(status.error());
    auto models = status->find("models");
    if (models == status->end() || !models->is_array()) return;
    for (const Json& entry : *models) {
      bool current = json_bool_or(entry, "current", false);
      say(fmt::format(
          "{} {}  {}\n", current ? "*" : " ", safe_line(json_string_or(entry, "name", "")),
          paint(safe_line(json_string_or(entry, "description", "")), dim, terminal_.styled)));
    }
  }

  agent::Session& session_;
  const Terminal terminal_;
  ChatOptions options_;
  Interrupts& interrupts_;
  LineEditor& editor_;
  std::string conversation_;
  std::string last_turn_;
};

}  // namespace

std::string error_text(const Error& error, bool styled) {
  std::string message = safe_text(error.message);
  if (!message.empty() && message.back() != '.' && message.back() != '\n') message += '.';
  while (!message.empty() && message.back() == '\n') message.pop_back();
  std::string out = paint("error:", bad | bold, styled) + " " + message;
  if (!error.hint.empty()) out += "\n" + safe_text(error.hint);
  return out;
}

int run_chat(agent::Session& session, const Terminal& terminal, const ChatOptions& options) {
  Result<Interrupts> interrupts = Interrupts::create();
  if (!interrupts) {
    write_all(STDERR_FILENO, error_text(interrupts.error(), terminal.styled) + "\n");
    return 1;
  }
  Result<std::unique_ptr<LineEditor>> editor =
      LineEditor::create(terminal, *interrupts, options.history_path);
  if (!editor) {
    write_all(STDERR_FILENO, error_text(editor.error(), terminal.styled) + "\n");
    return 1;
  }
  return Chat(session, terminal, options, *interrupts, **editor).run();
}

}  // namespace keel::ui
