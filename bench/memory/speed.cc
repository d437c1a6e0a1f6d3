// Times of adding and searching on generated pages.
//
// The words follow Zipf's law as in natural text: some are in most pages, most are in a few. The
// fifty most frequent stand for stop words, which are indexed but not looked up. Sessions of twenty
// pages, so that neighbours are indexed. The time of a search includes writing its audit rows to
// disk; the time of the ranking alone, as stored in `retrieval.took_us`, is printed beside it.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "bench_memory.h"
#include "memory/memory.h"
#include "store/database.h"

namespace keel::bench {
namespace {

using memory::Memory;

constexpr std::size_t kStopWords = 50;
constexpr int kAtOnce = 20'000;
constexpr int kSingle = 200;  // pages added one by one
constexpr int kSearches = 500;

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

void line(const char* name, std::vector<double> ms) {
  if (ms.empty()) return;
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double share) {
    return ms[static_cast<std::size_t>(share * static_cast<double>(ms.size() - 1))];
  };
  std::printf("%-32s min %8.2f   median %8.2f   p95 %8.2f   max %8.2f ms\n", name, at(0), at(0.5),
              at(0.95), ms.back());
}

memory::NewPage page_of(const Words& words, std::mt19937& random, std::int64_t number) {
  memory::NewPage page;
  page.body = words.text(random, 10 + static_cast<int>(random() % 40), 0);
  page.session = "session" + std::to_string(number / 20);
  page.created_ms = 1'600'000'000'000 + number * 1000;
  return page;
}

std::int64_t count(store::Database& database, const char* sql) {
  return MUST(database.read([&](store::Connection& c) -> Result<std::int64_t> {
    store::Statement select = TRY(c.prepare(sql));
    return TRY(select.step()) ? select.integer(0) : 0;
  }));
}

int run(const SpeedWish& wish, const std::string& folder) {
  const SystemClock clock;
  store::DatabaseOptions options;
  options.path = folder + "/keel.db";
  options.migrations = memory::migrations();
  auto database = MUST(store::Database::open(options));
  Memory memory(*database, clock);
  const Words words(20'000);
  std::int64_t pages = count(*database, "SELECT count(*) FROM page");
  std::mt19937 random(static_cast<std::uint32_t>(pages + 1));

  // While many pages are made, more of the database stays in memory than keel itself would keep.
  const auto keep_in_memory = [&](const char* pragma) {
    MUST(database->write([&](store::Connection& c) { return c.execute(pragma); }));
  };
  keep_in_memory("PRAGMA cache_size=-524288");
  const auto begun = clock.steady();
  const std::int64_t had = pages;
  while (pages + kSingle < wish.segments &&
         ms_between(begun, clock.steady()) < wish.making_s * 1000.0) {
    std::vector<memory::NewPage> batch;
    const std::int64_t most = std::min<std::int64_t>(kAtOnce, wish.segments - kSingle - pages);
    for (std::int64_t i = 0; i < most; ++i) batch.push_back(page_of(words, random, pages + i));
    MUST(memory.add_all(batch));
    pages += most;
  }
  const double made_s = ms_between(begun, clock.steady()) / 1000.0;
  keep_in_memory("PRAGMA cache_size=-2000");
  std::vector<double> add_ms, search_ms;
  for (int i = 0; i < kSingle; ++i) {
    const memory::NewPage page = page_of(words, random, pages++);
    const auto from = clock.steady();
    MUST(memory.add(page));
    add_ms.push_back(ms_between(from, clock.steady()));
  }
  const std::int64_t before = count(*database, "SELECT coalesce(max(number), 0) FROM retrieval");
  for (int i = 0; i < kSearches; ++i) {
    memory::Query query;
    query.text = words.text(random, 3 + static_cast<int>(random() % 8), kStopWords);
    const auto from = clock.steady();
    MUST(memory.search(query));
    search_ms.push_back(ms_between(from, clock.steady()));
  }
  const std::vector<double> rank_ms =
      MUST(database->read([&](store::Connection& c) -> Result<std::vector<double>> {
        store::Statement select = TRY(c.prepare("SELECT took_us FROM retrieval WHERE number > ?1"));
        select.bind(1, before);
        std::vector<double> found;
        while (TRY(select.step())) found.push_back(select.real(0) / 1000.0);
        return found;
      }));
  std::printf("segments %lld   candidates a search %lld   database %.0f MB   made %lld in %.1f s\n",
              static_cast<long long>(count(*database, "SELECT count(*) FROM segment")),
              static_cast<long long>(count(*database, "SELECT avg(candidates) FROM retrieval")),
              static_cast<double>(std::filesystem::file_size(options.path)) / 1e6,
              static_cast<long long>(pages - had), made_s);
  line("add one (durable)", add_ms);
  line("search (ranking alone)", rank_ms);
  line("search (with durable record)", search_ms);
  return 0;
}

}  // namespace

int measure_speed(const SpeedWish& wish) {
  std::string folder = wish.folder;
  if (folder.empty()) {
    folder = (std::filesystem::temp_directory_path() / "keel-bench-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) {
      std::fprintf(stderr, "no temporary folder can be made\n");
      return 1;
    }
  } else {
    std::filesystem::create_directories(folder);
  }
  const int code = run(wish, folder);
  std::error_code ignored;
  if (wish.folder.empty()) std::filesystem::remove_all(folder, ignored);
  return code;
}

}  // namespace keel::bench
