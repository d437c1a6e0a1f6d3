// Search and add times of the memory on generated pages. usage: bench_memory [PAGES, default 6000]
//
// The words follow Zipf's law as in natural text: some are in most pages, most are in a few. The
// fifty most frequent stand for stop words, which are indexed but not looked up. Sessions of twenty
// pages, so that neighbours are indexed. The time of a search includes writing its audit rows to
// disk; the time of the ranking alone, as stored in `retrieval.took_us`, is printed beside it.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "memory/memory.h"
#include "store/database.h"

namespace {

using keel::memory::Memory;

constexpr std::size_t kStopWords = 50;

class Words {
 public:
  explicit Words(std::size_t count) {
    double sum = 0.0;
    for (std::size_t i = 1; i <= count; ++i) sums_.push_back(sum += 1.0 / static_cast<double>(i));
  }
  // Of the words from rank `first` on.
  std::string text(std::mt19937& random, int words, std::size_t first) const {
    std::string out;
    std::uniform_real_distribution<double> pick(sums_[first], sums_.back());
    for (int i = 0; i < words; ++i) {
      const auto at = std::lower_bound(sums_.begin(), sums_.end(), pick(random)) - sums_.begin();
      out += "w" + std::to_string(at) + (i + 1 < words ? " " : ".");
    }
    return out;
  }

 private:
  std::vector<double> sums_;
};

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values.empty()
             ? 0.0
             : values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

int run(const std::string& folder, int pages) {
  const keel::SystemClock clock;
  keel::store::DatabaseOptions options;
  options.path = folder + "/keel.db";
  options.migrations = keel::memory::migrations();
  auto database = MUST(keel::store::Database::open(options));
  Memory memory(*database, clock);
  const Words words(20'000);
  std::mt19937 random(1);

  std::vector<double> add_ms, search_ms;
  for (int i = 0; i < pages; ++i) {
    keel::memory::NewPage page;
    page.body = words.text(random, 10 + static_cast<int>(random() % 40), 0);
    page.session = "session" + std::to_string(i / 20);
    const auto from = clock.steady();
    MUST(memory.add(page));
    add_ms.push_back(keel::ms_between(from, clock.steady()));
  }
  for (int i = 0; i < 500; ++i) {
    keel::memory::Query query;
    query.text = words.text(random, 3 + static_cast<int>(random() % 8), kStopWords);
    const auto from = clock.steady();
    MUST(memory.search(query));
    search_ms.push_back(keel::ms_between(from, clock.steady()));
  }
  const std::vector<double> rank_ms =
      MUST(database->read([](keel::store::Connection& c) -> keel::Result<std::vector<double>> {
        keel::store::Statement select = TRY(c.prepare("SELECT took_us FROM retrieval"));
        std::vector<double> found;
        while (TRY(select.step())) found.push_back(select.real(0) / 1000.0);
        return found;
      }));
  std::printf("pages %d\n", pages);
  const auto line = [](const char* name, const std::vector<double>& ms) {
    std::printf("%-28s p50 %7.2f ms   p95 %7.2f ms\n", name, percentile(ms, 0.5),
                percentile(ms, 0.95));
  };
  line("add (durable)", add_ms);
  line("search (ranking alone)", rank_ms);
  line("search (with durable audit)", search_ms);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int pages = argc > 1 ? std::atoi(argv[1]) : 6000;
  std::string folder = (std::filesystem::temp_directory_path() / "keel-bench-XXXXXX").string();
  if (pages < 1 || ::mkdtemp(folder.data()) == nullptr) {
    std::fprintf(stderr, "usage: bench_memory [PAGES]\n");
    return 2;
  }
  const int code = run(folder, pages);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return code;
}
