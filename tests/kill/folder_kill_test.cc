// A pass over the folder that is kept in step with memory, killed before every writing call in
// turn. Whatever the point, the next passes end in the same state: each edit of the owner and each
// of keel's is in the page and in the file, once, and nothing is left lying about.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "kill_points.h"
#include "memory/folder/sync.h"
#include "memory/memory.h"
#include "store/database.h"
#include "store/test_folder.h"

namespace keel::memory {
namespace {

namespace fs = std::filesystem;

struct Keel {
  explicit Keel(const std::string& folder) : root(folder + "/notes") {
    store::DatabaseOptions options;
    options.path = folder + "/keel.db";
    options.migrations = migrations();
    for (const store::Migration& one : folder_migrations()) options.migrations.push_back(one);
    database = MUST(store::Database::open(options));
    memory = std::make_unique<Memory>(*database, clock);
  }
  SyncReport sync() {
    return MUST(sync_folder(*memory, *database, clock, {root, "", false, false}));
  }
  std::string body_of(std::string_view title) {
    std::string found;
    for (const Page& page : MUST(memory->list("", 100)))
      if (page.title == title) found += "[" + page.body + "]";
    return found;
  }
  std::string root;
  SystemClock clock;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<Memory> memory;
};

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string file_of(const std::string& root, std::string_view title) {
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_regular_file() &&
        read(entry.path()).find("title: " + std::string(title) + "\n") != std::string::npos)
      return entry.path();
  return {};
}

void replace(const std::string& path, const std::string& from, const std::string& to) {
  std::string text = read(path);
  const std::size_t at = text.find(from);
  KEEL_ASSERT(at != std::string::npos);
  std::ofstream(path, std::ios::binary) << text.replace(at, from.size(), to);
}

// The state before the pass: the owner and keel have both been at work.
void prepare(const std::string& folder) {
  Keel keel(folder);
  for (const char* title : {"Alpha", "Beta", "Gamma", "Delta", "Epsilon"}) {
    NewPage page;
    page.title = title;
    page.body = std::string(title) + " one.\n\nSecond.\n\nThird.";
    MUST(keel.memory->add(page));
  }
  keel.sync();
  replace(file_of(keel.root, "Alpha"), "Alpha one.", "Alpha by the owner.");
  const auto edit = [&](std::string_view title, const std::string& body) {
    for (const Page& page : MUST(keel.memory->list("", 100)))
      if (page.title == title) MUST(keel.memory->edit(page.id, NewPage{.body = body}, "agent"));
  };
  edit("Beta", "Beta by keel.\n\nSecond.\n\nThird.");
  replace(file_of(keel.root, "Gamma"), "Gamma one.", "Gamma by the owner.");
  replace(file_of(keel.root, "Gamma"), "Third.", "Third by the owner.");
  edit("Gamma", "Gamma one.\n\nSecond by keel.\n\nThird by keel.");
  fs::remove(file_of(keel.root, "Delta"));
  for (const Page& page : MUST(keel.memory->list("", 100)))
    if (page.title == "Epsilon") MUST(keel.memory->forget(page.id));
  std::ofstream(keel.root + "/Zeta.md") << "Zeta by the owner.\n";
  NewPage eta;
  eta.title = "Eta";
  eta.body = "Eta by keel.";
  MUST(keel.memory->add(eta));
}

// True if it ended by itself.
bool in_child(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
  return WIFEXITED(status);
}

void check(const std::string& folder) {
  Keel keel(folder);
  for (int i = 0; i < 3; ++i) keel.sync();
  const SyncReport quiet = keel.sync();
  EXPECT_TRUE(quiet.quiet()) << sync_json(quiet).dump(1);
  EXPECT_EQ(keel.body_of("Alpha"), "[Alpha by the owner.\n\nSecond.\n\nThird.]");
  EXPECT_EQ(keel.body_of("Beta"), "[Beta by keel.\n\nSecond.\n\nThird.]");
  EXPECT_EQ(keel.body_of("Gamma"),
            "[Gamma by the owner.\n\nSecond by keel.\n\nThird by the owner.]");
  EXPECT_EQ(keel.body_of("Delta") + keel.body_of("Epsilon"), "");
  EXPECT_EQ(keel.body_of("Zeta"), "[Zeta by the owner.]");
  EXPECT_EQ(keel.body_of("Eta"), "[Eta by keel.]");
  EXPECT_EQ(
      MUST(keel.database->read([](store::Connection& c) { return open_conflicts(c); })).size(), 1u);
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(keel.root)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_NE(entry.path().filename().string()[0], '.') << entry.path();
  }
  EXPECT_EQ(files, 5u);
  for (const Page& page : MUST(keel.memory->list("", 100))) {
    const std::string path =
        page.title == "Zeta" ? keel.root + "/Zeta.md" : file_of(keel.root, page.title);
    EXPECT_NE(read(path).find(page.body + "\n"), std::string::npos) << page.title;
  }
  MUST(keel.database->check());
  MUST(keel.memory->verify());
}

TEST(FolderKill, APassThatIsKilledAnywhereLosesNothingAndDoublesNothing) {
  store::TestFolder folder;
  const std::string home = folder.file("home"), before = folder.file("before");
  fs::create_directories(home);
  ASSERT_TRUE(in_child([&] { prepare(home); }));
  fs::copy(home, before, fs::copy_options::recursive);
  long kills = 0;
  for (long at = 1;; ++at) {
    fs::remove_all(home);
    fs::copy(before, home, fs::copy_options::recursive);
    const bool whole = in_child([&] {
      Keel keel(home);
      kill::arm(at);
      keel.sync();
    });
    if (!in_child([&] {
          check(home);
          if (::testing::Test::HasFailure()) _exit(1);
        }) ||
        ::testing::Test::HasFailure())
      FAIL() << "killed before writing call " << at;
    if (whole) break;
    ++kills;
    ASSERT_LT(at, 5000);
  }
  std::printf("killed at %ld points\n", kills);
  EXPECT_GT(kills, 40);
}

}  // namespace
}  // namespace keel::memory
