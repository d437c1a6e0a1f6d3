// The program. Files and folders it makes belong to the owner alone; a reader that goes away is an
// error value, not a signal.
#include <sys/stat.h>

#include <csignal>

#include "app/command_line.h"
#include "ui/terminal.h"

int main(int argc, char** argv) {
  ::umask(0077);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  keel::ui::use_utf8_locale();
  return keel::app::run_command_line(argc, argv);
}
