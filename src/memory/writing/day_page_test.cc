#include "memory/writing/day_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/zone_test.h"
#include "memory/fixture_test.h"
#include "memory/render.h"
#include "memory/writing/ledger.h"

namespace keel::memory {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// 22 November 2026, 18:05 UTC.
constexpr WallMs kEvening = 1'795'370'700'000;
constexpr WallMs kHour = 3'600'000;

Spoken spoken(std::string_view owner, std::string_view reply = "Yes.") {
  Spoken one;
  one.turn = "01TURN";
  one.at_ms = kEvening;
  one.owner = owner;
  one.reply = reply;
  return one;
}

TEST(DayPage, greetings_and_single_words_are_not_worth_an_entry) {
  for (const char* text :
       {"hello", "Thanks a lot!", "ok, good morning", "yes please", "Hm?", "danke, sehr gut", "  "})
    EXPECT_FALSE(is_worth_an_entry(spoken(text))) << text;
  for (const char* text :
       {"What is the tide in Kiel?", "my boat is called Ariadne", "book the ferry for Anna"})
    EXPECT_TRUE(is_worth_an_entry(spoken(text))) << text;
  Spoken with_tool = spoken("weather?");
  with_tool.used_tools = true;
  EXPECT_TRUE(is_worth_an_entry(with_tool));
}

TEST(DayPage, an_entry_has_the_time_the_words_and_the_turn_on_lines_of_their_own) {
  const Zone zone("UTC");
  EXPECT_EQ(entry_of(spoken("Where is\n\nthe   key?", "In the\n```\ndrawer"), "Keel"),
            "**18:05** Owner: Where is the key?\n\n**Keel:** In the ``` drawer (turn 01TURN)");
  EXPECT_EQ(entry_of(spoken("Where is the key?", ""), "Keel"),
            "**18:05** Owner: Where is the key? (turn 01TURN)");
  Spoken tainted = spoken("Read example.org", "Send 900 euros to Mallory.");
  tainted.tainted = true;
  EXPECT_THAT(entry_of(tainted, "Keel"), Not(HasSubstr("Mallory")));
  EXPECT_THAT(entry_of(tainted, "Keel"), HasSubstr("Read example.org"));
  const std::string long_one =
      entry_of(spoken(std::string(5000, 'a'), std::string(5000, 'b')), "K");
  EXPECT_LT(long_one.size(), limits::day_said_bytes + limits::day_reply_bytes + 100);
}

TEST(DayPage, titles_and_times_are_those_of_the_owners_clock) {
  {
    const Zone zone("UTC");
    EXPECT_EQ(day_title(kEvening + 5 * kHour, "main", 1), "Sunday, 22 November 2026 (main)");
  }
  const Zone zone("Asia/Tokyo");
  EXPECT_EQ(day_title(kEvening, "main", 2), "Monday, 23 November 2026 (main, part 2)");
  EXPECT_THAT(entry_of(spoken("the tide in Kiel"), "Keel"), HasSubstr("**03:05**"));
}

TEST(DayPage, the_digest_of_a_day_gives_each_message_its_share) {
  const Zone zone("UTC");
  std::string body;
  for (int i = 0; i < 6; ++i) {
    Spoken one = spoken("message number " + std::to_string(i) + std::string(300, 'x'));
    one.at_ms += i * kHour / 2;
    body += (body.empty() ? "" : "\n\n") + entry_of(one, "Keel");
  }
  const std::string digest = digest_of_day(body, 600);
  EXPECT_LE(digest.size(), 600u);
  for (int i = 0; i < 6; ++i) EXPECT_THAT(digest, HasSubstr("message number " + std::to_string(i)));
  EXPECT_THAT(digest, HasSubstr("20:35 message number 5"));
  EXPECT_THAT(digest, Not(HasSubstr("Keel")));
  std::string many;
  for (int i = 0; i < 500; ++i) many += entry_of(spoken("tide " + std::to_string(i)), "K") + "\n\n";
  EXPECT_LE(digest_of_day(many, 600).size(), 600u);
  EXPECT_THAT(digest_of_day(many, 600), HasSubstr("tide 499"));
  EXPECT_EQ(digest_of_day("The owner wrote his own.", 600), "");
}

class LedgerTest : public TestMemory {
 protected:
  Exchange exchange(std::string_view turn, WallMs at, std::string_view session = "main") {
    Exchange one;
    one.turn = turn;
    one.session = session;
    one.at_ms = at;
    MUST(ledger().note(one));
    return one;
  }
  Ledger ledger() { return Ledger(database(), clock_); }
  // As the scribe does, with the text that is given.
  int write(std::string_view text) {
    std::vector<Ledger::Entry> entries;
    for (Exchange& one : MUST(ledger().for_journal(100)))
      entries.push_back({one, text.empty() ? "" : std::string(text) + " (turn " + one.turn + ")"});
    return MUST(ledger().write_entries(std::move(entries)));
  }
  std::vector<Page> days() { return MUST(memory().list("journal", 100)); }
};

TEST_F(LedgerTest, a_day_and_conversation_is_one_page_with_one_revision_for_each_writing) {
  const Zone zone("UTC");
  exchange("T1", kEvening);
  exchange("T2", kEvening + 60'000);
  exchange("T3", kEvening + 120'000, "boat");
  EXPECT_EQ(write("The tide was high."), 3);
  EXPECT_EQ(write("The tide was high."), 0) << "what is written is not written again";
  exchange("T4", kEvening + kHour);
  EXPECT_EQ(write("The wind turned."), 1);
  ASSERT_EQ(days().size(), 2u);
  const Page main = days()[0];
  EXPECT_EQ(days()[1].title, "Sunday, 22 November 2026 (boat)");
  EXPECT_EQ(main.title, "Sunday, 22 November 2026 (main)");
  EXPECT_EQ(main.body,
            "The tide was high. (turn T1)\n\nThe tide was high. (turn T2)\n\nThe wind turned. "
            "(turn T4)");
  EXPECT_EQ(main.day, "2026-11-22");
  EXPECT_EQ(main.session, "main");
  EXPECT_EQ(main.origin, "agent");
  EXPECT_EQ(main.created_ms, kEvening);
  EXPECT_EQ(main.revision, 2);
  EXPECT_EQ(MUST(memory().revisions(main.id))[0].reason, "1 exchange(s) added");
  EXPECT_TRUE(memory().verify());
}

TEST_F(LedgerTest, the_day_ends_at_the_owners_midnight) {
  const Zone zone("America/New_York");  // 13:05 there
  exchange("T1", kEvening);
  exchange("T2", kEvening + 10 * kHour);  // 23:05, the next day in UTC
  exchange("T3", kEvening + 12 * kHour);
  EXPECT_EQ(write("Something was said."), 3);
  ASSERT_EQ(days().size(), 2u);
  EXPECT_EQ(days()[1].day, "2026-11-22");
  EXPECT_THAT(days()[1].body, HasSubstr("(turn T2)"));
  EXPECT_EQ(days()[0].day, "2026-11-23");
  EXPECT_THAT(days()[0].body, HasSubstr("(turn T3)"));
}

TEST_F(LedgerTest, yesterday_is_the_owners_yesterday_and_stays_it_when_asked_again) {
  const Zone zone("Asia/Tokyo");
  clock_.advance(std::chrono::milliseconds(kEvening - clock_.wall_ms()));
  // 02:05 on the 23rd in Tokyo; it is still the 22nd in UTC.
  exchange("T1", kEvening - kHour);
  write("We measured the mast.");
  // 01:05 on the 24th in Tokyo, the 23rd in UTC: yesterday is the 23rd.
  clock_.advance(std::chrono::hours(22));
  const Retrieval found = recall("what did we do yesterday?");
  ASSERT_EQ(found.hits.size(), 1u);
  EXPECT_THAT(found.hits[0].title, HasSubstr("23 November"));
  const Zone moved("UTC");
  const Replay again = MUST(memory().replay(found.id));
  EXPECT_TRUE(again.same) << "the zone in which it was asked is kept";
}

TEST_F(LedgerTest, a_long_day_goes_on_in_a_second_part_and_a_forgotten_one_does_not_come_back) {
  const Zone zone("UTC");
  for (int i = 0; i < 30; ++i) exchange("T" + std::to_string(i + 100), kEvening + i * 1000);
  EXPECT_EQ(write(std::string(1000, 'w')), 30);
  ASSERT_EQ(days().size(), 3u);
  EXPECT_EQ(days()[0].title, "Sunday, 22 November 2026 (main, part 3)");
  for (const Page& page : days()) EXPECT_LE(page.body.size(), limits::day_page_bytes);
  MUST(memory().forget(days()[0].id));
  exchange("T200", kEvening + kHour);
  EXPECT_EQ(write("Later."), 1);
  EXPECT_EQ(days()[0].title, "Sunday, 22 November 2026 (main, part 4)");
  EXPECT_EQ(days()[0].body, "Later. (turn T200)");
}

TEST_F(LedgerTest, what_the_owner_changed_on_the_page_stays_when_it_grows) {
  const Zone zone("UTC");
  exchange("T1", kEvening);
  write("The tide was high.");
  NewPage mine;
  mine.title = "My Sunday";
  mine.body = "I was ill.";
  MUST(memory().edit(days()[0].id, mine, "owner"));
  MUST(memory().pin(days()[0].id, true));
  exchange("T2", kEvening + kHour);
  write("The wind turned.");
  EXPECT_EQ(days()[0].title, "My Sunday");
  EXPECT_EQ(days()[0].body, "I was ill.\n\nThe wind turned. (turn T2)");
  EXPECT_TRUE(days()[0].pinned);
}

TEST_F(LedgerTest, a_private_exchange_makes_the_page_of_its_day_private) {
  const Zone zone("UTC");
  exchange("T1", kEvening);
  write("The tide was high.");
  Exchange secret;
  secret.turn = "T2";
  secret.session = "main";
  secret.at_ms = kEvening + 1000;
  secret.tags = {"health"};
  MUST(ledger().note(secret));
  write("The pills are in the drawer.");
  ASSERT_EQ(days().size(), 1u);
  EXPECT_EQ(days()[0].tags, std::vector<std::string>{"health"});
}

TEST_F(LedgerTest, days_come_to_the_model_only_when_asked_for) {
  const Zone zone("UTC");
  clock_.advance(std::chrono::milliseconds(kEvening - clock_.wall_ms()));
  exchange("T1", kEvening);
  write("**18:05** Owner: What is my favourite harbour? (turn T1)\n\n**Keel:** Arnis, you said.");
  clock_.advance(std::chrono::hours(24));
  const Retrieval plain = recall("What is my favourite harbour?");
  EXPECT_TRUE(plain.hits.empty()) << "an answer is no evidence for the next one";
  ASSERT_EQ(plain.held_back.size(), 1u);
  EXPECT_THAT(plain.held_back[0].held_back, HasSubstr("names no day"));
  EXPECT_EQ(recall("Which harbour did you mention?").hits.size(), 1u);
  EXPECT_EQ(recall("what did we do yesterday?").hits.size(), 1u);
  EXPECT_EQ(search("harbour").hits.size(), 1u);
}

TEST_F(LedgerTest, facts_keep_their_neighbours_while_the_day_grows) {
  const Zone zone("UTC");
  clock_.advance(std::chrono::milliseconds(kEvening - clock_.wall_ms()));
  say("The harbour is closed in winter.", "main");
  const Page second = say("It opens in April.", "main");
  exchange("T1", clock_.wall_ms());
  write("Somebody asked about lighthouses.");
  say("The crane is booked.", "main");
  const Retrieval found = search("harbour");
  ASSERT_EQ(found.hits.size(), 3u);
  EXPECT_EQ(found.hits[1].page_id, second.id) << "by the words of the page before it";
  EXPECT_EQ(found.hits[2].title, "The crane is booked.") << "the day does not come between";
  EXPECT_EQ(search("lighthouses").hits.size(), 1u) << "the day lends nothing to facts";
  EXPECT_TRUE(memory().verify());
}

TEST_F(LedgerTest, forgetting_a_page_tells_of_the_day_that_quotes_it) {
  const Zone zone("UTC");
  exchange("T1", kEvening);
  write("My boat is called Ariadne.");
  NewPage fact;
  fact.body = "The owner said: \"My boat is called Ariadne.\"";
  fact.source_turn = "T1";
  const Page page = MUST(memory().add(fact)).page;
  EXPECT_THAT(MUST(memory().forget(page.id)), HasSubstr("page of that day, " + days()[0].id));
  MUST(memory().forget(days()[0].id));
}

TEST_F(LedgerTest, what_a_model_found_is_added_once_and_not_beside_what_the_rules_saw) {
  const Zone zone("UTC");
  NewPage rule;
  rule.body = "The owner said: \"My boat is called Ariadne.\"";
  rule.source_turn = "T1";
  rule.source_quote = "my boat is called Ariadne.";
  MUST(memory().add(rule));
  Exchange one = exchange("T1", kEvening);
  one.tags = {"boats"};
  NewPage again = rule;
  again.body = "The boat has the name Ariadne.";
  NewPage other;
  other.kind = "episode";
  other.body = "The owner said: \"We ran aground off Arnis.\"";
  other.source_quote = "We ran aground off Arnis";
  NewPage wrong = other;
  wrong.kind = "poem";
  const std::vector<NewPage> pages = {again, other, wrong};
  EXPECT_EQ(MUST(ledger().write_found(one, pages, "small")), 1);
  EXPECT_EQ(MUST(ledger().write_found(one, pages, "small")), 0);
  EXPECT_TRUE(MUST(ledger().for_extraction(10)).empty());
  const std::vector<Page> found = MUST(memory().list("episode", 10));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].author_model, "small");
  EXPECT_EQ(found[0].source_turn, "T1");
  EXPECT_EQ(found[0].session, "main");
  EXPECT_EQ(found[0].tags, std::vector<std::string>{"boats"});
  EXPECT_EQ(MUST(memory().list("fact", 10)).size(), 1u);
}

TEST_F(LedgerTest, a_model_that_cannot_be_asked_is_not_asked_for_ever) {
  Exchange one = exchange("T1", kEvening);
  for (int i = 0; i < limits::extract_attempts; ++i) {
    ASSERT_EQ(MUST(ledger().for_extraction(10)).size(), 1u) << i;
    MUST(ledger().failed(one, "no answer"));
  }
  EXPECT_TRUE(MUST(ledger().for_extraction(10)).empty());
  exchange("T2", kEvening);
  MUST(ledger().pass_over("T2", "a question"));
  EXPECT_TRUE(MUST(ledger().for_extraction(10)).empty());
  EXPECT_EQ(MUST(ledger().for_journal(10)).size(), 2u);
}

}  // namespace
}  // namespace keel::memory
