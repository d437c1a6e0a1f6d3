// rooms: memory
//
// No text may break a search, give a sum that is not the score, or make a page that the memory
// cannot hold.
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "memory/memory.h"
#include "memory/render.h"
#include "store/database.h"

namespace {

struct Home {
  Home() {
    std::string folder = (std::filesystem::temp_directory_path() / "keel-fuzz-XXXXXX").string();
    KEEL_ASSERT(::mkdtemp(folder.data()) != nullptr);
    keel::store::DatabaseOptions options;
    options.path = folder + "/keel.db";
    options.migrations = keel::memory::migrations();
    database = MUST(keel::store::Database::open(options));
    memory = std::make_unique<keel::memory::Memory>(*database, clock);
    for (const char* text :
         {"My boat is called Ariadne.", "我的船叫阿里阿德涅", "AND OR NOT NEAR title:x"}) {
      keel::memory::NewPage page;
      page.body = text;
      MUST(memory->add(page));
    }
  }
  keel::SystemClock clock;
  std::unique_ptr<keel::store::Database> database;
  std::unique_ptr<keel::memory::Memory> memory;
};

void check(const keel::memory::Retrieval& retrieval) {
  for (const keel::memory::Hit& hit : retrieval.hits) {
    double sum = 0.0;
    for (const keel::memory::Contribution& one : hit.contributions) sum += one.value;
    KEEL_ASSERT(std::abs(sum - hit.score) < 1e-9);
  }
  (void)keel::memory::why_text({retrieval});
  (void)keel::dump_json(keel::memory::search_json(retrieval));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Home home;
  keel::memory::Query query;
  query.text.assign(reinterpret_cast<const char*>(data), size);
  for (const char* trigger : {"search", "turn"}) {
    query.trigger = trigger;
    check(MUST(home.memory->search(query)));
  }
  for (const keel::memory::NewPage& page : keel::memory::significant(query.text, "turn"))
    MUST(home.memory->forget(MUST(home.memory->add(page)).page.id));
  return 0;
}
