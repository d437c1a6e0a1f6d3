#include "memory/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "memory/fixture_test.h"
#include "memory/render.h"

namespace keel::memory {
namespace {

using ::testing::HasSubstr;

class ReplayTest : public TestMemory {};

TEST_F(ReplayTest, a_retrieval_asked_again_finds_the_pages_as_they_were) {
  const Page boat = say("My boat is called Ariadne.");
  say("The harbour is closed in winter.");
  const Retrieval first = recall("What is my boat called?");
  ASSERT_EQ(first.hits.size(), 1u);
  NewPage change;
  change.title = "A ship";
  change.body = "The ship has a name of its own.";
  MUST(memory().edit(boat.id, change, "owner"));
  say("My boat is called Beatrix.");
  MUST(memory().set_alias("harbour", "winter"));
  const Replay again = MUST(memory().replay(first.id));
  EXPECT_TRUE(again.same);
  ASSERT_EQ(again.now.hits.size(), 1u);
  EXPECT_EQ(again.now.hits[0].title, "My boat is called Ariadne.");
  EXPECT_EQ(again.now.hits[0].score, first.hits[0].score);
  EXPECT_TRUE(again.notes.empty());
  EXPECT_THAT(replay_text(again), HasSubstr("the same pages, order and scores"));

  MUST(memory().forget(boat.id));
  const Replay without = MUST(memory().replay(first.id));
  EXPECT_FALSE(without.same) << "what was forgotten does not come back";
  EXPECT_TRUE(without.now.hits.empty());
  ASSERT_EQ(without.notes.size(), 1u);
  EXPECT_THAT(replay_text(without), HasSubstr("1 page(s) were forgotten since"));
  EXPECT_EQ(memory().replay("nothing").error().code, Code::not_found);
}

TEST_F(ReplayTest, every_retrieval_of_a_long_history_comes_out_the_same) {
  static constexpr const char* kWords[] = {"boat",   "harbour", "went", "child", "storm", "rope",
                                           "anchor", "pier",    "tea",  "call",  "north", "2026"};
  std::mt19937 random(17);
  const auto text = [&](unsigned words) {
    std::string out;
    for (auto i = random() % words + 1; i > 0; --i)
      out += std::string(kWords[random() % std::size(kWords)]) + " ";
    return out;
  };
  std::vector<std::string> ids, retrievals;
  for (int step = 0; step < 500; ++step) {
    clock_.advance(std::chrono::milliseconds(random() % 5000));
    const std::string some = ids.empty() ? std::string() : ids[random() % ids.size()];
    switch (random() % 8) {
      case 0:
      case 1:
      case 2: {
        NewPage page;
        page.body = random() % 6 ? text(25) : "My boat is called " + text(1);
        if (random() % 2) page.session = "s" + std::to_string(random() % 4);
        if (random() % 3 == 0) page.created_ms = clock_.wall_ms() - 1000 * (random() % 100'000);
        if (random() % 4 == 0) page.day = "2026-0" + std::to_string(random() % 9 + 1);
        page.origin = random() % 5 ? "owner" : "import";
        page.pinned = random() % 9 == 0;
        if (random() % 4 == 0) page.tags = {text(1)};
        ids.push_back(MUST(memory().add(page)).page.id);
        break;
      }
      case 3: {
        if (ids.empty()) break;
        NewPage change;
        change.body = text(30);
        MUST(memory().edit(some, change, "agent"));
        break;
      }
      case 4:
        if (!ids.empty()) MUST(memory().pin(some, random() % 2));
        break;
      case 5:
        if (random() % 4 == 0)
          MUST(memory().set_alias(kWords[random() % 4], kWords[4 + random() % 4],
                                  0.5 * static_cast<double>(random() % 2)));
        break;
      default:
        retrievals.push_back((random() % 2 ? search(text(6)) : recall(text(6))).id);
    }
  }
  ASSERT_GT(retrievals.size(), 80u);
  std::size_t found = 0;
  for (std::size_t i = 0; i < retrievals.size(); i += 5) {
    const Replay again = MUST(memory().replay(retrievals[i]));
    EXPECT_TRUE(again.same) << replay_text(again);
    found += again.now.hits.size();
  }
  EXPECT_GT(found, 30u);
}

TEST_F(ReplayTest, what_the_answer_made_use_of_is_marked) {
  say("My boat is called Ariadne.");
  say("The boat lies in the harbour of Laboe.");
  const Retrieval asked = recall("What is my boat called?", "turn-1");
  std::vector<std::string> shown;
  for (const Hit& hit : asked.hits) shown.push_back(hit.page_id);
  MUST(memory().mark_injected(asked.id, shown));
  MUST(memory().mark_cited(asked.id, "Your boat is called Ariadne."));
  MUST(memory().mark_cited("unknown", "Ariadne"));
  const Retrieval why = MUST(memory().why("turn-1")).at(0);
  for (const Hit& hit : why.hits)
    EXPECT_EQ(hit.cited, hit.title == "My boat is called Ariadne.") << hit.title;
  EXPECT_THAT(why_text({why}), HasSubstr("used in the answer"));
  const Json json = why_json(why);
  EXPECT_TRUE(json["results"][0]["cited"].get<bool>());
  EXPECT_EQ(json["corpus_seq"], 2);
}

}  // namespace
}  // namespace keel::memory
