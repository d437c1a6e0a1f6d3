#include "app/machine.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/text.h"
#include "rt/file.h"

namespace keel::app {
namespace {

constexpr std::size_t proc_bytes = 1u << 20;

std::optional<std::uint64_t> number_in(const std::string& path) {
  Result<std::string> text = rt::read_file(path, proc_bytes);
  if (!text) return std::nullopt;
  std::string_view digits = trim(*text);
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;  // "max"
  return value;
}

// The strictest limit on the way from this process's control group to the root.
std::uint64_t control_group_limit() {
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
  auto weigh = [&](const std::string& path) {
    if (std::optional<std::uint64_t> found = number_in(path)) limit = std::min(limit, *found);
  };
  weigh("/sys/fs/cgroup/memory.max");
  weigh("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  Result<std::string> groups = rt::read_file("/proc/self/cgroup", proc_bytes);
  if (groups) {
    for (std::string_view line : split(*groups, '\n')) {
      if (!line.starts_with("0::/")) continue;
      std::string group(line.substr(3));
      while (group.size() > 1) {
        weigh("/sys/fs/cgroup" + group + "/memory.max");
        group.erase(group.rfind('/'));
      }
    }
  }
  constexpr std::uint64_t no_limit = 1ull << 60;  // version 1 writes a huge number for "none"
  return limit >= no_limit ? 0 : limit;
}

}  // namespace

std::uint64_t MachineMemory::usable_bytes() const {
  return limit_bytes == 0 ? available_bytes : std::min(available_bytes, limit_bytes);
}

std::uint64_t MachineMemory::most_bytes() const {
  return limit_bytes == 0 ? total_bytes : std::min(total_bytes, limit_bytes);
}

std::optional<MachineMemory> machine_memory() {
  MachineMemory memory;
  memory.limit_bytes = control_group_limit();
  Result<std::string> text = rt::read_file("/proc/meminfo", proc_bytes);
  if (!text) {
    long pages = ::sysconf(_SC_PHYS_PAGES);
    long page = ::sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page <= 0) return std::nullopt;
    memory.total_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
    memory.available_bytes = memory.total_bytes;
    return memory;
  }
  for (std::string_view line : split(*text, '\n')) {
    std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view value = trim(line.substr(colon + 1));
    std::uint64_t kib = 0;
    std::from_chars(value.data(), value.data() + value.size(), kib);
    if (line.starts_with("MemTotal:")) memory.total_bytes = kib * 1024;
    if (line.starts_with("MemAvailable:")) memory.available_bytes = kib * 1024;
  }
  return memory;
}

std::optional<std::uint64_t> free_disk_bytes(const std::string& path) {
  struct statvfs facts{};
  if (::statvfs(path.c_str(), &facts) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
}

}  // namespace keel::app
