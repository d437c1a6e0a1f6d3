// Runs one turn while somebody watches: the turn on a thread of its own, keys, signals and the view
// on the caller's. Ctrl-C stops the answer; a second one, while the first is still being obeyed,
// leaves the program.
#pragma once

#include <functional>
#include <string>

#include "agent/session.h"
#include "ui/terminal.h"
#include "ui/turn_view.h"

namespace keel::ui {

struct Turned {
  Result<Json> result;
  bool leave = false;       // the owner or the system wants the program to end
  std::string typed_ahead;  // keys that were pressed meanwhile, for the next prompt
};

// With `keys` standard input is a terminal whose keys are collected (not echoed) while the turn
// runs; a line that says /stop stops it.
Turned run_turn(agent::Session& session, const agent::TurnRequest& request, TurnView& view,
                Interrupts& interrupts, bool keys);

}  // namespace keel::ui
