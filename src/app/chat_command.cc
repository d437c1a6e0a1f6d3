#include <fmt/core.h>
#include <unistd.h>

#include "app/commands.h"
#include "app/report.h"
#include "app/session.h"
#include "app/setup.h"
#include "ui/chat.h"
#include "ui/turn_runner.h"

namespace keel::app {
namespace {

constexpr int exit_interrupted = 130;

// A turn that a crash left open is taken up before anything else; the owner is told, and shown its
// answer.
void show_recovery(const agent::Event& event) {
  if (::isatty(STDERR_FILENO) != 1) return;
  if (std::holds_alternative<agent::TurnStarted>(event)) {
    ui::write_all(STDERR_FILENO, "Taking up an answer that was interrupted ...\n");
  } else if (const auto* notice = std::get_if<agent::Notice>(&event)) {
    ui::write_all(STDERR_FILENO, ui::safe_line(notice->text) + "\n");
  } else if (const auto* replied = std::get_if<agent::Replied>(&event)) {
    ui::write_all(STDERR_FILENO,
                  ui::safe_text(json_string_or(replied->result, "reply", "")) + "\n\n");
  }
}

int failed_turn(const Error& error, bool json) {
  if (json) {
    print_json(
        {{"error",
          {{"code", code_name(error.code)}, {"message", error.message}, {"hint", error.hint}}}});
  }
  return report(error);
}

int one_turn(agent::Session& session, const ui::Terminal& terminal, const ChatArguments& arguments,
             const std::string& message) {
  Result<ui::Interrupts> interrupts = ui::Interrupts::create();
  if (!interrupts) return report(interrupts.error());
  agent::TurnRequest request;
  request.conversation = arguments.conversation;
  request.text = message;
  request.model = arguments.model;
  ui::TurnView view(terminal, !arguments.json);
  ui::Turned turned = ui::run_turn(session, request, view, *interrupts, false);
  if (!turned.result) return failed_turn(turned.result.error(), arguments.json);
  if (arguments.json) print_json(*turned.result);
  return json_bool_or(*turned.result, "stopped", false) ? exit_interrupted : exit_ok;
}

// The first start with a model file in the usual folder needs no questions.
Result<config::Config> config_for_chat(const ui::Terminal& terminal) {
  config::Config config = TRY(load_config());
  if (config.exists || !terminal.input || models_in(config.home).empty()) return need_config();
  if (init_command({.model = {}, .name = {}, .yes = true}) != exit_ok) return need_config();
  return load_config();
}

int talk(const ui::Terminal& terminal, const ChatArguments& arguments) {
  Result<config::Config> config = config_for_chat(terminal);
  if (!config) return failed_turn(config.error(), arguments.json);
  std::optional<std::string> message = arguments.message;
  if (message) {
    if (Status checked = check_message(*message); !checked)
      return failed_turn(checked.error(), arguments.json);
  } else if (!terminal.input || arguments.json) {
    Result<std::string> read = read_message();
    if (!read) return failed_turn(read.error(), arguments.json);
    message = std::move(*read);
  }
  Result<OpenSession> opened = open_session(*config, show_recovery, [](const std::string& what) {
    ui::write_all(STDERR_FILENO, what + "\n");
  });
  if (!opened) return failed_turn(opened.error(), arguments.json);
  if (message) return one_turn(opened->session(), terminal, arguments, *message);
  for (const std::string& note : config->notes)
    ui::write_all(STDERR_FILENO, ui::safe_line(note) + "\n");
  ui::ChatOptions options;
  options.conversation = arguments.conversation;
  options.model = arguments.model;
  options.history_path = config->home + "/history";
  return ui::run_chat(opened->session(), terminal, options);
}

}  // namespace

int chat_command(const ChatArguments& arguments) {
  return talk(ui::detect_terminal(), arguments);
}

}  // namespace keel::app
