#include <gmock/gmock.h>

#include "memory/folder/folder_fixture_test.h"
#include "memory/foreign/chats.h"
#include "memory/foreign/import.h"
#include "memory/foreign/workspaces.h"

namespace keel::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ForeignTest : public TestFolderMemory {
 protected:
  ImportReport take(const std::string& path, const ImportOptions& options = {}) {
    ImportReport report;
    MUST(import_path(memory(), *database_, path, options, {}, report));
    return report;
  }
  Page found(std::string_view words) {
    const std::vector<Hit> hits = search(words);
    EXPECT_FALSE(hits.empty()) << words;
    return hits.empty() ? Page() : MUST(memory().get(hits[0].page_id));
  }
  // A dry run says what the run then does, and does nothing.
  ImportReport take_twice(const std::string& path) {
    ImportOptions dry;
    dry.dry_run = true;
    const ImportReport said = take(path, dry);
    EXPECT_THAT(MUST(memory().list("", 10)), IsEmpty());
    const ImportReport done = take(path);
    EXPECT_EQ(said.added, done.added);
    EXPECT_EQ(said.source, done.source);
    EXPECT_EQ(take(path).added, 0);  // again adds nothing
    return done;
  }
};

TEST_F(ForeignTest, NotesAreItemsUnderTheirHeadings) {
  const std::vector<Note> notes = notes_in(
      "# Memory\n\nIntro.\n\n## Food\n- likes tea\n  - green\n* no milk\n\n---\n\n# Work\n1. ship");
  ASSERT_EQ(notes.size(), 4u);
  EXPECT_EQ(notes[0].text, "Intro.");
  EXPECT_EQ(notes[1].text, "likes tea\n  - green");
  EXPECT_THAT(notes[1].headings, ElementsAre("Memory", "Food"));
  EXPECT_EQ(notes[1].line, 6);
  EXPECT_EQ(notes[2].text, "no milk");
  EXPECT_THAT(notes[3].headings, ElementsAre("Work"));
}

TEST_F(ForeignTest, AnOpenClawWorkspace) {
  write("workspace/AGENTS.md", "# Rules\nDo this.");
  write("workspace/SOUL.md", "# Soul\n\nYou are calm.");
  write("workspace/USER.md", "# About\n- Likes green tea (2026-03-01)\n");
  write("workspace/MEMORY.md",
        "# Memory\n\n## Boat\n- The boat is called Ariadne. <!-- project: sea -->\n- Lies in "
        "Kiel.\n");
  write("workspace/memory/2026-03-01-harbour.md", "# Harbour\n\nWent to the harbour.");
  write("workspace/skills/x/SKILL.md", "---\nname: x\n---\nA skill.");
  write("openclaw.json", "{}");
  const ImportReport report = take_twice(root());
  EXPECT_EQ(report.source, "OpenClaw workspace");
  EXPECT_EQ(report.added, 5);
  EXPECT_EQ(has_problem(report, "AGENTS.md", "not memory"), "");
  EXPECT_EQ(has_problem(report, "skills/x/SKILL.md", "not memory"), "");
  const Page boat = found("boat called");
  EXPECT_EQ(boat.body, "The boat is called Ariadne. <!-- project: sea -->");
  EXPECT_THAT(boat.tags, ElementsAre("memory", "boat"));
  EXPECT_EQ(boat.origin, "import");
  EXPECT_EQ(boat.kind, "fact");
  EXPECT_EQ(found("green tea").kind, "preference");
  const Page day = found("went to the harbour");
  EXPECT_EQ(day.kind, "journal");
  EXPECT_EQ(day.day, "2026-03-01");
  EXPECT_THAT(found("calm").tags, ElementsAre("persona"));

  open("owner.db");
  ImportOptions owner;
  owner.origin = "owner";
  take(root(), owner);
  EXPECT_EQ(found("calm").kind, "persona");
}

TEST_F(ForeignTest, HermesMemories) {
  write("memories/MEMORY.md",
        "The boat is called Ariadne.\n\xc2\xa7\nThe server runs Debian.\n\n- x\n");
  write("memories/USER.md", "Likes green tea.");
  write("SOUL.md", "Calm.");
  const ImportReport report = take_twice(root());
  EXPECT_EQ(report.source, "Hermes memory");
  EXPECT_EQ(report.added, 4);
  EXPECT_EQ(found("Debian").body, "The server runs Debian.\n\n- x");
  EXPECT_EQ(found("green tea").kind, "preference");
}

TEST_F(ForeignTest, ClaudeCodeMemory) {
  write("CLAUDE.md", "# Style\n- Use tabs.\n");
  write("memory/MEMORY.md", "- [Boat](boat-name.md) - what it is called\n");
  write("memory/boat-name.md",
        "---\nname: boat-name\ndescription: >-\n  What the boat\n  is called\nmetadata:\n  type: "
        "user\n---\n\nThe boat is called Ariadne. See [[tea]].");
  const ImportReport report = take_twice(root());
  EXPECT_EQ(report.source, "Claude Code memory");
  EXPECT_EQ(report.added, 2);
  const Page boat = found("Ariadne");
  EXPECT_EQ(boat.title, "boat name");
  EXPECT_EQ(boat.kind, "preference");
  EXPECT_THAT(boat.gist, HasSubstr("What the boat"));
  EXPECT_EQ(found("tabs").kind, "preference");
  EXPECT_EQ(has_problem(report, "memory/MEMORY.md", "index"), "");
}

// A question that was asked twice and answered three times: only the branch seen last counts.
constexpr const char* kChatGpt = R"([
 {"title": "Boat names", "conversation_id": "c1", "create_time": 1683554160.5,
     "current_node": "n6",
  "mapping": {
   "n0": {"id": "n0", "message": null, "parent": null, "children": ["n1"]},
   "n1": {"id": "n1", "message": {"id": "m1", "author": {"role": "system"}, "content":
     {"content_type": "text", "parts": ["You are ChatGPT"]}}, "parent": "n0", "children": ["n2"]},
   "n2": {"id": "n2", "message": {"id": "m2", "author": {"role": "user"},
     "create_time": 1683554160.5,
     "content": {"content_type": "text", "parts": ["What shall I call my sloop?"]}},
     "parent": "n1",
     "children": ["n3", "n4"]},
   "n3": {"id": "n3", "message": {"id": "m3", "author": {"role": "assistant"},
     "create_time": 1683554170,
     "content": {"content_type": "text", "parts": ["Discarded answer about Poseidon."]}},
     "parent": "n2", "children": []},
   "n4": {"id": "n4", "message": {"id": "m4", "author": {"role": "assistant"},
     "create_time": 1683554180,
     "metadata": {"model_slug": "gpt-4"}, "content": {"content_type": "text",
     "parts": ["Ariadne suits it."]}},
     "parent": "n2", "children": ["n5"]},
   "n5": {"id": "n5", "message": {"id": "m5", "author": {"role": "user"}, "create_time": null,
     "content": {"content_type": "multimodal_text",
     "parts": [{"content_type": "image_asset_pointer"},
     "Like this one?"]}}, "parent": "n4", "children": ["n6"]},
   "n6": {"id": "n6", "message": {"id": "m6", "author": {"role": "assistant"},
     "create_time": 1683554200,
     "metadata": {"is_visually_hidden_from_conversation": true},
     "content": {"content_type": "text", "parts": ["hidden"]}}, "parent": "n5", "children": []}}},
 {"title": "Loop", "id": "c2", "current_node": "a", "mapping": {"a": {"message": {"id": "x",
     "author":
   {"role": "user"}, "create_time": 5, "content": {"content_type": "text",
     "parts": ["Looped words"]}},
   "parent": "a"}}},
 {"broken": true},
 7
])";

TEST_F(ForeignTest, AChatGptExport) {
  write("conversations.json", kChatGpt);
  write("user.json", "{}");
  const ImportReport report = take_twice(root());
  EXPECT_EQ(report.source, "ChatGPT export");
  EXPECT_EQ(report.added, 4) << report_json(report).dump(1);
  EXPECT_THAT(search("Poseidon discarded"), IsEmpty());
  EXPECT_THAT(search("hidden"), IsEmpty());
  const Page answer = found("Ariadne suits");
  EXPECT_EQ(answer.speaker, "ChatGPT");
  EXPECT_EQ(answer.session, "chatgpt:c1");
  EXPECT_EQ(answer.day, "2023-05-08");
  EXPECT_EQ(answer.created_ms, 1683554180000);
  EXPECT_EQ(answer.author_model, "gpt-4");
  EXPECT_EQ(answer.origin, "import");
  EXPECT_THAT(answer.tags, ElementsAre("Boat names"));
  EXPECT_EQ(found("like this one").body, "[picture]\n\nLike this one?");
  EXPECT_EQ(found("like this one").created_ms, 1683554180001);
  EXPECT_FALSE(search("looped").empty());
  ASSERT_FALSE(report.problems.empty());
  EXPECT_GT(report.problems.back().line, 25);
}

constexpr const char* kClaude =
    R"([{"uuid": "u1", "name": "Tea", "created_at": "2026-01-02T03:04:05.678901+00:00",
 "chat_messages": [
 {"uuid": "a", "sender": "human", "text": "Which tea?", "content": [],
     "created_at": "2026-01-02T03:04:05.678901Z",
  "attachments": [{"file_name": "list.txt", "extracted_content": "x"}]},
 {"uuid": "b", "sender": "assistant", "text": "", "content": [{"type": "thinking",
     "thinking": "hm"},
  {"type": "text", "text": "Sencha."}], "created_at": "2026-01-02T03:04:09Z"}]}])";

TEST_F(ForeignTest, AClaudeExportThatHasTheSameName) {
  write("conversations.json", kClaude);
  write("projects.json", "[]");
  const ImportReport report = take_twice(root() + "/conversations.json");
  EXPECT_EQ(report.source, "Claude export");
  EXPECT_EQ(report.added, 2);
  EXPECT_EQ(found("sencha").speaker, "Claude");
  EXPECT_EQ(found("which tea").body, "Which tea?\n\n[file: list.txt]");
  EXPECT_EQ(found("which tea").session, found("sencha").session);
}

TEST_F(ForeignTest, DamagedExportsGiveWhatTheyHave) {
  std::string cut = kClaude;
  cut.resize(cut.size() - 2);
  write("conversations.json",
        "[" + cut.substr(1) + "}, {\"uuid\": \"u2\", \"chat_messages\": [{\"sender\": \"hu");
  const ImportReport report = take(root());
  EXPECT_EQ(report.added, 2);
  EXPECT_EQ(has_problem(report, "conversations.json", "ends in the middle"), "");
  write("other.json", "{\"a\": 1}");
  ImportReport unused;
  EXPECT_EQ(import_path(memory(), *database_, root() + "/other.json", {}, {}, unused).error().code,
            Code::unsupported);
  EXPECT_EQ(import_path(memory(), *database_, root() + "/none", {}, {}, unused).error().code,
            Code::not_found);
}

TEST_F(ForeignTest, AnExportOfThousandsOfTurnsIsReadPieceByPiece) {
  std::string text = "[";
  for (int c = 0; c < 200; ++c) {
    text += (c ? ",\n" : "") + std::string("{\"uuid\": \"c") + std::to_string(c) +
            "\", \"name\": \"n\", \"chat_messages\": [";
    for (int m = 0; m < 20; ++m)
      text += (m ? "," : "") + std::string("{\"uuid\": \"") + std::to_string(c * 100 + m) +
              "\", \"sender\": \"" + (m % 2 ? "assistant" : "human") +
              "\", \"text\": \"Turn with \\\"[{ \\\\ and " + std::to_string(c * m) +
              "\", \"created_at\": \"2026-01-02T03:" + std::to_string(10 + m) + ":00Z\"}";
    text += "]}";
  }
  write("conversations.json", text + "\n]\n");
  EXPECT_EQ(take(root()).added, 4000);
}

}  // namespace
}  // namespace keel::memory
