// Which of the CPU libraries beside the program this machine computes with, and whether with one
// for graphics processors. Decided by running each
// in a child process on real kernels, comparing the results with exact arithmetic and timing them,
// never by reading processor flags: a machine may advertise what it cannot run. Done once; kept in
// a file until the libraries, the processor, the kernel or keel's engine change.
//
// Any thread. Takes at most limits::cpu_choice_time, and limits::gpu_probe_time for each GPU
// library.
#pragma once

#include <cstdint>
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

// A graphics processor through one of the libraries libggml-cuda, -metal, -vulkan and so on.
struct GpuPath {
  std::string library;  // the file's path
  std::string name;     // "vulkan"
  bool usable = false;
  std::string why_not;
  std::string device;             // "NVIDIA H100 80GB HBM3"
  bool discrete = false;          // it has memory of its own
  std::int64_t memory_bytes = 0;  // that it can hold
  double read_gops = 0.0;         // as of CpuPath
  double decode_gops = 0.0;
  double error = 0.0;
};

struct CpuChoice {
  std::string library;
  std::string name;
  std::string fingerprint;     // of all that the choice depends on
  std::string attention;       // the attention kernel that runs here (model/kernel/); may be empty
  std::vector<CpuPath> table;  // in the order they were tried
  // The GPU library to load models with, unless measuring a model says otherwise (tune.h): of a
  // processor with memory of its own. Empty: none.
  std::string gpu;
  std::vector<GpuPath> gpus;
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

Result<CpuChoice> choose_cpu(const CpuOptions& wish);

// lib/ beside the program, or ../lib/keel of an installed one.
Result<std::string> engine_library_folder(const std::string& program);

}  // namespace keel::local
