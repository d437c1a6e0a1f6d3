// The conversation at the terminal: prompt, turn, prompt, until the owner leaves. Lines that begin
// with a slash and a word are commands. Written against agent::Session alone, so it is the same
// with and without the daemon.
#pragma once

#include <string>

#include "agent/session.h"
#include "ui/terminal.h"

namespace keel::ui {

struct ChatOptions {
  std::string conversation = "main";
  std::string model;  // empty: the router decides
  std::string history_path;
};

// The program's exit status.
int run_chat(agent::Session& session, const Terminal& terminal, const ChatOptions& options);

// An error as it is shown: what failed and why, then what to do.
std::string error_text(const Error& error, bool styled);

}  // namespace keel::ui
