// What the tests with real models share: where the models are, and a KEEL_HOME for this process.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "model/local/cpu.h"
#include "rt/child.h"

namespace keel::local {

constexpr const char* kTiny = "smollm2-135m-instruct-q4_1.gguf";
constexpr const char* kCoder = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf";

// Upwards from where the program is, then from where it was started.
inline std::filesystem::path models_folder() {
  namespace fs = std::filesystem;
  for (fs::path from : std::vector<fs::path>{*rt::own_program_path(), fs::current_path() / "x"}) {
    while (from.has_relative_path()) {
      from = from.parent_path();
      if (fs::exists(from / "deps/.cache/models")) return from / "deps/.cache/models";
    }
  }
  return "deps/.cache/models";
}
inline std::filesystem::path model_path(const std::string& name) {
  return models_folder() / name;
}

// A KEEL_HOME of this test alone, in which the CPU is chosen already: all tests of this build share
// that choice.
inline const std::string& home() {
  static const std::string folder = [] {
    namespace fs = std::filesystem;
    const fs::path shared = fs::path(*rt::own_program_path()).parent_path() / "engine-test";
    fs::create_directories(shared);
    CpuOptions options;
    options.cache_path = (shared / "cpu.json").string();
    (void)choose_cpu(options);
    const fs::path own = shared / std::to_string(::getpid());
    fs::create_directories(own);
    std::error_code error;
    fs::copy_file(shared / "cpu.json", own / "cpu.json", error);
    return own.string();
  }();
  return folder;
}

}  // namespace keel::local
