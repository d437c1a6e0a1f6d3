#include "memory/folder/export.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "memory/folder/folder_fixture_test.h"

namespace keel::memory {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ExportTest : public TestFolderMemory {
 protected:
  // Pages of every sort, with histories, a forgotten one, a superseded one, words and retrievals.
  void fill() {
    MUST(memory().ensure_identity("Keel"));
    const Page boat = add("My boat is called Ariadne.");
    add("My boat is called Theseus.");
    NewPage rich;
    rich.title = "Tea: \"green\" | [[x]] # y";
    rich.kind = "preference";
    rich.tags = {"tea", "c, d", "x#"};
    rich.aliases = {"Chai", "2024"};
    rich.importance = 3;
    rich.pinned = true;
    rich.day = "2023-05";
    rich.valid_from = "2023-01-01";
    rich.source_uri = "https://example.com/a?b=c#d";
    rich.gist = "green tea";
    rich.lang = "en";
    rich.author_model = "m1";
    rich.source_turn = "turn-1";
    rich.source_quote = "I like \"tea\".\nReally.";
    rich.extra = Json{{"cssclass", "wide"}, {"up", Json{{"yaml", "up: {a: 1}\n"}}}};
    const Page tea = add("I like green tea.\n\n- morning\n- evening\n\n```\n---\n```", rich);
    MUST(
        memory().edit(tea.id, NewPage{.body = "I like green tea most.\n\n---\n\n- noon"}, "agent"));
    for (int i = 0; i < 6; ++i) {
      NewPage turn;
      turn.session = "s1";
      turn.speaker = i % 2 ? "Ada" : "Bob";
      turn.kind = "episode";
      turn.origin = "import";
      turn.created_ms = 1'683'554'160'000 - WallMs{1000} * i;
      add("Turn " + std::to_string(i) + " about the boat and tea.", turn);
    }
    NewPage untrusted;
    untrusted.origin = "untrusted";
    add("From the web: boats need paint.", untrusted);
    NewPage journal;
    journal.kind = "journal";
    add("2026-11-27: sailed.", journal);
    MUST(memory().forget(add("A secret.").id));
    MUST(memory().set_alias("vessel", "boat"));
    search("boat tea");
  }
  std::string state() {
    std::string out;
    for (const Page& page : MUST(memory().list("", 1000))) {
      const Page whole = MUST(memory().get(page.id));
      out += whole.id + " " + whole.hash + " " + whole.state + " " + whole.supersedes + " " +
             std::to_string(whole.created_ms) + " " + std::to_string(whole.updated_ms) + "\n";
    }
    return out;
  }
  std::string answers() {
    std::string out;
    for (const char* query :
         {"boat", "green tea", "vessel", "turn about tea", "paint", "sailed", "who are you", "Ada"})
      for (const Hit& hit : search(query, 50)) {
        out += query + std::string(": ") + hit.page_id + " " + std::to_string(hit.score);
        for (const Contribution& one : hit.contributions)
          out += " " + one.term + "/" + one.field + "=" + std::to_string(one.value);
        out += "\n";
      }
    return out;
  }
};

TEST_F(ExportTest, ExportWipeImportGivesEqualHashesAndEqualRetrievals) {
  fill();
  const std::string pages = state(), found = answers();
  const ExportReport report = export_to("out");
  EXPECT_EQ(report.pages, 3 + 2 + 1 + 6 + 2);
  EXPECT_EQ(report.tombstones, 1);

  open("new.db");
  MUST(memory().ensure_identity("Keel"));
  const ImportReport back = import({}, "out");
  EXPECT_THAT(back.problems, IsEmpty()) << report_json(back).dump(1);
  EXPECT_EQ(back.restored, report.pages);
  EXPECT_EQ(state(), pages);
  EXPECT_EQ(answers(), found);
  MUST(memory().verify());
  MUST(database_->check());

  // Again changes nothing, and a second export is the same but for its records of retrievals.
  const ImportReport again = import({}, "out");
  EXPECT_EQ(again.known, report.pages);
  EXPECT_EQ(again.added + again.changed, 0);
  EXPECT_EQ(state(), pages);
  export_to("second");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root("out") + "/pages")) {
    if (!entry.is_regular_file()) continue;
    const std::string other = root("second") + entry.path().string().substr(root("out").size());
    std::ifstream a(entry.path()), b(other);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(a), {}),
              std::string(std::istreambuf_iterator<char>(b), {}))
        << other;
  }
}

TEST_F(ExportTest, ThePagesAloneGiveEveryFieldBack) {
  fill();
  export_to("notes");
  std::filesystem::remove(root() + "/keel.json");
  std::filesystem::remove_all(root() + "/history");
  std::filesystem::remove(root() + "/MEMORY.md");
  std::vector<Page> before = MUST(memory().list("", 100));
  open("new.db");
  ImportOptions options;
  options.origin = "owner";
  const ImportReport report = import(options);
  EXPECT_THAT(report.problems, IsEmpty()) << report_json(report).dump(1);
  for (Page page : before) {
    Page back = MUST(memory().get(page.id));
    back.updated_ms = page.updated_ms;
    if (back.origin == "owner") page.origin = "owner", page.pinned = back.pinned;
    EXPECT_TRUE(static_cast<const NewPage&>(back) == static_cast<const NewPage&>(page))
        << page.title;
  }
}

TEST_F(ExportTest, FilesThatWereEditedMovedOrDeletedAreTakenThatWay) {
  const Page boat = add("My boat lies in Kiel.\n\nIt is red.");
  const Page tea = add("Tea at five.");
  const Page gone = add("Gone soon.");
  export_to("notes");
  const auto path = [&](const Page& page) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root() + "/pages"))
      if (entry.path().string().find(page.id.substr(18)) != std::string::npos)
        return entry.path().string().substr(root().size() + 1);
    return std::string();
  };
  std::string text = read(path(boat));
  write(path(boat), text.replace(text.rfind("Kiel"), 4, "Oslo"));
  std::filesystem::create_directories(root() + "/moved");
  std::filesystem::rename(root() + "/" + path(tea), root() + "/moved/tea.md");
  std::filesystem::remove(root() + "/" + path(gone));
  write("new.md", "A new note.");

  open("new.db");
  const ImportReport report = import();
  EXPECT_EQ(report.restored, 2);
  EXPECT_EQ(report.changed, 1);
  EXPECT_EQ(report.added, 3);
  const Page back = MUST(memory().get(boat.id));
  EXPECT_EQ(back.body, "My boat lies in Oslo.\n\nIt is red.");
  EXPECT_EQ(back.revision, 2);
  EXPECT_EQ(MUST(memory().revisions(boat.id))[0].by, "import");
  EXPECT_EQ(MUST(memory().get(tea.id)).hash, tea.hash);
  EXPECT_FALSE(memory().get(gone.id));
  EXPECT_FALSE(search("new note").empty());
}

TEST_F(ExportTest, AnEditMeetsAnotherOfTheSamePage) {
  const Page page = add("one\n\ntwo\n\nthree");
  export_to("notes");
  MUST(memory().edit(page.id, NewPage{.body = "ONE\n\ntwo\n\n3"}, "agent"));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root() + "/pages"))
    if (entry.is_regular_file()) {
      const std::string path = entry.path().string().substr(root().size() + 1);
      std::string text = read(path);
      write(path, text.replace(text.find("three"), 5, "THREE"));
    }
  const ImportReport report = import();
  EXPECT_EQ(MUST(memory().get(page.id)).body, "ONE\n\ntwo\n\nTHREE");
  EXPECT_EQ(report.changed, 1);
  ASSERT_EQ(report.problems.size(), 1u);
  EXPECT_THAT(report.problems[0].what, HasSubstr("3"));
}

TEST_F(ExportTest, ForgottenPagesComeBackOnlyIfTheOwnerSaysSo) {
  const Page page = add("Tea at five.");
  export_to("notes");
  MUST(memory().forget(page.id));
  const ImportReport refused = import();
  EXPECT_EQ(refused.restored, 0);
  EXPECT_THAT(refused.problems.at(0).what, HasSubstr("was forgotten"));
  EXPECT_EQ(import({}, "notes", {.forgotten = true}).restored, 1);
  EXPECT_EQ(MUST(memory().get(page.id)).hash, page.hash);
}

TEST_F(ExportTest, AFolderThatHoldsOtherThingsOrEditsIsLeftAlone) {
  const Page page = add("Tea at five.");
  write("mine.md", "mine");
  const auto refused = export_folder(memory(), *database_, root(), {"Keel", "now", false});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::already_exists);

  export_to("out");
  MUST(memory().edit(page.id, NewPage{.title = "Another title"}, "owner"));
  EXPECT_EQ(export_to("out").removed, 1);
  std::ofstream(root("out") + "/" + "pages/fact/another-title--" + page.id.substr(18) + ".md")
      << "edited";
  const auto edited = export_folder(memory(), *database_, root("out"), {"Keel", "now", false});
  ASSERT_FALSE(edited);
  EXPECT_THAT(edited.error().message, HasSubstr("was changed since"));
  EXPECT_EQ(export_to("out", true).pages, 1);
}

TEST_F(ExportTest, DamageIsReportedAndStopsNothing) {
  const Page a = add("Page a."), b = add("Page b.");
  export_to("notes");
  std::string history = read("history/pages.jsonl");
  const std::size_t at = history.find("Page a.\",\"props");
  ASSERT_NE(at, std::string::npos);
  history[at + 5] = 'x';
  write("history/pages.jsonl", history + "not json\n{\"page\": 3}\n{}\n");
  write("history/words.jsonl", "{\"term\": 1}\n[]\n");
  open("new.db");
  const ImportReport report = import();
  EXPECT_FALSE(memory().get(a.id));
  EXPECT_EQ(MUST(memory().get(b.id)).hash, b.hash);
  EXPECT_GE(report.skipped, 4);
  // A path that leads out of the folder is never read or removed.
  write("keel.json", R"({"format":"keel-memory","version":1,"complete":true,)"
                     R"("files":{"../keel.db":"x","../../etc/passwd":"y"}})");
  import();
  write("keel.json", R"({"format":"keel-memory","version":9,"complete":true,"files":{}})");
  ImportReport other;
  EXPECT_EQ(import_export(memory(), *database_, root(), {}, {}, other).error().code,
            Code::unsupported);
}

}  // namespace
}  // namespace keel::memory
