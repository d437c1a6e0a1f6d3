// Memory: what it finds and how fast it is. `./dev bench memory` says how to call it.
#include "bench_memory.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr const char* kUsage =
    "usage: bench_memory recall [--locomo FILE] [--owners FILE]\n"
    "       bench_memory speed [--segments N] [--folder FOLDER] [--making SECONDS]\n"
    "       bench_memory kills [--count N]\n";

int usage() {
  std::fputs(kUsage, stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  keel::bench::RecallWish recall;
  keel::bench::SpeedWish speed;
  int kills = 1000;
  for (int i = 2; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) return usage();
    const char* value = argv[i + 1];
    if (name == "--locomo")
      recall.locomo = value;
    else if (name == "--owners")
      recall.owners = value;
    else if (name == "--segments")
      speed.segments = std::atoi(value);
    else if (name == "--folder")
      speed.folder = value;
    else if (name == "--making")
      speed.making_s = std::atof(value);
    else if (name == "--count")
      kills = std::atoi(value);
    else
      return usage();
  }
  if (what == "recall") return keel::bench::measure_recall(recall);
  if (what == "speed" && speed.segments > 0) return keel::bench::measure_speed(speed);
  if (what == "kills" && kills > 0) return keel::bench::kill_writers(kills);
  return usage();
}
