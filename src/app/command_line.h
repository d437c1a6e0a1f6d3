// The command line: what can be typed, its help, and the exit status of what was typed.
#pragma once

namespace keel::app {

int run_command_line(int argc, char** argv);

}  // namespace keel::app
