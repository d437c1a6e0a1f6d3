// Counts the program's writing system calls and ends it with SIGKILL just before a chosen one, as a
// power switch would: pwrite64, pwrite, write, fsync, fdatasync, ftruncate, ftruncate64, unlink,
// rename, renameat2, link.
// kill_points.cc defines these functions for this program, in front of the C library's.
#pragma once

namespace keel::kill {

// From now on; the first call is number 1. 0: never kill, only count.
void arm(long kill_at);
long calls();
[[noreturn]] void now();

}  // namespace keel::kill
