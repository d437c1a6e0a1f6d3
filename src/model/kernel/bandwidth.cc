#include "model/kernel/bandwidth.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <latch>
#include <numeric>
#include <vector>

#include "base/limits.h"
#include "rt/thread.h"

namespace keel::kernel {
namespace {

constexpr int kPasses = 5;

struct Part {
  std::chrono::steady_clock::time_point start;
  std::chrono::steady_clock::time_point end;
  std::uint64_t sum = 0;  // of ones: how many words were read
};

std::uint64_t add_up(const std::uint64_t* from, std::size_t count) {
  std::array<std::uint64_t, 8> sums{};  // enough that no addition waits for another
  for (std::size_t i = 0; i + sums.size() <= count; i += sums.size()) {
    for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += from[i + j];
  }
  return std::accumulate(sums.begin(), sums.end(), std::uint64_t{0});
}

}  // namespace

double memory_bandwidth(int threads) {
  const std::vector<std::uint64_t> memory(limits::bandwidth_bytes / sizeof(std::uint64_t), 1);
  const std::size_t part = memory.size() / static_cast<std::size_t>(std::max(threads, 1));
  double best = 0.0;
  for (int pass = 0; pass < kPasses; ++pass) {
    std::latch ready(threads);
    std::vector<Part> parts(static_cast<std::size_t>(threads));
    std::vector<rt::Thread> readers;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      readers.push_back(rt::start_thread("bandwidth", [&, i](std::stop_token) {
        ready.arrive_and_wait();
        parts[i].start = std::chrono::steady_clock::now();
        parts[i].sum = add_up(memory.data() + i * part, part);
        parts[i].end = std::chrono::steady_clock::now();
      }));
    }
    readers.clear();
    Part all = parts.front();
    for (std::size_t i = 1; i < parts.size(); ++i) {
      all.start = std::min(all.start, parts[i].start);
      all.end = std::max(all.end, parts[i].end);
      all.sum += parts[i].sum;
    }
    const double seconds = std::chrono::duration<double>(all.end - all.start).count();
    best = std::max(best, static_cast<double>(all.sum) * sizeof(std::uint64_t) / seconds);
  }
  return best;
}

}  // namespace keel::kernel
