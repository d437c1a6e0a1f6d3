// That passing over parts of long lists (rank/scan.h) changes nothing of what is found.
#include "memory/rank/scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "memory/fixture_test.h"

namespace keel::memory {
namespace {

class ScanTest : public TestMemory {
 protected:
  // Some words are in most pages, most are in a few; the tags of the frequent ones make the lists
  // of those long.
  void fill(int pages, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<NewPage> batch;
    for (int i = 0; i < pages; ++i) {
      NewPage page;
      for (int word = 0; word < 12; ++word) {
        const double uniform = static_cast<double>(random()) / static_cast<double>(random.max());
        page.body += "word" + std::to_string(static_cast<int>(std::pow(400.0, uniform))) + " ";
      }
      page.body += "page" + std::to_string(i);
      page.tags = {"word1", "word2"};
      page.gist = "word1 word3 word1";
      page.session = "s" + std::to_string(i / 10);
      page.origin = i % 7 == 0 ? "untrusted" : "owner";
      page.created_ms = 1'600'000'000'000 + i;
      batch.push_back(std::move(page));
    }
    for (const Result<Added>& added : MUST(memory().add_all(batch))) ASSERT_TRUE(added);
  }
  Scan found(std::string_view query, bool trusted_only, std::size_t long_list) {
    return MUST(database().read([&](store::Connection& connection) -> Result<Scan> {
      Terms terms = TRY(terms_of(connection, query, false, 0));
      return scan(connection, terms.terms, TRY(corpus_of(connection)), trusted_only, long_list);
    }));
  }
  std::size_t bytes_of(std::string_view term) {
    std::size_t bytes = 0;
    const PackedList list = MUST(database().read(
        [&](store::Connection& connection) { return read_packed(connection, term); }));
    for (const PackedList::Piece& piece : list.pieces) bytes += piece.data.size();
    return bytes;
  }
  // How many pages came out, the same with every bound.
  std::size_t compare(const std::string& query, std::initializer_list<std::size_t> bounds) {
    std::size_t pages = 0;
    for (const bool trusted_only : {false, true}) {
      const Scan whole = found(query, trusted_only, std::numeric_limits<std::size_t>::max());
      pages += whole.pages.size();
      for (const std::size_t bound : bounds) {
        const Scan skipped = found(query, trusted_only, bound);
        EXPECT_LE(skipped.candidates, whole.candidates);
        skips_ += skipped.candidates < whole.candidates ? 1 : 0;
        EXPECT_EQ(whole.pages.size(), skipped.pages.size()) << query;
        for (std::size_t i = 0; i < std::min(whole.pages.size(), skipped.pages.size()); ++i) {
          const Found &a = whole.pages[i], &b = skipped.pages[i];
          EXPECT_EQ(a.segment, b.segment) << query << " at " << i;
          EXPECT_EQ(a.own, b.own) << query << " at " << i;
          EXPECT_TRUE(a.tag == b.tag && a.speaker == b.speaker) << query << " at " << i;
        }
      }
    }
    return pages;
  }
  int skips_ = 0;
};

TEST_F(ScanTest, parts_of_lists_are_passed_over_without_changing_what_is_found) {
  fill(4000, 3);
  std::mt19937 random(5);
  for (int i = 0; i < 60; ++i) {
    std::string query;
    for (auto words = 2 + random() % 7; words > 0; --words)
      query += "word" + std::to_string(1 + random() % (i % 2 == 0 ? 12 : 300)) + " ";
    EXPECT_GT(compare(query, {0, 4096}), 0u);
  }
  EXPECT_GT(skips_, 20) << "else nothing was tried";
}

TEST_F(ScanTest, a_list_of_more_than_64_KiB_is_passed_over_where_it_can_change_nothing) {
  fill(11'000, 11);
  ASSERT_GT(bytes_of("word1"), kLongList);
  ASSERT_GT(bytes_of("word2"), kLongList);
  for (const char* query :
       {"word90 word1", "word60 word70 word80 word90 word1 word2", "word5 word7 word1 word2",
        "word1 word2", "word21 word22 word23 word24 word25 word26 word27 word28 word1"})
    EXPECT_GT(compare(query, {kLongList}), 0u);
  EXPECT_GT(skips_, 0) << "else nothing was passed over";
}

}  // namespace
}  // namespace keel::memory
