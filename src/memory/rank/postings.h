// The packed lists of the index: for each term the segments that hold it, how often in which field.
// docs/formats/memory.md, "Index", documents the bytes. Every function works inside the caller's
// transaction.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/statement.h"

namespace keel::memory {

inline constexpr std::size_t kFields = 8;
inline constexpr std::array<std::string_view, kFields> kFieldNames = {
    "body", "near", "far", "title", "day", "gist", "tags", "speaker"};
enum Field : std::size_t { kBody, kNear, kFar, kTitle, kDay, kGist, kTags, kSpeaker };

// How often a term is in each field; 255 stands for more too.
using Counts = std::array<std::uint8_t, kFields>;

struct Posting {
  std::int64_t page = 0;
  std::uint32_t seq = 0;  // of the segment in its page
  std::uint32_t tokens = 0;
  bool distrusted = false;  // of origin untrusted or import
  Counts tf = {};
};

// A number as 1 to 10 bytes, seven bits each, the lowest first.
void append_varint(std::string& out, std::uint64_t value);
// False at the end of `data` and on bytes that are no number.
bool take_varint(std::string_view& data, std::uint64_t& value);
// Which fields hold it and how often.
void append_counts(std::string& out, const Counts& tf, std::uint64_t flags);
bool take_counts(std::string_view& data, Counts& tf, std::uint64_t& flags);

// Reads one packed piece.
class PostingReader {
 public:
  PostingReader(std::string_view data, std::int64_t first) : data_(data), page_(first) {}
  // False at the end; then `broken()` tells whether the bytes were not what they should be.
  bool next(Posting& posting);
  bool broken() const { return broken_; }

 private:
  std::string_view data_;
  std::int64_t page_;
  bool broken_ = false;
};

// One term's list as it lies in the table.
struct PackedList {
  struct Piece {
    std::int64_t first = 0;  // its first page
    std::string data;
  };
  std::vector<Piece> pieces;
  std::int64_t pages = 0;  // different pages in it
};
Result<PackedList> read_packed(store::Connection& connection, std::string_view term);

// `postings` by page and seq, of pages that the term's list does not hold.
Status add_postings(store::Connection& connection, std::string_view term,
                    const std::vector<Posting>& postings);
// Takes a page out of a term's list.
Status remove_postings(store::Connection& connection, std::string_view term, std::int64_t page);

}  // namespace keel::memory
