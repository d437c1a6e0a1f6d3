// What this machine can give: memory, the limits on it, and how far locking and huge pages go. Read
// through a Source, so that tests look at other machines than the one they run on.
//
// Any thread; read anew each time, in well under a millisecond.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace keel::budget {

enum class System { linux_kernel, mac, other };

struct Machine {
  System system = System::other;
  std::int64_t ram_bytes = 0;
  std::int64_t available_bytes = 0;  // for a new program, without pushing others out
  std::int64_t swap_free_bytes = 0;
  std::int64_t group_limit_bytes = 0;  // of the tightest control group around this process; 0: none
  std::int64_t group_used_bytes = 0;   // there, less what could be dropped
  std::string group_file;              // where that limit stands
  std::int64_t lockable_bytes = 0;     // that may be locked in memory; -1: any amount
  std::string huge_pages;              // "always", "madvise" or "never"; empty: not known
  std::int64_t wired_limit_mb = 0;     // macOS: iogpu.wired_limit_mb; 0: the system decides

  // What keel can have now without harm to others.
  std::int64_t room_bytes() const;
  // What keel could have if everything else ended.
  std::int64_t most_bytes() const;
  // Of either, what is left to everything else.
  std::int64_t reserve_bytes() const;
};

// Where facts come from. Text as the system gives it.
class Source {
 public:
  virtual ~Source() = default;
  virtual Result<std::string> read(const std::string& path) const = 0;
  virtual Result<std::string> sysctl(const std::string& name) const = 0;  // macOS
};
std::unique_ptr<Source> system_source();

// Code::unsupported if the system tells nothing of its memory.
Result<Machine> look_at_machine(const Source& source);

}  // namespace keel::budget
