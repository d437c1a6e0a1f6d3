#include "bench_engine.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>
#include <utility>

namespace keel::bench {
namespace {

constexpr const char* kUsage =
    "usage: bench_engine gap|child --keel FILE --model FILE --library FILE --home FOLDER\n"
    "       [--attention NAME] [--threads N] [--rounds N] [--tokens N] [--job N] [--depth N]\n";

int usage() {
  std::fputs(kUsage, stderr);
  return 2;
}

bool read_option(EngineWish& wish, std::string_view name, const char* value) {
  const std::array texts = {
      std::pair{"--keel", &EngineWish::program}, std::pair{"--model", &EngineWish::model},
      std::pair{"--library", &EngineWish::library},
      std::pair{"--attention", &EngineWish::attention}, std::pair{"--home", &EngineWish::home}};
  const std::array numbers = {
      std::pair{"--threads", &EngineWish::threads}, std::pair{"--rounds", &EngineWish::rounds},
      std::pair{"--tokens", &EngineWish::tokens}, std::pair{"--job", &EngineWish::job},
      std::pair{"--depth", &EngineWish::depth}};
  for (const auto& [known, member] : texts) {
    if (name == known) wish.*member = value;
    if (name == known) return true;
  }
  for (const auto& [known, member] : numbers) {
    if (name == known) wish.*member = std::atoi(value);
    if (name == known) return true;
  }
  return false;
}

}  // namespace

std::string words(int tokens, unsigned seed) {
  static constexpr std::array<const char*, 16> all{
      "wind",  "tide", "rope", "plank",  "shed",  "paint", "frost",  "brother",
      "crane", "seam", "mast", "ladder", "chart", "nail",  "winter", "ferry"};
  std::mt19937 random(seed);
  std::string text;
  for (int i = 0; i < tokens; ++i) text += (i > 0 ? " " : "") + std::string(all[random() % 16]);
  return text;
}

}  // namespace keel::bench

int main(int argc, char** argv) {
  using namespace keel::bench;
  const std::string_view what = argc > 1 ? argv[1] : "";
  EngineWish wish;
  for (int i = 2; i < argc; i += 2) {
    if (i + 1 == argc || !read_option(wish, argv[i], argv[i + 1])) return usage();
  }
  const bool whole = !wish.program.empty() && !wish.model.empty() && !wish.library.empty() &&
                     !wish.home.empty() && wish.rounds > 0 && wish.tokens > 1;
  if (!whole || (what != "gap" && what != "child")) return usage();
  const keel::Status done = what == "gap" ? measure_gap(wish) : measure_child(wish);
  if (done) return 0;
  std::fprintf(stderr, "%s\n", done.error().text().c_str());
  return 1;
}
