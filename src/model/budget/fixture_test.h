// Machines that tests look at: the files and numbers of real systems, as far as they matter here.
#pragma once

#include <map>
#include <string>

#include "model/budget/machine.h"

namespace keel::budget {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr std::int64_t kGiB = std::int64_t{1} << 30;

// Answers from its tables and counts what it was asked for.
class FakeSource final : public Source {
 public:
  Result<std::string> read(const std::string& path) const override { return find(files, path); }
  Result<std::string> sysctl(const std::string& name) const override { return find(numbers, name); }
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> numbers;

 private:
  static Result<std::string> find(const std::map<std::string, std::string>& table,
                                  const std::string& key) {
    const auto found = table.find(key);
    if (found == table.end()) return fail(Code::not_found, "there is no " + key);
    return found->second;
  }
};

// A desktop with `gib` of memory, most of it free, 8 MiB lockable, no control group.
inline FakeSource linux_source(std::int64_t gib) {
  const std::int64_t kib = gib * 1024 * 1024;
  FakeSource source;
  source.files["/proc/meminfo"] =
      "MemTotal:       " + std::to_string(kib) +
      " kB\nMemFree:  1000 kB\nMemAvailable:   " + std::to_string(kib / 8 * 7) +
      " kB\nSwapFree:  2097152 kB\n";
  source.files["/proc/self/cgroup"] = "0::/user.slice/session.scope\n";
  source.files["/proc/self/status"] = "Name:\tkeel\nCapEff:\t0000000000000000\n";
  source.files["/proc/self/limits"] =
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max locked memory         8388608              8388608              bytes     \n"
      "Max address space         unlimited            unlimited            bytes     \n";
  source.files["/sys/kernel/mm/transparent_hugepage/enabled"] = "always [madvise] never\n";
  return source;
}

// A Mac, nine tenths of its memory free.
inline FakeSource mac_source(std::int64_t gib, std::int64_t wired_mb = 0) {
  FakeSource source;
  source.numbers["hw.memsize"] = std::to_string(gib * kGiB);
  source.numbers["kern.memorystatus_level"] = "90";
  source.numbers["iogpu.wired_limit_mb"] = std::to_string(wired_mb);
  return source;
}

}  // namespace keel::budget
