// Child processes: started by argument vector (never a shell), with an environment that is given in
// full, in a process group of their own, ended with their parent (Linux: PR_SET_PDEATHSIG). Not
// thread-safe; one owner.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "rt/fd.h"

namespace keel::rt {

struct ChildOptions {
  std::vector<std::string> argv;         // argv[0] is the program's path
  std::vector<std::string> environment;  // "NAME=value"
  int inherit_fd = -1;                   // becomes descriptor 3 in the child; -1 for none
  bool quiet = false;                    // standard output and error go to /dev/null
  std::string stderr_path;               // appended to, mode 0600; empty: inherited
  // Linux ends a child with the thread that started it, not with the process. A child that notices
  // by itself when its parent is gone sets this, so that it can be started from a short-lived
  // thread.
  bool outlives_thread = false;
};

struct ExitStatus {
  int code = 0;              // exit code when signal is 0
  int signal = 0;            // the signal that ended it
  std::string text() const;  // "exit code 3", "signal 11 (Segmentation fault)"
};

class Child {
 public:
  static Result<Child> spawn(const ChildOptions& options);
  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();  // kills the group and reaps

  pid_t pid() const { return pid_; }
  bool running();
  // Waits at most timeout_ms (-1: for ever); nothing if it still runs.
  std::optional<ExitStatus> wait(int timeout_ms = -1);
  void signal_group(int signal_number);
  void kill();  // SIGKILL to the group, then reaps

 private:
  pid_t pid_ = -1;
  std::optional<ExitStatus> status_;
};

// The path of the running program.
Result<std::string> own_program_path();

}  // namespace keel::rt
