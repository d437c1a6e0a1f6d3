// Measurements of the local engine that need keel's own side of it: how those who want it at once
// disturb each other, and what the child and its socket cost. Each prints one JSON object to
// standard output; scripts/bench-gap and scripts/bench-child make tables of them.
#pragma once

#include <string>

#include "base/result.h"

namespace keel::bench {

struct EngineWish {
  std::string program;    // keel, to run as engine
  std::string model;      // of the GGUF
  std::string library;    // of the CPU, for measure_child
  std::string attention;  // as in local::LoadRequest, for measure_child
  std::string home;       // a KEEL_HOME to use up, for measure_gap
  int threads = 0;        // 0: chosen
  int rounds = 5;
  int tokens = 128;  // of each answer
  int job = 1500;    // about so many tokens of what a job reads
  int depth = 0;     // about so many tokens before an answer
};

// The owner's longest gap between tokens: alone, and while a job comes; and the reverse.
Status measure_gap(const EngineWish& wish);

// The same answers through the child and in this very process, in turns.
Status measure_child(const EngineWish& wish);

// Words without sense, about so many tokens of them.
std::string words(int tokens, unsigned seed);

}  // namespace keel::bench
