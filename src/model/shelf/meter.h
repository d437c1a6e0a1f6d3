// How fast something arrives and how long the rest takes: for the line that people watch. Pure but
// for the times it is given; one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>

namespace keel::shelf {

// "8 s", "3 min", "2 h 5 min".
std::string time_text(double seconds);

class Meter {
 public:
  using Time = std::chrono::steady_clock::time_point;
  void add(Time now, std::uint64_t arrived_bytes);
  // Over the last ten seconds; 0 until it can be told.
  double bytes_per_second() const;
  // "43%  1.2 GB of 2.7 GB  38 MB/s  41 s left"; what cannot be told yet is left out.
  std::string text(std::uint64_t total_bytes) const;

 private:
  struct Sample {
    Time time;
    std::uint64_t bytes;
  };
  std::deque<Sample> samples_;
};

}  // namespace keel::shelf
