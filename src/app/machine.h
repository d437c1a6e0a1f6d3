// Facts about this machine: memory, against which models that are not here yet are weighed, and
// disk. Read anew each time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace keel::app {

struct MachineMemory {
  std::uint64_t total_bytes = 0;
  std::uint64_t available_bytes = 0;  // for a new program, without pushing others out
  std::uint64_t limit_bytes = 0;      // of the control group this process is in; 0: none
  // What a program can use at most.
  std::uint64_t usable_bytes() const;
  // What it could use if nothing else ran.
  std::uint64_t most_bytes() const;
};
std::optional<MachineMemory> machine_memory();

// Free bytes for this user on the file system of `path`.
std::optional<std::uint64_t> free_disk_bytes(const std::string& path);

}  // namespace keel::app
