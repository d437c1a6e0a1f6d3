// How many processors other programs are using, measured over the time since the last look: what
// all together worked less what this process worked. The kernel's list of runnable tasks would say
// it sooner, but it takes whatever happens to run at that moment for a load.
//
// One owner, one thread. Linux; elsewhere it is always nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keel::rt {

class OtherCpuUse {
 public:
  // Looks again if the last look is long enough ago to tell something; the answer is smoothed over
  // the latest looks, and starts anew after a pause.
  double processors();

 private:
  struct Sample {
    std::chrono::steady_clock::time_point time;
    double all_seconds = 0.0;
    double own_seconds = 0.0;
  };
  std::optional<Sample> last_;
  double others_ = 0.0;
};

// The seconds that all processors have worked, from the text of /proc/stat; nothing if it is not
// one. `ticks`: a second.
std::optional<double> busy_seconds(std::string_view stat, long ticks);

}  // namespace keel::rt
