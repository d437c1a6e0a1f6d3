#include "rt/fd.h"

#include <unistd.h>

namespace keel::rt {

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace keel::rt
