// The index of pages: segments, their rows in memory_fts, and the corpus figures. Every function
// works inside the caller's transaction.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "store/statement.h"

namespace keel::memory {

// segment.id = page number * kSegmentsPerPage + position.
inline constexpr std::int64_t kSegmentsPerPage = 4096;

struct Corpus {
  std::int64_t seq = 0;  // grows with every change of what can be found
  std::int64_t pages = 0;
  std::int64_t segments = 0;
  std::int64_t tokens = 0;
};
Result<Corpus> corpus_of(store::Connection& connection);
// Adds the figures of `by` to the corpus row.
Status change_corpus(store::Connection& connection, const Corpus& by);

// Writes the page's segments and index rows anew.
Status index_page(store::Connection& connection, std::int64_t number);
// Removes them; returns how many segments there were.
Result<std::int64_t> unindex_page(store::Connection& connection, std::int64_t number);

// The pages before and after in the same session, whose `near` field holds this page's words.
Result<std::vector<std::int64_t>> neighbours_of(store::Connection& connection, std::int64_t number);
// Indexes the pages and their neighbours, each once.
Status index_pages(store::Connection& connection, const std::vector<std::int64_t>& numbers);

// A body in pieces of at most limits::memory_segment_bytes, cut at paragraphs, sentences or spaces.
// Never empty.
std::vector<std::string_view> segments_of(std::string_view body);

}  // namespace keel::memory
