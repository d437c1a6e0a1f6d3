// bench_notion_fill HOME add COUNT | edit EVERY FROM: writes pages into a KEEL_HOME, or changes a
// paragraph of each EVERY-th page from FROM on, as the agent would.
#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "app/assembly.h"
#include "memory/memory.h"

using namespace keel;

namespace {

std::string body_of(int number) {
  std::string body = fmt::format("Note {} of the log, about things {} and {}.", number,
                                 number * 7 % 1000, number * 31 % 977);
  body += fmt::format("\n\nThe second paragraph of note {} says what was agreed.", number);
  if (number % 3 == 0) body += "\n\n- one thing\n- another * thing\n- a third {thing}";
  if (number % 5 == 0) body += "\n\n## A heading\nwith text right below it";
  if (number % 11 == 0) body += "\n\n```\nx = [1, 2] * 3\n```";
  return body + fmt::format("\n\nThat was note {}.", number);
}

Status add(memory::Memory& memory, int count) {
  constexpr int kBatch = 500;
  for (int from = 0; from < count; from += kBatch) {
    std::vector<memory::NewPage> pages;
    for (int number = from; number < std::min(count, from + kBatch); ++number) {
      memory::NewPage page;
      page.kind = "finding";
      page.origin = "agent";
      page.title = fmt::format("Note {}", number);
      page.body = body_of(number);
      page.tags = {fmt::format("t{}", number % 20)};
      pages.push_back(std::move(page));
    }
    for (const Result<memory::Added>& added : TRY(memory.add_all(pages)))
      if (!added) return tl::unexpected<Error>(added.error());
  }
  return {};
}

Status edit(memory::Memory& memory, int every, int from) {
  int at = 0;
  for (const memory::Page& page : TRY(memory.list("finding", 10'000))) {
    if (at++ % every != from) continue;
    memory::NewPage changed;
    const std::size_t second = page.body.find("says what was agreed");
    if (second == std::string::npos) continue;
    changed.body = page.body;
    changed.body.replace(second, 20, "was changed by the agent");
    TRY(memory.edit(page.id, changed, "agent"));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  store::DatabaseOptions options;
  options.path = std::string(argv[1]) + "/keel.db";
  options.migrations = app::database_migrations();
  const SystemClock clock;
  const auto database = MUST(store::Database::open(options));
  memory::Memory memory(*database, clock);
  const bool adds = std::string(argv[2]) == "add";
  MUST(adds ? add(memory, std::atoi(argv[3]))
            : edit(memory, std::atoi(argv[3]), argc > 4 ? std::atoi(argv[4]) : 0));
  return 0;
}
