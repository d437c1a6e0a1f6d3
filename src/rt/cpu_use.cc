#include "rt/cpu_use.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "rt/file.h"

namespace keel::rt {
namespace {

using namespace std::chrono_literals;

constexpr auto kLeast = 200ms;   // the kernel counts in steps of 10 ms
constexpr auto kMost = 5s;       // longer ago says little about now
constexpr double kWeight = 0.6;  // of the newest look
constexpr std::size_t kStatBytes = 4096;

double own_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

std::optional<double> all_seconds() {
  const Fd file(::open("/proc/stat", O_RDONLY | O_CLOEXEC));
  std::string text(kStatBytes, '\0');
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (size <= 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(size));
  return busy_seconds(text, ::sysconf(_SC_CLK_TCK));
}

}  // namespace

// "cpu  user nice system idle iowait irq softirq steal guest guest_nice"; guests are counted in
// user.
std::optional<double> busy_seconds(std::string_view stat, long ticks) {
  const std::string_view line = stat.substr(0, stat.find('\n'));
  if (!line.starts_with("cpu ") || ticks <= 0) return std::nullopt;
  constexpr std::size_t idle = 3;
  constexpr std::size_t waiting = 4;
  constexpr std::size_t steal = 7;
  std::uint64_t busy = 0;
  std::size_t field = 0;
  for (const std::string_view word : split(line.substr(4), ' ')) {
    if (word.empty()) continue;
    std::uint64_t value = 0;
    if (std::from_chars(word.data(), word.data() + word.size(), value).ec != std::errc())
      return std::nullopt;
    if (field != idle && field != waiting && field <= steal) busy += value;
    ++field;
  }
  if (field <= idle) return std::nullopt;
  return static_cast<double>(busy) / static_cast<double>(ticks);
}

double OtherCpuUse::processors() {
  const auto now = std::chrono::steady_clock::now();
  if (last_ && now - last_->time < kLeast) return others_;
  const std::optional<double> all = all_seconds();
  if (!all) return 0.0;
  const Sample sample{now, *all, own_seconds()};
  if (!last_ || now - last_->time > kMost) {
    others_ = 0.0;
  } else {
    const double passed = std::chrono::duration<double>(now - last_->time).count();
    const double others =
        (sample.all_seconds - last_->all_seconds - (sample.own_seconds - last_->own_seconds)) /
        passed;
    others_ += kWeight * (std::max(0.0, others) - others_);
  }
  last_ = sample;
  return others_;
}

}  // namespace keel::rt
