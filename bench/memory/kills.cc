// A process that writes to memory from several threads and is killed at random moments, again and
// again on the same database. What it has acknowledged goes through a pipe, line by line, after the
// call has returned; the parent keeps count of it and looks whether it is there.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "bench_memory.h"
#include "memory/folder/sync.h"
#include "memory/memory.h"
#include "memory/writing/ledger.h"
#include "store/database.h"

namespace keel::bench {
namespace {

using memory::Memory;
using memory::NewPage;
using memory::Page;

constexpr int kLongestMs = 250;  // of a writer's life
constexpr int kCheckEvery = 25;  // kills between two checks of the whole database
constexpr int kPagesEach = 4;    // that one thread adds in its life; then it changes them

struct House {
  explicit House(const std::string& folder) : root(folder + "/notes") {
    store::DatabaseOptions options;
    options.path = folder + "/keel.db";
    options.migrations = memory::migrations();
    for (const store::Migration& one : memory::folder_migrations())
      options.migrations.push_back(one);
    database = MUST(store::Database::open(options));
    pages = std::make_unique<Memory>(*database, clock);
  }
  memory::SyncReport sync() {
    return MUST(memory::sync_folder(*pages, *database, clock, {root, "", true, false}));
  }
  std::string root;
  SystemClock clock;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<Memory> pages;
};

std::string body_of(std::string_view name, int version) {
  return fmt::format("Page {} in version {} was written by one of the threads.", name, version);
}

// What the parent knows: what was begun, and what of it was acknowledged.
struct Known {
  struct One {
    int version = 0;          // acknowledged
    int begun = 0;            // the newest version that may be there
    bool forgetting = false;  // begun
    bool forgotten = false;   // acknowledged
  };
  std::map<std::string, One> pages;   // by id
  std::vector<std::string> fresh;     // of the last life
  std::map<std::string, bool> turns;  // of days: true once acknowledged
  long acknowledged = 0;
};

// Lines of one write each, so that those of several threads do not mix and a kill cuts none.
class Line {
 public:
  explicit Line(int fd) : fd_(fd) {}
  void operator()(const std::string& text) const {
    const std::string line = text + "\n";
    if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(3);
  }

 private:
  int fd_;
};

void write_pages(House& house, const Line& say, unsigned seed, const std::string& name,
                 bool forgets) {
  std::mt19937 random(seed);
  std::vector<std::pair<std::string, int>> own;
  for (int number = 0;; ++number) {
    const auto what = random() % 10;
    if (own.empty() && number >= kPagesEach) return;
    if (own.empty() || (what < 4 && number < kPagesEach)) {
      NewPage page;
      page.title = fmt::format("{} {}", name, number);
      page.body = body_of(name + std::to_string(number), 1);
      page.session = name;
      const std::string id = MUST(house.pages->add(page)).page.id;
      say("added " + id + " 1");
      own.emplace_back(id, 1);
    } else if (forgets && what < 6) {
      const std::string id = own.back().first;
      own.pop_back();
      say("forgetting " + id);
      MUST(house.pages->forget(id));
      say("forgotten " + id);
    } else {
      auto& [id, version] = own[random() % own.size()];
      say(fmt::format("editing {} {}", id, version + 1));
      NewPage changed;
      changed.body = body_of(id, ++version);
      MUST(house.pages->edit(id, changed, "agent"));
      say(fmt::format("edited {} {}", id, version));
    }
  }
}

void write_days(House& house, const Line& say, const std::string& name) {
  memory::Ledger ledger(*house.database, house.clock);
  for (int number = 0;; ++number) {
    for (int i = 0; i < 3; ++i) {
      memory::Exchange exchange;
      exchange.turn = fmt::format("{}N{}I{}", name, number, i);
      exchange.session = "talk";
      exchange.at_ms = house.clock.wall_ms();
      MUST(ledger.note(exchange));
      say("noted " + exchange.turn);
    }
    std::vector<memory::Ledger::Entry> entries;
    for (const memory::Exchange& one : MUST(ledger.for_journal(50)))
      entries.push_back({one, "Something was said. (turn " + one.turn + ")"});
    MUST(ledger.write_entries(std::move(entries)));
  }
}

[[noreturn]] void write_until_killed(const std::string& folder, int fd, int life) {
  House house(folder);
  const Line say(fd);
  const auto seed = static_cast<unsigned>(life);
  std::vector<std::jthread> threads;
  threads.emplace_back([&] { write_pages(house, say, seed, fmt::format("K{}", life), false); });
  threads.emplace_back([&] { write_pages(house, say, ~seed, fmt::format("F{}", life), true); });
  threads.emplace_back([&] { write_days(house, say, fmt::format("D{}", life)); });
  while (true) house.sync();
}

// The whole lines of what a writer said.
void read_lines(int fd, Known& known) {
  known.fresh.clear();
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = ::read(fd, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  for (const std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> words = split(line, ' ');
    if (words.size() < 2) continue;
    const std::string id(words[1]);
    if (words[0] == "noted") {
      known.turns[id] = true;
      ++known.acknowledged;
      continue;
    }
    Known::One& page = known.pages[id];
    if (words[0] == "added") known.fresh.push_back(id);
    const int version = words.size() > 2 ? std::atoi(std::string(words[2]).c_str()) : 0;
    if (words[0] == "editing") page.begun = version;
    if (words[0] == "forgetting") page.forgetting = true;
    if (words[0] == "forgotten") page.forgotten = true;
    if (words[0] == "added" || words[0] == "edited") page.version = page.begun = version;
    if (words[0] != "editing" && words[0] != "forgetting") ++known.acknowledged;
  }
}

int version_in(const std::string& body) {
  const std::size_t at = body.find("in version ");
  return at == std::string::npos ? 0 : std::atoi(body.c_str() + at + 11);
}

std::string fault_of(House& house, const std::string& id, const Known::One& one) {
  const Result<Page> page = house.pages->get(id);
  if (!page && one.forgetting) return {};
  if (!page) return "page " + id + " is lost: " + page.error().text();
  if (one.forgotten) return "page " + id + " came back";
  const int version = version_in(page->body);
  if (version >= one.version && version <= one.begun) return {};
  return fmt::format("page {} has version {}, not {} to {}", id, version, one.version, one.begun);
}

// The first thing that is wrong; empty if nothing is.
std::string fault_in(House& house, const Known& known, bool all) {
  if (all) {
    for (const auto& [id, one] : known.pages) {
      if (std::string fault = fault_of(house, id, one); !fault.empty()) return fault;
    }
  }
  for (const std::string& id : known.fresh) {
    if (std::string fault = fault_of(house, id, known.pages.at(id)); !fault.empty()) return fault;
  }
  return {};
}

// Each turn is on the page of its day, once.
std::string fault_in_days(House& house, const Known& known) {
  std::string all;
  for (const Page& page : MUST(house.pages->list("journal", 10'000))) all += page.body + "\n";
  for (const auto& [turn, noted] : known.turns) {
    const std::string mark = "(turn " + turn + ")";
    const std::size_t first = all.find(mark);
    if (first == std::string::npos) return "turn " + turn + " is on no page";
    if (all.find(mark, first + 1) != std::string::npos) return "turn " + turn + " is there twice";
  }
  return {};
}

std::string fault_in_folder(House& house) {
  for (int pass = 0; pass < 5 && !house.sync().quiet(); ++pass) {
  }
  std::map<std::string, int> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(house.root)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);)
      if (line.starts_with("id: ")) ++files[line.substr(4)];
  }
  std::size_t live = 0;
  for (const Page& page : MUST(house.pages->list("", 10'000))) {
    ++live;
    if (files[page.id] != 1) return fmt::format("page {} has {} files", page.id, files[page.id]);
  }
  return files.size() == live ? std::string()
                              : fmt::format("{} files for {} pages", files.size(), live);
}

std::string fault_after(const std::string& folder, const Known& known, bool whole) {
  House house(folder);
  if (std::string fault = fault_in(house, known, whole); !fault.empty()) return fault;
  if (!whole) return {};
  if (const Status sound = house.database->check(); !sound) return sound.error().text();
  if (const Status sound = house.pages->verify(); !sound) return sound.error().text();
  return {};
}

void kill_one(const std::string& folder, Known& known, int life, int after_ms) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  ::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    write_until_killed(folder, ends[1], life);
  }
  ::close(ends[1]);
  std::this_thread::sleep_for(std::chrono::milliseconds(after_ms));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  read_lines(ends[0], known);
  ::close(ends[0]);
}

// The entries that were noted and not yet written.
void write_rest(House& house) {
  memory::Ledger ledger(*house.database, house.clock);
  while (true) {
    std::vector<memory::Ledger::Entry> entries;
    for (const memory::Exchange& one : MUST(ledger.for_journal(200)))
      entries.push_back({one, "Something was said. (turn " + one.turn + ")"});
    if (entries.empty()) return;
    MUST(ledger.write_entries(std::move(entries)));
  }
}

int run(const std::string& folder, int kills) {
  std::mt19937 dice(1);
  Known known;
  std::filesystem::create_directories(folder + "/notes");
  {
    const House first(folder);
  }
  const auto begin = std::chrono::steady_clock::now();
  for (int life = 1; life <= kills; ++life) {
    kill_one(folder, known, life, static_cast<int>(dice() % kLongestMs));
    const std::string fault = fault_after(folder, known, life % kCheckEvery == 0);
    if (fault.empty()) continue;
    std::printf("after %d kills: %s (%s)\n", life, fault.c_str(), folder.c_str());
    return 1;
  }
  House house(folder);
  write_rest(house);
  std::string fault = fault_in_days(house, known);
  if (fault.empty()) fault = fault_in_folder(house);
  if (fault.empty()) fault = fault_after(folder, known, true);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf(
      "killed %d times in %.0f s: %ld calls had been acknowledged, %zu pages, %zu turns; %s\n",
      kills, took.count(), known.acknowledged, known.pages.size(), known.turns.size(),
      fault.empty() ? "all of it is there, database, index, chains and folder are sound"
                    : fault.c_str());
  return fault.empty() ? 0 : 1;
}

}  // namespace

int kill_writers(int kills) {
  std::string folder = (std::filesystem::temp_directory_path() / "keel-kills-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  const int result = run(folder, kills);
  std::error_code ignored;
  if (result == 0) std::filesystem::remove_all(folder, ignored);
  return result;
}

}  // namespace keel::bench
