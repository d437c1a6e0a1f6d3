// Which of the CPU libraries beside the program this machine computes with. Decided by running each
// in a child process on real kernels, comparing the results with exact arithmetic and timing them,
// never by reading processor flags: a machine may advertise what it cannot run. Done once; kept in
// a file until the libraries, the processor, the kernel or keel's engine change.
//
// Any thread. Takes at most limits::cpu_choice_time.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace keel::local {

struct CpuPath {
  std::string library;  // the file's path
  std::string name;     // "haswell"
  bool usable = false;
  std::string why_not;       // "signal 4 (Illegal instruction)"
  double read_gops = 0.0;    // 1e9 multiply-adds a second with many tokens at once
  double decode_gops = 0.0;  // with one token
  double error =
      0.0;  // normalised mean square error against exact arithmetic, the worst of all kernels
};

struct CpuChoice {
  std::string library;
  std::string name;
  std::string fingerprint;     // of all that the choice depends on
  std::string attention;       // the attention kernel that runs here (model/kernel/); may be empty
  std::vector<CpuPath> table;  // in the order they were tried
  double took_ms = 0.0;
  bool cached = false;
};

struct CpuOptions {
  std::string program;     // to run as `engine --probe`; empty: this program
  std::string folder;      // of the libraries; empty: beside the program
  std::string cache_path;  // empty: nothing is kept
  std::vector<std::string> environment;
  bool again = false;  // choose anew even if a choice is kept
};

Result<CpuChoice> choose_cpu(const CpuOptions& options);

// lib/ beside the program, or ../lib/keel of an installed one.
Result<std::string> engine_library_folder(const std::string& program);

}  // namespace keel::local
