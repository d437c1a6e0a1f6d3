#include "memory/rank/ranker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "base/hash.h"
#include "base/limits.h"
#include "memory/fixture_test.h"
#include "memory/rank/query.h"
#include "memory/rank/scan.h"
#include "memory/text/porter.h"

namespace keel::memory {
namespace {

using namespace std::string_view_literals;
using ::testing::Contains;
using ::testing::ElementsAre;

class RankerTest : public TestMemory {
 protected:
  void expect_sums(const Retrieval& retrieval) {
    double last = std::numeric_limits<double>::infinity();
    for (const Hit& hit : retrieval.hits) {
      double sum = 0.0;
      for (const Contribution& one : hit.contributions) {
        EXPECT_TRUE(std::isfinite(one.value));
        sum += one.value;
      }
      EXPECT_LT(std::abs(sum - hit.score), 1e-9);
      EXPECT_FALSE(hit.contributions.empty());
      EXPECT_LE(hit.score, last) << "best first";
      last = hit.score;
    }
  }
};

std::string random_text(std::mt19937& random, unsigned words) {
  static constexpr const char* kWords[] = {"boat",   "went",   "harbour", "time", "children",
                                           "buying", "我的船", "café",    "the",  "is",
                                           "run",    "ran",    "2026",    "zeta", "called"};
  std::string text;
  for (auto i = random() % words + 1; i > 0; --i)
    text += random() % 3 ? std::string(kWords[random() % std::size(kWords)]) + " "
                         : "w" + std::to_string(random() % 40) + (random() % 5 ? " " : ". ");
  return text;
}

// ---- what is found

TEST_F(RankerTest, one_page_is_found_and_has_a_score_above_zero) {
  say("My boat is called Ariadne.");
  const Retrieval found = search("What is my boat called?");
  ASSERT_EQ(found.hits.size(), 1u);
  EXPECT_GT(found.hits[0].score, 0.1) << "FTS5's own idf would make this 1e-6";
  expect_sums(found);
  ASSERT_EQ(found.terms.size(), 2u);
  EXPECT_EQ(found.terms[0].term, "boat");
  EXPECT_EQ(found.terms[1].term, "call");
  EXPECT_EQ(found.terms[0].df, 1);
  EXPECT_NEAR(found.terms[0].idf, std::log(1.0 + 0.5 / 1.5), 1e-12);
}

TEST_F(RankerTest, an_empty_memory_and_an_empty_question_give_an_empty_result) {
  EXPECT_TRUE(search("boat").hits.empty());
  EXPECT_TRUE(search("").hits.empty());
  say("My boat is called Ariadne.");
  EXPECT_TRUE(search("").hits.empty());
  EXPECT_TRUE(search("?!").hits.empty());
  EXPECT_TRUE(search("pottery").hits.empty());
}

TEST_F(RankerTest, stems_irregular_forms_accents_and_pairs_meet) {
  say("We went sailing with the children.");
  say("Am Café gibt es guten Kuchen.");
  say("我的船叫阿里阿德涅");
  EXPECT_EQ(search("sail").hits.size(), 1u);
  const Retrieval irregular = search("when did we go out with a child");
  ASSERT_EQ(irregular.hits.size(), 1u);
  bool form = false;
  for (const QueryTerm& term : irregular.terms)
    form |= term.source == "form" && term.weight == kFormWeight;
  EXPECT_TRUE(form);
  EXPECT_EQ(search("CAFE").hits.size(), 1u);
  EXPECT_EQ(search("我的船叫什么").hits.size(), 1u);
  EXPECT_EQ(search("船").hits.size(), 1u);
}

TEST_F(RankerTest, an_alias_of_the_owner_changes_the_next_search) {
  say("The vessel needs new paint.");
  EXPECT_TRUE(search("boat").hits.empty());
  MUST(memory().set_alias("boat", "vessel"));
  EXPECT_EQ(search("boats").hits.size(), 1u);
  MUST(memory().set_alias("boat", "vessel", 0.0));
  EXPECT_TRUE(search("boat").hits.empty());
  EXPECT_FALSE(memory().set_alias("two words", "vessel"));
  EXPECT_FALSE(memory().set_alias("boat", ""));
  EXPECT_FALSE(memory().set_alias("boat", "vessel", std::nan("")));
}

TEST_F(RankerTest, title_counts_more_than_body_and_rare_words_more_than_common_ones) {
  NewPage title, body;
  title.title = "Pottery";
  title.body = "Every Tuesday evening in the village hall.";
  body.title = "Tuesday";
  body.body = "In the evening some pottery perhaps.";
  MUST(memory().add(body));
  const Page best = MUST(memory().add(title)).page;
  for (int i = 0; i < 20; ++i) say("The evening number " + std::to_string(i));
  EXPECT_EQ(search("pottery").hits.at(0).page_id, best.id);
  const Retrieval mixed = search("evening pottery");
  EXPECT_GT(mixed.terms[1].idf, mixed.terms[0].idf);
}

TEST_F(RankerTest, neighbours_of_a_session_lend_their_words_but_cannot_be_injected_by_them) {
  say("We looked at the lighthouse.", "trip");
  const Page after = say("It was closed on Mondays.", "trip");
  say("Unrelated remark.", "other");
  const Retrieval found = search("lighthouse");
  EXPECT_EQ(found.hits.size(), 2u);
  EXPECT_EQ(found.hits[1].page_id, after.id);
  EXPECT_EQ(found.hits[1].contributions[0].field, "near");
  EXPECT_EQ(recall("the lighthouse").hits.size(), 1u);
}

TEST_F(RankerTest, a_long_page_is_found_by_its_best_piece) {
  NewPage page;
  page.title = "Log";
  for (int i = 0; i < 300; ++i) page.body += "Calm sea and light wind. ";
  page.body += "\n\nThe rudder broke near Helgoland.\n\n";
  for (int i = 0; i < 300; ++i) page.body += "Calm sea and light wind. ";
  MUST(memory().add(page));
  const Retrieval found = search("rudder");
  ASSERT_EQ(found.hits.size(), 1u) << "one page, however many pieces match";
  EXPECT_THAT(found.hits[0].snippet, ::testing::HasSubstr("rudder broke near Helgoland"));
  EXPECT_EQ(found.terms[0].df, 1) << "pages, not pieces";
}

// ---- what is relevant enough for a prompt

TEST_F(RankerTest, what_is_asked_is_injected_and_what_only_shares_small_words_is_not) {
  for (const char* fact : {"My boat is called Ariadne.", "My dog is called Rex.",
                           "I spend a lot of time with my kids.", "My name is Jonas.",
                           "I live in Bremen.", "I work at the harbour.",
                           "The spare key hangs behind the boiler.", "I prefer tea to coffee.",
                           "My flat has the number 17.", "We meet at the pier on Saturday."})
    say(fact);
  const auto first = [&](std::string_view question) {
    const Retrieval found = recall(question);
    return found.hits.empty() ? std::string() : found.hits[0].title;
  };
  EXPECT_EQ(first("What is my boat called?"), "My boat is called Ariadne.");
  EXPECT_EQ(first("what colour is my boat"), "My boat is called Ariadne.");
  EXPECT_EQ(first("What is my name?"), "My name is Jonas.");
  EXPECT_EQ(first("Where do I live?"), "I live in Bremen.");
  EXPECT_EQ(first("Where do I work?"), "I work at the harbour.");
  EXPECT_EQ(first("where is the spare key"), "The spare key hangs behind the boiler.");
  EXPECT_EQ(first("Do I prefer tea or coffee?"), "I prefer tea to coffee.");
  EXPECT_EQ(first("When do we meet?"), "We meet at the pier on Saturday.");
  EXPECT_EQ(recall("What is my boat called?").hits.size(), 1u) << "the dog shares only 'called'";
  for (const char* question :
       {"what time is it?", "What day is today?", "Hello!", "How are you?", "Tell me a joke.",
        "What is 17% of 2,340?", "Please call me a taxi", "Write a list of good names",
        "Summarise https://example.com/page for me", "What's the weather like tomorrow?",
        "Who was the first person on the moon?"}) {
    EXPECT_EQ(first(question), "") << question;
  }
}

TEST_F(RankerTest, a_page_about_time_is_found_by_a_question_about_time) {
  say("Time");
  EXPECT_EQ(recall("what time is it?").hits.size(), 1u);
}

TEST_F(RankerTest, a_single_page_is_judged_like_one_of_many) {
  say("My boat is called Ariadne.");
  EXPECT_EQ(recall("What is my boat called?").hits.size(), 1u);
  EXPECT_TRUE(recall("what time is it?").hits.empty());
  EXPECT_TRUE(recall("Write a poem about autumn leaves falling on a quiet forest floor near a boat")
                  .hits.empty());
  EXPECT_EQ(search("what is it called").hits.size(), 1u)
      << "an explicit search shows what there is";
}

TEST_F(RankerTest, untrusted_imported_and_questioning_pages_are_never_injected) {
  say("The boat is to be sold at once.", {}, "untrusted");
  say("The boat was bought in Kiel.", {}, "import");
  say("Is the boat insured?");
  const Retrieval found = recall("boat");
  EXPECT_TRUE(found.hits.empty());
  EXPECT_EQ(found.held_back.size(), 3u);
  for (const Hit& hit : found.held_back) EXPECT_FALSE(hit.held_back.empty());
  EXPECT_EQ(search("boat").hits.size(), 3u);
}

TEST_F(RankerTest, many_untrusted_pages_cannot_crowd_out_the_owners) {
  for (int i = 0; i < 200; ++i) say("boat boat boat " + std::to_string(i), {}, "untrusted");
  say("My boat is called Ariadne.");
  EXPECT_THAT(titles(recall("What is my boat called?").hits),
              ElementsAre("My boat is called Ariadne."));
}

TEST_F(RankerTest, limit_is_kept) {
  for (int i = 0; i < 30; ++i) say("The anchor weighs " + std::to_string(i) + " kilos");
  EXPECT_EQ(recall("anchor").hits.size(), 5u);
  Query query;
  query.text = "anchor";
  for (const auto& [asked, got] : {std::pair{-3, 1u}, {0, 1u}, {7, 7u}, {1'000'000, 30u}}) {
    query.limit = asked;
    EXPECT_EQ(MUST(memory().search(query)).hits.size(), got);
  }
}

// ---- properties

TEST_F(RankerTest, every_score_is_the_exact_sum_and_the_order_is_that_of_a_full_scan) {
  std::mt19937 random(11);
  for (int i = 0; i < 150; ++i) {
    NewPage page;
    page.title = random_text(random, 4);
    page.body = random_text(random, i % 10 == 0 ? 900 : 40);
    if (random() % 3 == 0) page.tags = {random_text(random, 2)};
    if (random() % 2) page.session = "s" + std::to_string(random() % 3);
    page.pinned = random() % 7 == 0;
    MUST(memory().add(page));
    clock_.advance(std::chrono::milliseconds(random() % 3));
  }
  for (int round = 0; round < 60; ++round) {
    const std::string text = random_text(random, 8);
    Query query;
    query.text = text;
    query.limit = limits::memory_hits;
    const Retrieval all = MUST(memory().search(query));
    expect_sums(all);
    query.limit = 3;
    const Retrieval few = MUST(memory().search(query));
    ASSERT_EQ(few.hits.size(), std::min<std::size_t>(3, all.hits.size()));
    for (std::size_t i = 0; i < few.hits.size(); ++i) {
      EXPECT_EQ(few.hits[i].page_id, all.hits[i].page_id) << "pruning must not change the order";
      EXPECT_EQ(few.hits[i].score, all.hits[i].score);
    }
  }
}

TEST_F(RankerTest, the_formula_of_the_document_gives_the_stored_values) {
  NewPage page;
  page.title = "Pottery class";
  page.body = "Every Tuesday: pottery, and more pottery";
  page.tags = {"pottery"};
  page.speaker = "Melanie";
  page.day = "2023-05-08";
  page.session = "s";
  MUST(memory().add(page));
  say("Something else entirely here", "s");
  const Retrieval found = search("pottery Melanie 2023");
  ASSERT_EQ(found.hits.size(), 2u);
  const double idf_both = std::log(1.0 + (2 - 2 + 0.5) / 2.5);
  const double idf_one = std::log(1.0 + (2 - 1 + 0.5) / 1.5);
  const double tokens = 2 + 6 + 1 + 4, other_tokens = 4 + 6;
  const double average = (tokens + other_tokens) / 2;
  const auto value = [&](double idf, double w, double length) {
    return idf * w * 2.2 / (w + 1.2 * (0.25 + 0.75 * length / average));
  };
  const double w = 4 * 2 + 5 * 1 + 3 * 1;
  const double pottery = value(idf_both, w, tokens);
  const double speaker = value(idf_one, 1, tokens), day = value(idf_one, 2, tokens);
  const double other = value(idf_both, 2 * 1.0, other_tokens);
  const double own = pottery + speaker + day;
  const std::vector<std::pair<std::string, double>> expected = {{"body", pottery * 8 / w},
                                                                {"title", pottery * 5 / w},
                                                                {"tags", pottery * 3 / w},
                                                                {"speaker", speaker},
                                                                {"day", day},
                                                                {"boost", 0.3 * other},
                                                                {"boost", 0.1 * own},
                                                                {"boost", 0.1 * own}};
  const Hit& best = found.hits[0];
  ASSERT_EQ(best.contributions.size(), expected.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(best.contributions[i].field, expected[i].first);
    EXPECT_NEAR(best.contributions[i].value, expected[i].second, 1e-12) << i;
    sum += expected[i].second;
  }
  EXPECT_EQ(best.contributions[0].tf, 2);
  EXPECT_EQ(best.contributions[5].term, "session");
  EXPECT_NEAR(best.score, sum, 1e-12);
  EXPECT_NEAR(found.hits[1].score, other + 0.3 * own, 1e-12);
}

TEST_F(RankerTest, a_question_lends_twice_to_its_answer_and_farther_pages_lend_less) {
  say("What is the lighthouse called?", "s");
  say("Roter Sand.", "s");
  say("It was built in 1885.", "s");
  const Retrieval found = search("lighthouse");
  ASSERT_EQ(found.hits.size(), 3u);
  EXPECT_EQ(found.hits[1].title, "Roter Sand.");
  EXPECT_EQ(found.hits[1].contributions[0].tf, 2);
  EXPECT_EQ(found.hits[2].contributions[0].field, "far");
}

TEST_F(RankerTest, days_are_found_as_they_are_said) {
  clock_.advance(std::chrono::milliseconds(1'795'608'000'000 - clock_.wall_ms()));  // 2026-11-25
  const auto on = [&](const char* day, const char* text) {
    NewPage page;
    page.body = text;
    page.day = day;
    return MUST(memory().add(page)).page.title;
  };
  const std::string may = on("2026-05", "Painted the hull.");
  const std::string old = on("2025-05-03", "Sailed to Norway.");
  const std::string eve = on("2026-11-24", "Met Ole at the pier.");
  on("2024-01-01", "Started a diary.");
  const auto first = [&](std::string_view question) {
    const Retrieval found = search(question);
    return found.hits.empty() ? std::string() : found.hits[0].title;
  };
  EXPECT_EQ(first("what happened last May?"), may);
  EXPECT_EQ(first("what did I do in May 2025"), old);
  EXPECT_EQ(first("what was on May 3rd, 2025?"), old);
  EXPECT_EQ(first("2025-05-03"), old);
  EXPECT_EQ(first("what did I do yesterday?"), eve);
  EXPECT_EQ(first("and last week?"), eve);
  EXPECT_EQ(first("what was a day ago?"), eve);
  const Retrieval recalled = recall("what did I do yesterday?");
  ASSERT_EQ(recalled.hits.size(), 1u);
  EXPECT_EQ(recalled.hits[0].title, eve);
  EXPECT_EQ(recalled.terms.back().source, "date");
}

TEST_F(RankerTest, a_page_whose_time_is_over_is_held_back_from_turns) {
  NewPage page;
  page.body = "The gate code is 4711.";
  page.valid_to = "2025-12";
  MUST(memory().add(page));
  const Retrieval found = recall("what is the gate code");
  ASSERT_EQ(found.held_back.size(), 1u);
  EXPECT_EQ(found.held_back[0].held_back, "it was valid until 2025-12");
  EXPECT_EQ(search("gate code").hits.size(), 1u);
}

// The lists as they are packed, against a search over every segment's own record.
TEST_F(RankerTest, packed_lists_say_what_the_segments_say_through_many_changes) {
  std::mt19937 random(3);
  std::vector<std::string> ids;
  for (int round = 0; round < 6; ++round) {
    std::vector<NewPage> pages(120);
    for (NewPage& page : pages) {
      page.body = random_text(random, random() % 20 == 0 ? 900 : 30);
      page.session = "s" + std::to_string(random() % 5);
      page.created_ms = 1'700'000'000'000 + static_cast<WallMs>(random() % 1'000'000);
      page.origin = random() % 4 == 0 ? "untrusted" : "owner";
    }
    for (const Result<Added>& added : MUST(memory().add_all(pages))) ids.push_back(added->page.id);
    for (int i = 0; i < 25; ++i) {
      const std::string& id = ids[random() % ids.size()];
      if (!memory().get(id)) continue;
      if (random() % 2) {
        MUST(memory().forget(id));
      } else {
        NewPage change;
        change.body = random_text(random, 60);
        MUST(memory().edit(id, change, "owner"));
      }
    }
    const Status checked = memory().verify();
    ASSERT_TRUE(checked) << checked.error().text();
  }
  EXPECT_GT(count("SELECT count(*) FROM posting"), 50);
  EXPECT_GT(count("SELECT count(*) FROM segment WHERE packed = 1"), 300);
  MUST(database().write([](store::Connection& connection) {
    return connection.execute(
        "UPDATE posting SET data = x'ffffff' WHERE term = (SELECT max(term) FROM posting)");
  }));
  EXPECT_EQ(memory().verify().error().code, Code::corrupt);
}

TEST_F(RankerTest, no_text_is_a_query_error) {
  say("My boat is called \"Ariadne\" AND NOT NEAR(the pier, 5) title:x ^boat*");
  std::vector<std::string> texts = {"\"",
                                    "'",
                                    "\"\"\"",
                                    "a AND",
                                    "AND OR NOT",
                                    "NEAR(",
                                    "NEAR(a b, 5)",
                                    "boat*",
                                    "^boat",
                                    "title:boat",
                                    "{title body}: x",
                                    "-boat",
                                    "+boat",
                                    "(((((",
                                    ")",
                                    "boat)",
                                    "a\"b",
                                    "'; DROP TABLE page; --",
                                    "%",
                                    "_",
                                    "\\",
                                    "What's MoMA (NY)?",
                                    std::string("nul\0boat", 8),
                                    "\xff\xfe boat",
                                    "boat\xc3",
                                    "\n\t\r",
                                    "💥 boat 💥",
                                    std::string(1, '\0'),
                                    "col : x",
                                    "boat NOT",
                                    "*",
                                    ":",
                                    "?1",
                                    "\xed\xa0\x80"};
  std::mt19937 random(5);
  constexpr std::string_view kAlphabet = "\"'*^():{}-+ANDORNOTEAR bo\\%?,;\0\xff\xc3\xa9~"sv;
  for (int i = 0; i < 400; ++i) {
    std::string text;
    for (auto n = random() % 40; n > 0; --n) text += kAlphabet[random() % kAlphabet.size()];
    texts.push_back(text);
  }
  for (const std::string& text : texts) {
    Query query;
    query.text = text;
    const auto found = memory().search(query);
    ASSERT_TRUE(found) << found.error().text() << " for " << text;
    expect_sums(*found);
    const auto stored = MUST(memory().why(found->id));
    ASSERT_EQ(stored.size(), 1u);
  }
}

TEST_F(RankerTest, a_text_of_a_megabyte_is_bounded_and_says_what_it_left_out) {
  say("My boat is called Ariadne.");
  std::string text = "About my boat: ";
  for (int i = 0; text.size() < (1u << 20); ++i) text += "word" + std::to_string(i) + " ";
  text += " and what is the zanzibar?";
  const Retrieval found = search(text);
  EXPECT_EQ(found.terms.size(), limits::memory_query_terms);
  EXPECT_EQ(found.terms.front().term, "boat");
  EXPECT_EQ(found.terms.back().term, "zanzibar") << "the end of a long text is read too";
  EXPECT_GT(found.left_out_count, 1000);
  EXPECT_THAT(found.left_out, Contains("word40"));
  EXPECT_LE(found.query.size(), limits::memory_query_kept_bytes);
  EXPECT_EQ(MUST(memory().why(found.id)).at(0).left_out_count, found.left_out_count);
}

// SQLite has a porter stemmer of its own: an independent witness. (It takes a doubled vowel for a
// doubled consonant, against the description, so no stem here ends in one.)
TEST_F(RankerTest, porter_agrees_with_another_implementation) {
  constexpr const char* kStems[] = {"relat", "happ", "sail",  "agre", "control", "plan", "tr",
                                    "hop",   "rat",  "gener", "oper", "conform", "sens", "form",
                                    "b",     "fall", "siz",   "mot",  "electr"};
  constexpr const char* kEnds[] = {
      "",        "e",     "s",     "es",      "ed",      "ing",  "y",     "ies",   "ational",
      "ation",   "ator",  "ness",  "fulness", "ousness", "ment", "ement", "ize",   "izer",
      "ization", "able",  "ible",  "ance",    "ence",    "er",   "ers",   "ic",    "ical",
      "ally",    "ously", "ively", "iveness", "al",      "ous",  "ent",   "ently", "ant",
      "ion",     "sion",  "tion",  "ism",     "ist",     "ate",  "iti",   "ive",   "ful",
      "less",    "ll",    "eed",   "eeds",    "bl",      "ess",  "esses", "ying"};
  MUST(database().write([&](store::Connection& c) -> Status {
    TRY(
        c.execute("CREATE VIRTUAL TABLE w USING fts5(x, tokenize = 'porter ascii');"
                  "CREATE VIRTUAL TABLE v USING fts5vocab(w, instance);"));
    store::Statement insert = TRY(c.prepare("INSERT INTO w(rowid, x) VALUES(?1, ?2)"));
    std::int64_t row = 0;
    for (const char* stem : kStems) {
      for (const char* end : kEnds)
        TRY(insert.bind(1, ++row).bind(2, std::string(stem) + end).run());
    }
    return {};
  }));
  MUST(database().read([&](store::Connection& c) -> Status {
    store::Statement select = TRY(c.prepare("SELECT doc, term FROM v"));
    while (TRY(select.step())) {
      const auto at = static_cast<std::size_t>(select.integer(0) - 1);
      const std::string word =
          std::string(kStems[at / std::size(kEnds)]) + kEnds[at % std::size(kEnds)];
      EXPECT_EQ(porter_stem(word), select.text(1)) << word;
    }
    return {};
  }));
}

}  // namespace
}  // namespace keel::memory
