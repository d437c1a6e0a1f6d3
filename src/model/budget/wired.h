// How much the graphics processor of a Mac may hold in place at once (iogpu.wired_limit_mb): what
// to set, when that would let a model be loaded that otherwise is not. keel never sets it.
//
// Pure functions; any thread. Bytes, but for names in _mb.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace keel::budget {

struct WiredLimit {
  std::int64_t mb = 0;         // the proposed value
  std::int64_t kept_free = 0;  // bytes of memory that stay out of its reach
  std::string command;         // sets it until the next start of the machine
  std::string undo;
};

// The most that such a limit may be on a machine with that much memory; 0: no limit at all is
// proposed, because the system needs the rest.
std::int64_t wired_ceiling_bytes(std::int64_t ram_bytes);

// Code::limit, with the figures, if no sensible limit lets `need_bytes` in. `working_set_bytes` is
// what the device allows now; nothing below it is proposed.
Result<WiredLimit> propose_wired_limit(std::int64_t need_bytes, std::int64_t ram_bytes,
                                       std::int64_t working_set_bytes);

// A LaunchDaemon that sets it at every start of the machine, with how to install and remove it.
std::string launchd_text(const WiredLimit& limit);

}  // namespace keel::budget
