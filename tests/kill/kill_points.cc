#include "kill_points.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace keel::kill {
namespace {

std::atomic<bool> armed = false;
std::atomic<long> count = 0;
std::atomic<long> target = 0;

void pass() {
  if (armed && ++count == target) now();
}

}  // namespace

void arm(long kill_at) {
  count = 0;
  target = kill_at;
  armed = true;
}

long calls() {
  return count;
}

void now() {
  ::kill(getpid(), SIGKILL);
  for (;;) ::pause();
}

}  // namespace keel::kill

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  if (fd > 2) keel::kill::pass();
  return syscall(SYS_write, fd, data, size);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  keel::kill::pass();
  return syscall(SYS_pwrite64, fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  keel::kill::pass();
  return syscall(SYS_pwrite64, fd, data, size, offset);
}
int rename(const char* from, const char* to) {
  keel::kill::pass();
  return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned flags) {
  keel::kill::pass();
  return static_cast<int>(syscall(SYS_renameat2, from_at, from, to_at, to, flags));
}
int link(const char* from, const char* to) {
  keel::kill::pass();
  return static_cast<int>(syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
int fsync(int fd) {
  keel::kill::pass();
  return static_cast<int>(syscall(SYS_fsync, fd));
}
int fdatasync(int fd) {
  keel::kill::pass();
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
int ftruncate(int fd, off_t size) noexcept {
  keel::kill::pass();
  return static_cast<int>(syscall(SYS_ftruncate, fd, size));
}
int ftruncate64(int fd, off64_t size) noexcept {
  keel::kill::pass();
  return static_cast<int>(syscall(SYS_ftruncate, fd, size));
}
int unlink(const char* path) noexcept {
  keel::kill::pass();
  return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

}  // extern "C"
