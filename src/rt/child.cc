#include "rt/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#if defined(__linux__)
#include <sys/prctl.h>
#elif defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

#include "rt/file.h"
#include "rt/thread.h"

namespace keel::rt {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const std::string& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

// Runs between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(const ChildOptions& options, char* const* argv, char* const* envp,
                         pid_t parent, int report_fd) {
  ::setpgid(0, 0);
#if defined(__linux__)
  if (!options.outlives_thread) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the parent died before the line above
#else
  (void)parent;
#endif
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const int null = ::open("/dev/null", O_RDWR);
  if (null >= 0) ::dup2(null, 0);
  if (options.quiet && null >= 0) {
    ::dup2(null, 1);
    ::dup2(null, 2);
  }
  if (!options.stderr_path.empty()) {
    const int log = ::open(options.stderr_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log >= 0) ::dup2(log, 2);
  }
  // Descriptor 3 is the child's end; dup2 onto itself would keep close-on-exec, so that case is
  // undone by hand.
  if (options.inherit_fd == 3) {
    ::fcntl(3, F_SETFD, 0);
  } else if (options.inherit_fd >= 0) {
    ::dup2(options.inherit_fd, 3);
  }
  ::execve(argv[0], argv, envp);
  const int number = errno;
  if (::write(report_fd, &number, sizeof number) < 0) ::_exit(126);
  ::_exit(127);
}

}  // namespace

std::string ExitStatus::text() const {
  if (signal == 0) return "exit code " + std::to_string(code);
  return "signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
}

Result<Child> Child::spawn(const ChildOptions& options) {
  if (options.argv.empty()) return fail(Code::internal, "a child process needs a program");
  const std::vector<char*> argv = pointers(options.argv);
  const std::vector<char*> envp = pointers(options.environment);
  // The pipe closes by itself when exec succeeds; otherwise it carries errno. Its write end must
  // not be descriptor 3.
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return tl::unexpected(errno_error(errno, "could not make a pipe"));
  Fd read_end(ends[0]);
  Fd write_end(::fcntl(ends[1], F_DUPFD_CLOEXEC, 10));
  ::close(ends[1]);
  ::fcntl(read_end.get(), F_SETFD, FD_CLOEXEC);
  if (!write_end) return tl::unexpected(errno_error(errno, "could not duplicate a pipe"));

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return tl::unexpected(errno_error(errno, "could not start " + options.argv[0]));
  if (pid == 0) become(options, argv.data(), envp.data(), parent, write_end.get());
  ::setpgid(pid, pid);  // also here, so that the group exists before anybody signals it
  write_end.reset();

  int number = 0;
  ssize_t n = 0;
  do {
    n = ::read(read_end.get(), &number, sizeof number);
  } while (n < 0 && errno == EINTR);
  if (n > 0) {
    ::waitpid(pid, nullptr, 0);
    return tl::unexpected(errno_error(number, "could not start " + options.argv[0]));
  }
  Child child;
  child.pid_ = pid;
  return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), status_(std::exchange(other.status_, std::nullopt)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    kill();
    pid_ = std::exchange(other.pid_, -1);
    status_ = std::exchange(other.status_, std::nullopt);
  }
  return *this;
}

Child::~Child() {
  kill();
}

bool Child::running() {
  return pid_ > 0 && !wait(0);
}

std::optional<ExitStatus> Child::wait(int timeout_ms) {
  if (status_ || pid_ <= 0) return status_;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    int raw = 0;
    const pid_t done = ::waitpid(pid_, &raw, timeout_ms < 0 ? 0 : WNOHANG);
    if (done == pid_) {
      status_ = WIFSIGNALED(raw) ? ExitStatus{0, WTERMSIG(raw)} : ExitStatus{WEXITSTATUS(raw), 0};
      return status_;
    }
    if (done < 0 && errno != EINTR) {
      status_ = ExitStatus{127, 0};  // somebody else reaped it; nothing more to learn
      return status_;
    }
    if (done == 0) {
      if (std::chrono::steady_clock::now() >= end) return std::nullopt;
      sleep_ms(5);
    }
  }
}

void Child::signal_group(int signal_number) {
  if (pid_ > 0 && !status_) ::kill(-pid_, signal_number);
}

void Child::kill() {
  if (pid_ <= 0) return;
  if (!status_) {
    signal_group(SIGKILL);
    wait(-1);
  }
  pid_ = -1;
}

Result<std::string> own_program_path() {
  std::string path(4096, '\0');
#if defined(__APPLE__)
  auto size = static_cast<uint32_t>(path.size());
  if (_NSGetExecutablePath(path.data(), &size) != 0) {
    return fail(Code::internal, "the program's own path is too long");
  }
  path.resize(std::strlen(path.c_str()));
#else
  const ssize_t n = ::readlink("/proc/self/exe", path.data(), path.size());
  if (n < 0) return tl::unexpected(errno_error(errno, "could not read /proc/self/exe"));
  path.resize(static_cast<std::size_t>(n));
#endif
  return path;
}

}  // namespace keel::rt
