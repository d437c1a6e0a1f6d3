#include "model/budget/machine.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

#include "base/limits.h"
#include "base/text.h"
#include "rt/file.h"

namespace keel::budget {
namespace {

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kHuge = std::int64_t{1} << 60;  // version 1 of control groups: no limit
constexpr int kLockCapability = 14;                    // CAP_IPC_LOCK

class SystemSource final : public Source {
 public:
  Result<std::string> read(const std::string& path) const override {
    return rt::read_file(path, limits::machine_file_bytes);
  }
  Result<std::string> sysctl(const std::string& name) const override {
#ifdef __APPLE__
    std::uint64_t value = 0;
    std::size_t size = sizeof value;
    if (::sysctlbyname(name.c_str(), &value, &size, nullptr, 0) == 0) {
      // Numbers of 4 bytes fill the lower half: every Mac is little-endian.
      return std::to_string(value);
    }
#endif
    return fail(Code::not_found, "there is no " + name + " here");
  }
};

std::optional<std::int64_t> number(std::string_view text) {
  text = trim(text);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;  // "max"
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, kNoLimit));
}

std::optional<std::int64_t> number_in(const Source& source, const std::string& path) {
  const auto text = source.read(path);
  return text ? number(*text) : std::nullopt;
}

// The number behind `key` at the start of a line; 0 without one.
std::int64_t value_of(const std::string& text, std::string_view key) {
  for (const std::string_view line : split(text, '\n')) {
    if (line.starts_with(key)) return number(line.substr(key.size())).value_or(0);
  }
  return 0;
}

// One level of the control groups: its limit and what stands in it that cannot be dropped.
struct Level {
  std::int64_t limit = kNoLimit;
  std::int64_t used = 0;
  std::string file;
};

Level level_v2(const Source& source, const std::string& folder) {
  Level level;
  for (const char* name : {"/memory.max", "/memory.high"}) {
    const auto found = number_in(source, folder + name);
    if (!found || *found >= level.limit) continue;
    level.limit = *found;
    level.file = folder + name;
  }
  const std::string stat = source.read(folder + "/memory.stat").value_or("");
  level.used = number_in(source, folder + "/memory.current").value_or(0) -
               value_of(stat, "inactive_file ") - value_of(stat, "active_file ");
  return level;
}

Level level_v1(const Source& source, const std::string& folder) {
  Level level;
  const auto found = number_in(source, folder + "/memory.limit_in_bytes");
  if (found && *found < kHuge) {
    level.limit = *found;
    level.file = folder + "/memory.limit_in_bytes";
  }
  const std::string stat = source.read(folder + "/memory.stat").value_or("");
  level.used = number_in(source, folder + "/memory.usage_in_bytes").value_or(0) -
               value_of(stat, "total_inactive_file ") - value_of(stat, "total_active_file ");
  return level;
}

// The level with the least room between this process's group and the root. A container often sees
// its own group as the root, whatever the group is called outside.
void look_at_groups(const Source& source, Machine& machine) {
  const std::string groups = source.read("/proc/self/cgroup").value_or("");
  std::int64_t least = kNoLimit;
  const auto weigh = [&](const Level& level) {
    if (level.limit == kNoLimit) return;
    const std::int64_t used = std::max<std::int64_t>(level.used, 0);
    if (level.limit - used >= least) return;
    least = level.limit - used;
    machine.group_limit_bytes = level.limit;
    machine.group_used_bytes = used;
    machine.group_file = level.file;
  };
  const auto climb = [&](const std::string& root, std::string group, auto look) {
    for (; group.size() > 1; group.erase(group.rfind('/'))) weigh(look(source, root + group));
    weigh(look(source, root));
  };
  for (const std::string_view line : split(groups, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string_view kinds = line.substr(first + 1, second - first - 1);
    const std::string group(line.substr(second + 1));
    if (group.empty() || group[0] != '/') continue;
    if (kinds.empty()) climb("/sys/fs/cgroup", group, level_v2);
    for (const std::string_view kind : split(kinds, ','))
      if (kind == "memory") climb("/sys/fs/cgroup/memory", group, level_v1);
  }
}

std::int64_t lockable(const Source& source) {
  const std::string status = source.read("/proc/self/status").value_or("");
  for (const std::string_view line : split(status, '\n')) {
    if (!line.starts_with("CapEff:")) continue;
    const std::string_view digits = trim(line.substr(7));
    std::uint64_t rights = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), rights, 16);
    if ((rights >> kLockCapability & 1) != 0) return -1;
  }
  const std::string limits_text = source.read("/proc/self/limits").value_or("");
  constexpr std::string_view key = "Max locked memory ";
  for (const std::string_view line : split(limits_text, '\n')) {
    if (!line.starts_with(key)) continue;
    if (trim(line.substr(key.size())).starts_with("unlimited")) return -1;
  }
  return value_of(limits_text, key);
}

// "always [madvise] never": the one in brackets.
std::string huge_pages(const Source& source) {
  const std::string text = source.read("/sys/kernel/mm/transparent_hugepage/enabled").value_or("");
  const std::size_t open = text.find('[');
  const std::size_t close = text.find(']');
  if (open == text.npos || close == text.npos || close < open) return {};
  return text.substr(open + 1, close - open - 1);
}

Machine look_at_linux(const Source& source, const std::string& meminfo) {
  constexpr std::int64_t kib = 1024;
  Machine machine;
  machine.system = System::linux_kernel;
  machine.ram_bytes = value_of(meminfo, "MemTotal:") * kib;
  machine.available_bytes = value_of(meminfo, "MemAvailable:") * kib;
  machine.swap_free_bytes = value_of(meminfo, "SwapFree:") * kib;
  look_at_groups(source, machine);
  machine.lockable_bytes = lockable(source);
  machine.huge_pages = huge_pages(source);
  return machine;
}

}  // namespace

std::int64_t Machine::room_bytes() const {
  if (group_limit_bytes == 0) return available_bytes;
  return std::min(available_bytes, std::max<std::int64_t>(group_limit_bytes - group_used_bytes, 0));
}

std::int64_t Machine::most_bytes() const {
  return group_limit_bytes == 0 ? ram_bytes : std::min(ram_bytes, group_limit_bytes);
}

std::int64_t Machine::reserve_bytes() const {
  return std::clamp(most_bytes() / 100 * limits::budget_reserve_percent,
                    limits::budget_reserve_min_bytes, limits::budget_reserve_max_bytes);
}

std::unique_ptr<Source> system_source() {
  return std::make_unique<SystemSource>();
}

Result<Machine> look_at_machine(const Source& source) {
  if (const auto meminfo = source.read("/proc/meminfo")) {
    Machine machine = look_at_linux(source, *meminfo);
    if (machine.ram_bytes > 0 && machine.available_bytes > 0) return machine;
  }
  const std::int64_t ram = number(source.sysctl("hw.memsize").value_or("")).value_or(0);
  if (ram <= 0) {
    return fail(Code::unsupported, "this system does not say how much memory it has",
                "set context for this model in keel.toml by hand");
  }
  Machine machine;
  machine.system = System::mac;
  machine.ram_bytes = ram;
  // Of 100; what the system itself calls free, purgeable and cached memory included.
  const auto level = source.sysctl("kern.memorystatus_level");
  const std::int64_t percent = level ? number(*level).value_or(100) : 100;
  machine.available_bytes = machine.ram_bytes / 100 * std::clamp<std::int64_t>(percent, 0, 100);
  machine.lockable_bytes = -1;
  const auto wired = source.sysctl("iogpu.wired_limit_mb");
  machine.wired_limit_mb = wired ? number(*wired).value_or(0) : 0;
  return machine;
}

}  // namespace keel::budget
