#include "memory/folder/sync.h"

#include <gmock/gmock.h>

#include "memory/folder/folder_fixture_test.h"

namespace keel::memory {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SyncTest : public TestFolderMemory {
 protected:
  SyncReport sync(bool deletions = false, bool rewrite = false) {
    return MUST(sync_folder(memory(), *database_, clock_,
                            {root(), folder_.file("sync.lock"), deletions, rewrite}));
  }
  // After a pass that did something, one that has nothing to do: both sides are the same.
  void settle() {
    sync();
    const SyncReport quiet = sync();
    EXPECT_TRUE(quiet.quiet()) << sync_json(quiet).dump(1);
  }
  std::string file_of(const Page& page) {
    for (const auto& entry : fs::recursive_directory_iterator(root()))
      if (entry.is_regular_file() && entry.path().filename().string()[0] != '.') {
        const std::string path = entry.path().string().substr(root().size() + 1);
        if (read(path).find("id: " + page.id) != std::string::npos) return path;
      }
    return {};
  }
  void replace(const std::string& path, const std::string& from, const std::string& to) {
    std::string text = read(path);
    ASSERT_NE(text.rfind(from), std::string::npos) << text;
    write(path, text.replace(text.rfind(from), from.size(), to));
  }
  std::vector<ConflictRecord> conflicts() {
    return MUST(
        database_->read([](store::Connection& connection) { return open_conflicts(connection); }));
  }
};

TEST_F(SyncTest, PagesBecomeFilesAndFilesBecomePages) {
  const Page boat = add("My boat is called Ariadne.");
  write("Tea.md", "Tea at five.\n");
  const SyncReport report = sync();
  EXPECT_EQ(report.files_written, 1);
  EXPECT_EQ(report.pages_added, 1);
  EXPECT_THAT(read(file_of(boat)), HasSubstr("My boat is called Ariadne."));
  const std::vector<Hit> hits = search("tea");
  ASSERT_EQ(hits.size(), 1u);
  EXPECT_EQ(hits[0].origin, "owner");
  EXPECT_EQ(read("Tea.md"), "---\nid: " + hits[0].page_id + "\n---\n\nTea at five.\n");
  // Nothing but the id is written into a file, and an id of the owner's own stays his.
  write("own.md", "---\r\nid: 2024-7 # mine\r\n---\r\n\r\n\r\nCoffee at nine.  \r\n");
  sync();
  const std::string id = search("coffee").at(0).page_id;
  EXPECT_EQ(read("own.md"), "---\r\nkeel_id: " + id +
                                "\r\nid: 2024-7 # mine\r\n---\r\n\r\n\r\nCoffee at nine.  \r\n");
  MUST(memory().edit(id, NewPage{.body = "Coffee at ten."}, "agent"));
  sync();
  EXPECT_THAT(read("own.md"), HasSubstr("id: 2024-7 # mine\r\n"));
  EXPECT_THAT(read("own.md"), HasSubstr("\r\n\r\nCoffee at ten.\r\n"));
  settle();
}

// keel wrote the file, was killed before it noted that, and the page changed again.
TEST_F(SyncTest, AFileThatKeelWroteAndDidNotNoteIsNoEditOfTheOwner) {
  const Page boat = add("My boat is called Ariadne.");
  sync();
  const std::string path = file_of(boat);
  MUST(memory().edit(boat.id, NewPage{.body = "My boat is called Theseus."}, "agent"));
  replace(path, "Ariadne.\n", "Theseus.\n");
  MUST(memory().edit(boat.id, NewPage{.body = "My boat is called Minos."}, "agent"));
  const SyncReport report = sync();
  EXPECT_EQ(report.conflicts, 0);
  EXPECT_EQ(report.pages_changed, 0);
  EXPECT_EQ(MUST(memory().get(boat.id)).body, "My boat is called Minos.");
  EXPECT_THAT(read(path), HasSubstr("My boat is called Minos."));
  settle();
}

TEST_F(SyncTest, AnEditOfAFileBecomesARevisionByTheOwner) {
  const Page boat = add("My boat is called Ariadne.");
  sync();
  const std::string path = file_of(boat);
  replace(path, "Ariadne.\n", "Theseus.\n");
  replace(path, "kind: fact", "kind: fact\ntags: [sea]\ncssclass: wide");
  const std::string edited = read(path);
  EXPECT_EQ(sync().pages_changed, 1);
  const Page now = MUST(memory().get(boat.id));
  EXPECT_EQ(now.body, "My boat is called Theseus.");
  EXPECT_THAT(now.tags, ElementsAre("sea"));
  EXPECT_EQ(MUST(memory().revisions(boat.id))[0].by, "owner");
  EXPECT_FALSE(search("Theseus").empty());
  EXPECT_EQ(read(path), edited);  // as its owner wrote it
  settle();
}

TEST_F(SyncTest, KeelsChangeGoesIntoTheFileAndKeepsWhatIsTheOwners) {
  write("Boat.md", "---\n# mine\nup: \"[[Home]]\"\n---\nRed boat.");
  sync();
  const Page page = MUST(memory().get(search("boat")[0].page_id));
  MUST(memory().edit(page.id, NewPage{.body = "Blue boat."}, "agent"));
  EXPECT_EQ(sync().files_written, 1);
  const std::string text = read("Boat.md");
  EXPECT_THAT(text, HasSubstr("# mine\nup: \"[[Home]]\"\n"));
  EXPECT_THAT(text, HasSubstr("\nBlue boat.\n"));
  settle();
}

TEST_F(SyncTest, ChangesOfBothAreMergedAndTheOwnersStandsWhereTheyMeet) {
  const Page page = add("one\n\ntwo\n\nthree");
  sync();
  const std::string path = file_of(page);
  replace(path, "\none\n", "\nONE\n");
  replace(path, "\nthree\n", "\nowner's three\n");
  MUST(memory().edit(page.id, NewPage{.body = "one\n\nTWO\n\nagent's three"}, "agent"));
  const SyncReport report = sync();
  EXPECT_EQ(report.conflicts, 1);
  EXPECT_EQ(MUST(memory().get(page.id)).body, "ONE\n\nTWO\n\nowner's three");
  EXPECT_THAT(read(path), HasSubstr("\nONE\n\nTWO\n\nowner's three\n"));
  ASSERT_EQ(conflicts().size(), 1u);
  EXPECT_EQ(conflicts()[0].texts.theirs, "agent's three");
  settle();
  MUST(database_->write(
      [](store::Connection& connection) { return settle_conflicts(connection, 0); }));
  EXPECT_THAT(conflicts(), IsEmpty());
  // Forgetting takes the text out of the records of conflicts too.
  MUST(memory().forget(page.id));
  EXPECT_EQ(MUST(database_->read([](store::Connection& connection) -> Result<std::int64_t> {
              store::Statement select =
                  TRY(connection.prepare("SELECT count(*) FROM folder_conflict"));
              TRY(select.step());
              return select.integer(0);
            })),
            0);
}

TEST_F(SyncTest, DeletingAFileForgetsItsPageAndTheOtherWayRound) {
  const Page a = add("Page a."), b = add("Page b."), c = add("Page c.");
  sync();
  fs::remove(root() + "/" + file_of(a));
  MUST(memory().forget(b.id));
  const SyncReport report = sync();
  EXPECT_EQ(report.pages_forgotten, 1);
  EXPECT_EQ(report.files_removed, 1);
  EXPECT_THAT(memory().get(a.id).error().message, HasSubstr("was forgotten"));
  EXPECT_EQ(file_of(b), "");
  EXPECT_NE(file_of(c), "");
  settle();
}

TEST_F(SyncTest, TheOwnersEditIsNewerThanKeelsForgetting) {
  const Page page = add("Page a.");
  sync();
  const std::string path = file_of(page);
  replace(path, "Page a.\n", "Page a, and more.\n");
  MUST(memory().forget(page.id));
  EXPECT_EQ(sync().pages_added, 1);
  ASSERT_FALSE(search("more").empty());
  EXPECT_NE(search("more")[0].page_id, page.id);
  settle();
}

TEST_F(SyncTest, FilesMayMoveBeRenamedAndBeCopied) {
  const Page page = add("My boat is red.");
  sync();
  const std::string path = file_of(page);
  fs::create_directories(root() + "/Sea");
  fs::rename(root() + "/" + path, root() + "/Sea/boat.md");
  const SyncReport moved = sync();
  EXPECT_EQ(moved.pages_forgotten, 0);
  EXPECT_EQ(moved.files_written, 0);
  EXPECT_EQ(MUST(memory().get(page.id)).revision, 1);
  settle();
  // A copy that was changed is a page of its own.
  fs::copy_file(root() + "/Sea/boat.md", root() + "/Sea/boat 2.md");
  replace("Sea/boat 2.md", "red.\n", "green.\n");
  EXPECT_EQ(sync().pages_added, 1);
  EXPECT_EQ(MUST(memory().get(page.id)).body, "My boat is red.");
  EXPECT_EQ(search("green").size(), 1u);
  settle();
}

TEST_F(SyncTest, AFolderThatIsGoneOrEmptiedForgetsNothing) {
  for (int i = 0; i < 30; ++i) add("Page number " + std::to_string(i) + ".");
  sync();
  fs::rename(root(), root() + "-away");
  const auto gone = sync_folder(memory(), *database_, clock_, {root(), "", false, false});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::not_found);
  fs::create_directories(root());
  const SyncReport held = sync();
  EXPECT_EQ(held.held_back, 30);
  EXPECT_EQ(held.pages_forgotten + held.files_written, 0);
  EXPECT_EQ(MUST(memory().list("", 100)).size(), 30u);
  EXPECT_EQ(sync(false, true).files_written, 30);
  settle();
  fs::remove_all(root() + "/pages");
  EXPECT_EQ(sync(true).pages_forgotten, 30);
  EXPECT_THAT(MUST(memory().list("", 100)), IsEmpty());
}

TEST_F(SyncTest, BadFilesAreLeftAsTheyAreAndReported) {
  const Page page = add("Page a.");
  sync();
  const std::string path = file_of(page);
  const std::string bad = read(path) + "\xff\n";
  write(path, bad);
  write("new.md", "caf\xe9");
  write("big.md", std::string((1u << 20) + 1, 'x'));
  SyncReport report = sync();
  EXPECT_EQ(report.problems.size(), 3u) << sync_json(report).dump(1);
  MUST(memory().edit(page.id, NewPage{.body = "Page A."}, "agent"));
  report = sync();
  EXPECT_EQ(read(path), bad);
  EXPECT_EQ(read("new.md"), "caf\xe9");
  EXPECT_GE(report.problems.size(), 3u);
  // Repaired, the owner's text and keel's change come together.
  std::string good = bad.substr(0, bad.size() - 2) + "\nMore.\n";
  write(path, good);
  sync();
  EXPECT_EQ(MUST(memory().get(page.id)).body, "Page A.\n\nMore.");
}

TEST_F(SyncTest, TwoFilesThatSayTheSameAreOnePage) {
  write("a.md", "---\ntitle: Tea\n---\nTea at five.");
  write("b.md", "---\ntitle: Tea\n---\nTea at five.");
  const SyncReport report = sync();
  EXPECT_EQ(report.pages_added, 1);
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_THAT(report.problems[0].what, HasSubstr("says the same"));
  settle();
  write("b.md", "---\ntitle: Tea\n---\nTea at six.");
  EXPECT_EQ(sync().pages_added, 1);
  settle();
}

TEST_F(SyncTest, WhatTheOwnerDoesToAPageInItsFileChangesItsRank) {
  add("Ariadne lies in the harbour and needs paint.");
  const Page plain = add("Notes about paint.");
  sync();
  replace(file_of(plain), "kind: fact", "kind: fact\naliases: [harbour paint]\npinned: true");
  const double before = search("harbour paint", 10)[1].score;
  sync();
  const std::vector<Hit> hits = search("harbour paint", 10);
  const Page now = MUST(memory().get(plain.id));
  EXPECT_THAT(now.aliases, ElementsAre("harbour paint"));
  EXPECT_TRUE(now.pinned);
  for (const Hit& hit : hits)
    if (hit.page_id == plain.id) {
      EXPECT_GT(hit.score, before);
    }
}

TEST_F(SyncTest, ThousandsOfFilesAreAddedInSecondsAndLookedAtInNone) {
  for (int i = 0; i < 3000; ++i)
    write("n" + std::to_string(i) + ".md", "Note number " + std::to_string(i) + " of tea.");
  auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(sync().pages_added, 3000);
  const auto first = std::chrono::steady_clock::now() - begun;
  sync();
  begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(sync().quiet());
  const auto again = std::chrono::steady_clock::now() - begun;
  std::printf("3,000 files: first %.2f s, again %.3f s\n",
              std::chrono::duration<double>(first).count(),
              std::chrono::duration<double>(again).count());
  EXPECT_LT(again, std::chrono::seconds(5));
}

}  // namespace
}  // namespace keel::memory
