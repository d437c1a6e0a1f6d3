#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>

#include "memory/folder/folder_fixture_test.h"

namespace keel::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ImportTest : public TestFolderMemory {};

TEST_F(ImportTest, APlainFolderOfNotesIsFoundAtOnce) {
  write("Boat.md", "My boat Ariadne lies in [[Harbour|the harbour]] of Kiel.\n");
  write("people/Ada.md",
        "---\ntags: [friend, \"#ski\"]\naliases: Adele\nborn: 1990\n---\nLikes tea.");
  write("Daily/2026-03-01.md", "# Sunday walk\n\nWalked to the lighthouse.");
  write(".obsidian/app.md", "not a note");
  write("picture.png", "not a note");
  const ImportReport report = import();
  EXPECT_EQ(report.added, 3);
  EXPECT_EQ(report.files, 3);
  EXPECT_THAT(report.problems, IsEmpty());

  const std::vector<Hit> hits = search("where does my boat lie");
  ASSERT_FALSE(hits.empty());
  EXPECT_EQ(hits[0].title, "Boat");
  EXPECT_EQ(hits[0].origin, "import");
  const Page ada = MUST(memory().get(search("Ada friend")[0].page_id));
  EXPECT_THAT(ada.tags, ElementsAre("friend", "ski"));
  EXPECT_THAT(ada.aliases, ElementsAre("Adele"));
  EXPECT_EQ(ada.extra["born"], Json({{"yaml", "born: 1990\n"}}));
  const Page walk = MUST(memory().get(search("lighthouse")[0].page_id));
  EXPECT_EQ(walk.title, "Sunday walk");
  EXPECT_EQ(walk.kind, "journal");
  EXPECT_EQ(walk.day, "2026-03-01");
  // Not put before the model by itself.
  Query turn;
  turn.text = "where does my boat Ariadne lie";
  turn.trigger = "turn";
  turn.trusted_only = true;
  EXPECT_THAT(MUST(memory().search(turn)).hits, IsEmpty());
}

TEST_F(ImportTest, ImportingTheSameTwiceAddsNothing) {
  write("a.md", "Tea at five.");
  write("turn.md", "---\nsession: s\nspeaker: Ada\ncreated: 2023-05-08T13:56:00Z\n---\nYes!");
  EXPECT_EQ(import().added, 2);
  const ImportReport again = import();
  EXPECT_EQ(again.added, 0);
  EXPECT_EQ(again.known, 2);
  MUST(memory().forget(search("tea")[0].page_id));
  const ImportReport after = import();
  EXPECT_EQ(after.added, 0);
  EXPECT_EQ(has_problem(after, "a.md", "was forgotten"), "");
}

TEST_F(ImportTest, ADryRunWritesNothing) {
  write("a.md", "Tea at five.");
  write("b.md", "\xff\xff");
  ImportOptions options;
  options.dry_run = true;
  const ImportReport report = import(options);
  EXPECT_EQ(report.added, 2);
  EXPECT_EQ(report.problems.size(), 1u);
  EXPECT_THAT(MUST(memory().list("", 10)), IsEmpty());
}

TEST_F(ImportTest, TheOwnerSaysThatTheTextsAreHisAndLessTrustedOnesStayWhatTheyAre) {
  write("a.md", "---\npinned: true\nkind: preference\n---\nAlways answer briefly.");
  write("b.md", "---\norigin: untrusted\n---\nFrom the web: buy gold.");
  write("soul.md", "---\nkind: persona\ntitle: Voice\n---\nCalm and dry.");
  ImportOptions options;
  options.origin = "owner";
  import(options);
  const Page brief = MUST(memory().get(search("briefly")[0].page_id));
  EXPECT_EQ(brief.origin, "owner");
  EXPECT_TRUE(brief.pinned);
  EXPECT_EQ(search("gold")[0].origin, "untrusted");
  EXPECT_EQ(MUST(memory().list("persona", 10)).size(), 1u);

  open("other.db");
  const ImportReport report = import();
  EXPECT_EQ(MUST(memory().list("persona", 10)).size(), 0u);
  EXPECT_EQ(has_problem(report, "soul.md", "--origin owner"), "");
  EXPECT_EQ(search("calm")[0].origin, "import");
}

TEST_F(ImportTest, TurnsOfOneSessionAreNeighboursInTheOrderTheyWereSaid) {
  // Files come by name, turns by time.
  write("c.md", "---\nsession: s1\nspeaker: Ada\ncreated: 2023-05-08T13:56:01Z\n---\nWhere to?");
  write("a.md", "---\nsession: s1\nspeaker: Bob\ncreated: 2023-05-08T13:56:02Z\n---\nLisbon.");
  write("b.md",
        "---\nsession: s1\nspeaker: Ada\ncreated: 2023-05-08T13:56:00Z\n---\nI booked a flight.");
  import();
  const std::vector<Hit> hits = search("flight");
  ASSERT_GE(hits.size(), 2u);  // itself, and the turn after it
  EXPECT_EQ(hits[0].title, "I booked a flight.");
  EXPECT_EQ(hits[1].title, "Where to?");
  EXPECT_EQ(MUST(memory().get(hits[1].page_id)).kind, "episode");
}

TEST_F(ImportTest, BadFilesAreReportedWithTheirLineAndStopNothing) {
  const std::string id = make_ulid(1);
  write("good.md", "The good page.");
  write("latin.md", "one\ntwo \xe9t\xe9\n");
  write("nul.md", std::string("one\ntwo\nnu\0l", 11));
  write("utf16.md", "\xff\xfeh\0i");
  write("huge.md", std::string(10u << 20, 'x'));
  write("long.md", std::string((1u << 20) + 1, 'x'));
  std::string tags = "---\ntitle: Tagged\ntags: [";
  for (int i = 0; i < 100'000; ++i) tags += "t" + std::to_string(i) + ", ";
  write("tags.md", tags + "]\n---\nMany tags.");
  write("yaml.md", "---\n{{{ : not yaml\n  - [\n---\nBroken properties.");
  write("first.md", "---\nid: " + id + "\n---\nThe first of two.");
  write("second.md", "---\nid: " + id + "\n---\nThe second of two.");
  write("empty.md", "");
  write("when.md", "---\ncreated: yesterday\nimportance: 9\nkind: poem\n---\nOdd values.");
  ASSERT_EQ(::symlink("/etc", (root() + "/etc").c_str()), 0);
  ASSERT_EQ(::symlink("/etc/passwd", (root() + "/passwd.md").c_str()), 0);
  const ImportReport report = import();
  EXPECT_EQ(report.added, 8) << report_json(report).dump(1);
  EXPECT_EQ(has_problem(report, "latin.md", "not UTF-8"), "");
  EXPECT_EQ(has_problem(report, "nul.md", "NUL"), "");
  EXPECT_EQ(has_problem(report, "utf16.md", "UTF-16"), "");
  EXPECT_EQ(has_problem(report, "huge.md", "more than"), "");
  EXPECT_EQ(has_problem(report, "long.md", "holds at most"), "");
  EXPECT_EQ(has_problem(report, "tags.md", "over 10000 tags"), "");
  EXPECT_EQ(has_problem(report, "yaml.md", "taken as text"), "");
  EXPECT_EQ(has_problem(report, "second.md", "as first.md does"), "");
  EXPECT_EQ(has_problem(report, "empty.md", "empty"), "");
  EXPECT_EQ(has_problem(report, "when.md", "is no time"), "");
  EXPECT_EQ(has_problem(report, "etc", "symbolic link"), "");
  EXPECT_EQ(has_problem(report, "passwd.md", "symbolic link"), "");
  for (const Problem& one : report.problems) {
    if (one.file == "latin.md") {
      EXPECT_EQ(one.line, 2);
    }
    if (one.file == "nul.md") {
      EXPECT_EQ(one.line, 3);
    }
    if (one.file == "tags.md") {
      EXPECT_EQ(one.line, 3);
    }
    if (one.file == "yaml.md") {
      EXPECT_EQ(one.line, 2);
    }
  }
  for (const char* words : {"good", "two", "tags", "broken", "first", "second", "odd"})
    EXPECT_FALSE(search(words).empty()) << words;
  EXPECT_EQ(MUST(memory().get(id)).body, "The first of two.");
}

TEST_F(ImportTest, FiveThousandFilesTakeSeconds) {
  for (int i = 0; i < 5000; ++i)
    write("d" + std::to_string(i % 50) + "/n" + std::to_string(i) + ".md",
          "---\nsession: s" + std::to_string(i / 100) + "\nspeaker: Ada\ncreated: 2023-05-08T13:" +
              std::to_string(10 + i % 50) + ":00Z\n---\nTurn number " + std::to_string(i) +
              " about word" + std::to_string(i * 7919 % 3001) + " and tea.");
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(import().added, 5000);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  RecordProperty("seconds", std::to_string(seconds));
  std::printf("5,000 files in %.2f s\n", seconds);
  EXPECT_LT(seconds, 30.0);  // 5 s on an idle machine
}

}  // namespace
}  // namespace keel::memory
