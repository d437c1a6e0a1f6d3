// The index of pages: segments, which words are in which of their fields, and the corpus figures.
// Segments are written at once and packed into the lists of their terms (postings.h) when
// limits::memory_waiting_segments of them wait. docs/formats/memory.md, "Index". Every function
// works inside the caller's transaction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "memory/rank/postings.h"
#include "store/statement.h"

namespace keel::memory {

// segment.id = page number * kSegmentsPerPage + position.
inline constexpr std::int64_t kSegmentsPerPage = 4096;
// Of what is written; an index of another version is made anew.
inline constexpr std::int64_t kIndexVersion = 1;

struct Corpus {
  std::int64_t seq = 0;  // grows with every change of what can be found
  std::int64_t pages = 0;
  std::int64_t segments = 0;
  std::int64_t tokens = 0;
};
Result<Corpus> corpus_of(store::Connection& connection);
// Adds the figures of `by` to the corpus row.
Status change_corpus(store::Connection& connection, const Corpus& by);

// Indexes the pages and their neighbours anew, each once.
Status index_pages(store::Connection& connection, const std::vector<std::int64_t>& numbers);
// Takes a page out; returns how many segments there were.
Result<std::int64_t> unindex_page(store::Connection& connection, std::int64_t number);
// Up to two pages before and two after in the same session, whose fields `near` and `far` hold this
// page's words.
Result<std::vector<std::int64_t>> neighbours_of(store::Connection& connection, std::int64_t number);

Result<bool> is_current(store::Connection& connection);
// Every page anew, as after a change of kIndexVersion.
Status index_everything(store::Connection& connection);
// Compares the packed lists with the segments' own records. Code::corrupt names the first
// difference.
Status check_index(store::Connection& connection);

// Reads what segment.words holds: a segment's words, sorted, each with its counts.
class WordReader {
 public:
  explicit WordReader(std::string_view packed) : packed_(packed) {}
  // False at the end; then `broken()` tells whether the bytes were not what they should be.
  bool next(std::string_view& word, Counts& tf);
  bool broken() const { return broken_; }

 private:
  std::string_view packed_;
  bool broken_ = false;
};
using WordCounts = std::vector<std::pair<std::string, Counts>>;
Result<WordCounts> unpack_words(std::string_view packed);
tl::unexpected<Error> broken_segment(std::int64_t id);

// A body in pieces of at most limits::memory_segment_bytes, cut at paragraphs, sentences or spaces.
// Never empty.
std::vector<std::string_view> segments_of(std::string_view body);

}  // namespace keel::memory
