// Every fuzz target over its seeds, and over seeds that were cut off, flipped and mixed, for about
// a second each: what every compiler can run every time. The search for new paths is
// `./dev fuzz TARGET`.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#define FUZZ_TARGET(name) extern "C" int fuzz_##name(const std::uint8_t* data, std::size_t size);
#include "fuzz_targets.inc"
#undef FUZZ_TARGET

namespace {

namespace fs = std::filesystem;
using Target = int (*)(const std::uint8_t*, std::size_t);

constexpr auto time_for_one = std::chrono::seconds(1);
constexpr std::size_t input_bytes = 64u << 10;

// A target ends the program when it finds something: this says on what.
std::string current;
std::array<char, 128> place{};

void on_abort(int) {
  [[maybe_unused]] ssize_t n = ::write(STDERR_FILENO, place.data(), std::strlen(place.data()));
  n = ::write(STDERR_FILENO, current.data(), current.size());
  n = ::write(STDERR_FILENO, "\n", 1);
}

std::vector<std::string> seeds_of(const std::string& name) {
  std::vector<std::string> seeds;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(std::string(CORPUS_FOLDER) + "/" + name))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    std::ifstream in(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return seeds;
}

class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& seeds) : seeds_(seeds) {}
  std::string next() {
    std::string text = any();
    for (std::size_t i = below(4) + 1; i > 0 && !text.empty(); --i) change(text);
    text.resize(std::min(text.size(), input_bytes));
    return text;
  }

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  const std::string& any() { return seeds_[below(seeds_.size())]; }
  void change(std::string& text) {
    const std::size_t at = below(text.size());
    switch (below(6)) {
      case 0:
        text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 1:
        text.resize(at);
        break;
      case 2:
        text.erase(at, below(8) + 1);
        break;
      case 3:
        text.insert(at, 1, static_cast<char>(below(256)));
        break;
      case 4:
        text.insert(at, text.substr(below(text.size()), below(64) + 1));
        break;
      default:
        text = text.substr(0, at) + any().substr(0, below(256));
        break;
    }
  }
  const std::vector<std::string>& seeds_;
  std::mt19937 random_{1};
};

void run(Target target, std::string input) {
  current = std::move(input);
  target(reinterpret_cast<const std::uint8_t*>(current.data()), current.size());
}

void run_target(const char* name, Target target) {
  ::signal(SIGABRT, on_abort);
  const std::vector<std::string> seeds = seeds_of(name);
  ASSERT_FALSE(seeds.empty()) << "tests/fuzz/corpus/" << name << " needs at least one seed";
  std::snprintf(place.data(), place.size(), "\nfuzz target %s found a fault with this input:\n",
                name);
  run(target, "");
  for (const std::string& seed : seeds) run(target, seed);
  const auto end = std::chrono::steady_clock::now() + time_for_one;
  Mutator mutator(seeds);
  while (std::chrono::steady_clock::now() < end) run(target, mutator.next());
  ::signal(SIGABRT, SIG_DFL);
}

#define FUZZ_TARGET(name)           \
  TEST(Seeds, name) {               \
    run_target(#name, fuzz_##name); \
  }
#include "fuzz_targets.inc"
#undef FUZZ_TARGET

}  // namespace
