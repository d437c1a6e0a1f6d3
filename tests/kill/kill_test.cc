// One turn with two tool calls (remember: idempotent; append_line: unsafe) is killed at every
// point, then recovered in a new process, which may be killed in turn. Whatever the point: the
// message is answered exactly once or visibly failed, the unsafe effect happened at most once, no
// call is without its result, and the database checks out.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>

#include "agent/house_test.h"
#include "base/limits.h"
#include "kill_points.h"

namespace keel::agent {
namespace {

using testing::House;
using testing::HouseOptions;

constexpr const char* script =
    R"({"match": "Ariadne", "repeat": true, "text": "Both.", "calls": [)"
    R"({"name": "remember", "arguments": {"text": "The owner's boat is called Ariadne."}},)"
    R"({"name": "append_line", "arguments": {"line": "logged"}}]}
{"on": "tool", "repeat": true, "text": "Remembered and logged."}
{"repeat": true, "text": "What?"})";

struct KillAt {
  std::int64_t commit = 0;    // after this commit
  long write = 0;             // before this writing call
  bool after_effect = false;  // in append_line, with the line written and no RESULT
  bool falls_back = false;    // the model fails once the tools have run, another one goes on
};

constexpr const char* failing_script =
    R"({"match": "Ariadne", "repeat": true, "text": "Both.", "calls": [)"
    R"({"name": "remember", "arguments": {"text": "The owner's boat is called Ariadne."}},)"
    R"({"name": "append_line", "arguments": {"line": "logged"}}]}
{"on": "tool", "repeat": true, "text": "Remem", "error": {"code": "network", "message": "gone"}})";

std::unique_ptr<House> open_house(const std::string& folder, const KillAt& at) {
  HouseOptions options;
  options.start_ms = SystemClock().wall_ms();  // ids of forked processes must differ
  options.folder = folder;
  options.script = at.falls_back ? failing_script : script;
  if (at.falls_back) {
    options.second = script;
    options.route.fallback = {"second"};
  }
  if (at.commit > 0) {
    options.after_commit = [at](std::int64_t n) {
      if (n == at.commit) kill::now();
    };
  }
  if (at.after_effect) options.after_effect = [] { kill::now(); };
  auto house = std::make_unique<House>(options);
  if (at.write > 0) kill::arm(at.write);
  return house;
}

int send(const std::string& folder, const KillAt& at) {
  auto house = open_house(folder, at);
  TurnRequest request;
  request.text = "Remember that my boat is called Ariadne, and log it.";
  request.external_id = "m1";
  const bool good = house->run(request).has_value();
  house.reset();
  return good ? 0 : 1;
}

int recover(const std::string& folder, const KillAt& at) {
  auto house = open_house(folder, at);
  const bool good = house->agent->recover({}, {}).has_value();
  house.reset();
  return good ? 0 : 1;
}

// True if it ended by itself, false if it was killed; the body's code must be 0.
bool in_child(const std::function<int()>& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) {
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    return false;
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return true;
}

class Folder {
 public:
  Folder() { KEEL_ASSERT(mkdtemp(path.data()) != nullptr); }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  // In memory where there is such a place: a process that is killed keeps its writes either way,
  // and it is much faster.
  std::string path =
      (std::filesystem::exists("/dev/shm") ? "/dev/shm"
                                           : std::filesystem::temp_directory_path().string()) +
      "/keel-kill-XXXXXX";
};

// A database that has been opened before, so that the points are the turn's, not the migrations'.
void prepare(const std::string& folder) {
  EXPECT_TRUE(in_child([&] {
    auto house = open_house(folder, {});
    return house->memory->ensure_identity("Keel") ? 0 : 1;
  }));
}

struct Seen {
  std::size_t effects = 0;
  std::string state;               // of the turn; empty: the message was never accepted
  std::set<std::string> outcomes;  // of append_line
};

Result<std::int64_t> number(House& house, const std::string& sql) {
  return house.database->read([&](store::Connection& connection) -> Result<std::int64_t> {
    store::Statement select = TRY(connection.prepare(sql));
    TRY(select.step());
    return select.integer(0);
  });
}

Result<std::string> text(House& house, const std::string& sql) {
  return house.database->read([&](store::Connection& connection) -> Result<std::string> {
    store::Statement select = TRY(connection.prepare(sql));
    TRY(select.step());
    return select.text(0);
  });
}

void check_items(House& house) {
  std::vector<std::string> open;
  msg::Role last = msg::Role::system;
  for (const store::ItemRow& row : MUST(house.journal->window("main"))) {
    const msg::Item item = MUST(msg::item_from_json(MUST(parse_json(row.json))));
    last = item.role;
    EXPECT_TRUE(item.role == msg::Role::tool || open.empty()) << "an output with open calls";
    for (const msg::ToolCall& call : msg::tool_calls(item)) open.push_back(call.id);
    for (const msg::Block& block : item.blocks) {
      const auto* result = std::get_if<msg::ToolResult>(&block);
      if (result == nullptr) continue;
      EXPECT_EQ(std::erase(open, result->call_id), 1u) << "a result without its call";
    }
  }
  EXPECT_TRUE(open.empty());
  EXPECT_TRUE(last == msg::Role::system || last == msg::Role::assistant);
}

Seen check(const std::string& folder) {
  Seen seen;
  auto house = open_house(folder, {});
  EXPECT_TRUE(house->database->check()) << "integrity";
  EXPECT_TRUE(MUST(house->journal->open_turns()).empty());
  seen.effects = testing::lines_of(house->effect_file()).size();
  EXPECT_LE(seen.effects, 1u) << "the unsafe effect happened twice";
  check_items(*house);
  EXPECT_EQ(MUST(number(*house, "SELECT COUNT(*) FROM tool_call WHERE state = 'intent'")), 0);
  EXPECT_LE(MUST(number(*house, "SELECT COUNT(*) FROM page WHERE body LIKE '%Ariadne%'")), 1);

  const std::int64_t turns = MUST(number(*house, "SELECT COUNT(*) FROM turn"));
  EXPECT_LE(turns, 1);
  EXPECT_EQ(MUST(number(*house, "SELECT COUNT(*) FROM outbox")), turns);
  if (turns == 0) {
    EXPECT_EQ(seen.effects, 0u);
    return seen;
  }
  const std::int64_t failures =
      MUST(number(*house, "SELECT COUNT(*) FROM turn WHERE state = 'failed'"));
  seen.state = failures == 0 ? "done" : "failed";
  EXPECT_EQ(MUST(number(*house, "SELECT COUNT(*) FROM outbox WHERE kind = 'failure'")), failures);
  for (const store::CallRow& call :
       MUST(house->journal->calls(MUST(text(*house, "SELECT id FROM turn"))))) {
    if (call.name == "append_line") seen.outcomes.insert(call.outcome);
  }
  if (failures == 0) {
    EXPECT_EQ(seen.outcomes.size(), 1u);
    const bool said_done = seen.outcomes.contains("appended");
    EXPECT_TRUE(!said_done || seen.effects == 1u) << "a result for an effect that did not happen";
    EXPECT_EQ(MUST(number(*house, "SELECT COUNT(*) FROM page WHERE body LIKE '%Ariadne%'")), 1);
  }
  return seen;
}

// Kills, recovers (killed once more at `again`), recovers to the end, delivers the message again,
// checks.
Seen killed_and_recovered(const KillAt& at, const KillAt& again, bool& ended_by_itself) {
  Folder folder;
  prepare(folder.path);
  ended_by_itself = in_child([&] { return send(folder.path, at); });
  const bool twice = again.commit > 0 || again.write > 0 || again.after_effect;
  if (twice) in_child([&] { return recover(folder.path, again); });
  EXPECT_TRUE(in_child([&] { return recover(folder.path, {.falls_back = at.falls_back}); }));
  Seen seen = check(folder.path);
  // The channel delivers again what it has no acknowledgement for: it must change nothing that is
  // done.
  const bool accepted = !seen.state.empty();
  EXPECT_TRUE(in_child([&] { return seen.state == "failed" ? 0 : send(folder.path, {}); }));
  const Seen after = check(folder.path);
  EXPECT_TRUE(!accepted || after.effects == seen.effects);
  return after;
}

TEST(Kill, AfterEveryCommitOfATurn) {
  std::set<std::string> outcomes;
  int points = 0;
  for (KillAt at{.commit = 1};; ++at.commit) {
    SCOPED_TRACE("killed after commit " + std::to_string(at.commit));
    bool ended = false;
    const Seen seen = killed_and_recovered(at, {}, ended);
    EXPECT_EQ(seen.state, "done");
    outcomes.insert(seen.outcomes.begin(), seen.outcomes.end());
    if (ended || HasFailure()) break;
    ++points;
    ASSERT_LT(points, 60);
  }
  EXPECT_GE(points, 6);
  EXPECT_EQ(outcomes.size(), 2u);  // both "appended" and "outcome unknown" were met
  std::printf("commits of the turn: %d\n", points);
}

TEST(Kill, AfterEveryCommitOfATurnThatFallsBackToAnotherModel) {
  int points = 0;
  for (KillAt at{.commit = 1, .falls_back = true};; ++at.commit) {
    SCOPED_TRACE("killed after commit " + std::to_string(at.commit));
    bool ended = false;
    EXPECT_EQ(killed_and_recovered(at, {}, ended).state, "done");
    if (ended || HasFailure()) break;
    ++points;
    ASSERT_LT(points, 60);
  }
  EXPECT_GE(points, 7);
}

TEST(Kill, BetweenAnUnsafeEffectAndItsResult) {
  bool ended = false;
  const Seen seen = killed_and_recovered({.after_effect = true}, {}, ended);
  EXPECT_FALSE(ended);
  EXPECT_EQ(seen.effects, 1u);
  EXPECT_EQ(seen.state, "done");
  ASSERT_EQ(seen.outcomes.size(), 1u);
  EXPECT_NE(seen.outcomes.begin()->find("outcome unknown"), std::string::npos);
}

TEST(Kill, AgainAfterEveryCommitOfTheRecovery) {
  // Of the first run: nothing but the inbox; the context; INTENT of the first and of the second
  // call.
  for (const KillAt& first : std::array<KillAt, 4>{
           KillAt{.commit = 1}, {.commit = 3}, {.commit = 4}, {.after_effect = true}}) {
    for (std::int64_t second = 1; second <= 9; ++second) {
      SCOPED_TRACE("killed after commit " + std::to_string(first.commit) + ", then " +
                   std::to_string(second));
      bool ended = false;
      EXPECT_EQ(killed_and_recovered(first, {.commit = second}, ended).state, "done");
      if (HasFailure()) return;
    }
  }
}

TEST(Kill, AtEveryWritingCallOfATurn) {
  int points = 0;
  for (KillAt at{.write = 1};; ++at.write) {
    SCOPED_TRACE("killed at writing call " + std::to_string(at.write));
    bool ended = false;
    EXPECT_EQ(killed_and_recovered(at, {}, ended).state, "done");
    if (ended || HasFailure()) break;
    ++points;
    ASSERT_LT(points, 400);
  }
  EXPECT_GE(points, 20);
  std::printf("writing calls of the turn: %d\n", points);
}

TEST(Kill, ATurnThatKeepsKillingKeelIsGivenUpAndSaysSo) {
  Folder folder;
  prepare(folder.path);
  // Commit 3 is the context; a recovery's first commit is its attempt.
  EXPECT_FALSE(in_child([&] { return send(folder.path, {.commit = 3}); }));
  for (int i = 1; i < limits::turn_attempts; ++i) {
    EXPECT_FALSE(in_child([&] { return recover(folder.path, {.commit = 1}); }));
  }
  EXPECT_TRUE(in_child([&] { return recover(folder.path, {}); }));
  EXPECT_EQ(check(folder.path).state, "failed");
  auto house = open_house(folder.path, {});
  const std::vector<store::OutboxRow> rows = MUST(house->journal->pending("terminal", "", 10));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].kind, "failure");
  EXPECT_NE(rows[0].text.find("given up after 3 attempts"), std::string::npos) << rows[0].text;
  // The next turn of the conversation works, and tells of it once.
  ASSERT_TRUE(house->say("Hello"));
  EXPECT_NE(house->notices().find("Failed while you were away"), std::string::npos);
  house->events.clear();
  ASSERT_TRUE(house->say("Hello"));
  EXPECT_EQ(house->notices(), "");
}

// The sweep would notice if INTENT rows were not written: the same kill with the row taken away
// makes the effect twice.
TEST(Kill, WithoutTheIntentRowTheEffectWouldHappenTwice) {
  Folder folder;
  prepare(folder.path);
  EXPECT_FALSE(in_child([&] { return send(folder.path, {.after_effect = true}); }));
  EXPECT_TRUE(in_child([&] {
    auto house = open_house(folder.path, {});
    return house->database->write([](store::Connection& connection) {
      return connection.execute("DELETE FROM tool_call WHERE name = 'append_line'");
    })
               ? 0
               : 1;
  }));
  EXPECT_TRUE(in_child([&] { return recover(folder.path, {}); }));
  EXPECT_EQ(testing::lines_of(folder.path + "/effects.txt").size(), 2u);
}

TEST(Kill, WhatWasFinishedAwayIsToldOnceByTheNextTurn) {
  Folder folder;
  prepare(folder.path);
  EXPECT_FALSE(in_child([&] { return send(folder.path, {.after_effect = true}); }));
  EXPECT_TRUE(in_child([&] { return recover(folder.path, {}); }));
  auto house = open_house(folder.path, {});
  const Result<Json> next = house->say("Hello");
  ASSERT_TRUE(next) << next.error().text();
  EXPECT_NE(house->notices().find("Answered while you were away: Remembered and logged."),
            std::string::npos)
      << house->notices();
  house->events.clear();
  ASSERT_TRUE(house->say("Hello"));
  EXPECT_EQ(house->notices(), "");
}

}  // namespace
}  // namespace keel::agent
