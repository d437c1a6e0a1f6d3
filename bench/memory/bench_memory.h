// The parts of the memory benchmark: what is found, how fast, and what a kill leaves.
#pragma once

#include <string>

namespace keel::bench {

struct RecallWish {
  std::string locomo;  // file of the LoCoMo set, or empty: only keel's own set
  std::string owners;  // keel's own set (bench/memory/owners.txt)
};
// Prints evidence recall beside that of FTS5 with its porter tokeniser. 0 if all went well.
int measure_recall(const RecallWish& wish);

struct SpeedWish {
  int segments = 6000;
  std::string folder;       // kept and gone on with; empty: a temporary one
  double making_s = 600.0;  // for making the pages; what is there by then is measured
};
int measure_speed(const SpeedWish& wish);

// A process that writes, edits and forgets pages, keeps days and a folder in step, killed so many
// times at random moments. 1 if anything that it had acknowledged is not there afterwards.
int kill_writers(int kills);

}  // namespace keel::bench
