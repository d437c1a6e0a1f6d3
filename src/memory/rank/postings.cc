#include "memory/rank/postings.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/limits.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

constexpr unsigned kFlags = 2;  // bits before those of the fields that belong to the caller
constexpr std::uint64_t kOthersSeq = 1;
constexpr std::uint64_t kDistrusted = 2;

Error broken_list(std::string_view term) {
  return Error{Code::corrupt,
               fmt::format("The memory's index of the word '{}' is damaged.", term),
               "Run `keel doctor`.",
               {}};
}

Status unpack(std::string_view term, const PackedList::Piece& piece, std::vector<Posting>& out) {
  PostingReader reader(piece.data, piece.first);
  Posting posting;
  while (reader.next(posting)) out.push_back(posting);
  if (reader.broken()) return tl::unexpected<Error>(broken_list(term));
  return {};
}

// Pieces of at most limits::memory_posting_bytes, cut between pages.
struct Packed {
  PackedList::Piece piece;
  std::int64_t pages = 0;
};
std::vector<Packed> pack(const std::vector<Posting>& postings) {
  std::vector<Packed> pieces;
  std::int64_t last = 0;
  for (const Posting& posting : postings) {
    const bool new_page = pieces.empty() || posting.page != last;
    if (pieces.empty() ||
        (new_page && pieces.back().piece.data.size() >= limits::memory_posting_bytes)) {
      pieces.push_back({{posting.page, {}}, 0});
      last = posting.page;
    }
    std::string& data = pieces.back().piece.data;
    append_varint(data, static_cast<std::uint64_t>(posting.page - last));
    append_counts(data, posting.tf,
                  (posting.seq != 0 ? kOthersSeq : 0) | (posting.distrusted ? kDistrusted : 0));
    if (posting.seq != 0) append_varint(data, posting.seq);
    append_varint(data, posting.tokens);
    pieces.back().pages += new_page ? 1 : 0;
    last = posting.page;
  }
  return pieces;
}

Status write_pieces(Connection& connection, std::string_view term,
                    const std::vector<Posting>& postings) {
  Statement insert = TRY(connection.prepare(
      "INSERT INTO posting(term, first, pages, data) VALUES(?1, ?2, ?3, CAST(?4 AS BLOB))"));
  for (const Packed& packed : pack(postings)) {
    insert.bind(1, term).bind(2, packed.piece.first).bind(3, packed.pages);
    TRY(insert.bind(4, packed.piece.data).run());
  }
  return {};
}

// The piece that a page belongs to: the last that begins at it or before, else the first of all.
Result<std::vector<PackedList::Piece>> piece_of(Connection& connection, std::string_view term,
                                                std::int64_t page) {
  std::vector<PackedList::Piece> found;
  for (const std::string_view sql :
       {"SELECT first, data FROM posting WHERE term = ?1 AND first <= ?2 ORDER BY first DESC LIMIT "
        "1",
        "SELECT first, data FROM posting WHERE term = ?1 AND first > ?2 ORDER BY first LIMIT 1"}) {
    Statement select = TRY(connection.prepare(sql));
    select.bind(1, term).bind(2, page);
    if (TRY(select.step())) {
      found.push_back({select.integer(0), select.text(1)});
      break;
    }
  }
  return found;
}

Result<std::int64_t> next_first(Connection& connection, std::string_view term, std::int64_t after) {
  Statement select = TRY(connection.prepare(
      "SELECT first FROM posting WHERE term = ?1 AND first > ?2 ORDER BY first LIMIT 1"));
  select.bind(1, term).bind(2, after);
  return TRY(select.step()) ? select.integer(0) : std::numeric_limits<std::int64_t>::max();
}

Status erase_piece(Connection& connection, std::string_view term, std::int64_t first) {
  Statement erase = TRY(connection.prepare("DELETE FROM posting WHERE term = ?1 AND first = ?2"));
  return erase.bind(1, term).bind(2, first).run();
}

}  // namespace

void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>((value & 0x7f) | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

bool take_varint(std::string_view& data, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !data.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(data.front());
    data.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// One number: bit 0 says that every count is 1, then the caller's two flags, then the fields.
void append_counts(std::string& out, const Counts& tf, std::uint64_t flags) {
  std::uint64_t head = flags << 1;
  bool ones = true;
  for (std::size_t f = 0; f < kFields; ++f) {
    if (tf[f] == 0) continue;
    head |= std::uint64_t{1} << (1 + kFlags + f);
    ones = ones && tf[f] == 1;
  }
  append_varint(out, head | (ones ? 1 : 0));
  if (ones) return;
  for (const std::uint8_t count : tf) {
    if (count > 0) out += static_cast<char>(count);
  }
}

bool take_counts(std::string_view& data, Counts& tf, std::uint64_t& flags) {
  std::uint64_t head = 0;
  if (!take_varint(data, head) || head >> (1 + kFlags + kFields) != 0) return false;
  flags = (head >> 1) & ((1u << kFlags) - 1);
  const bool ones = (head & 1) != 0;
  for (std::size_t f = 0; f < kFields; ++f) {
    tf[f] = 0;
    if ((head >> (1 + kFlags + f) & 1) == 0) continue;
    tf[f] = 1;
    if (ones) continue;
    if (data.empty()) return false;
    tf[f] = static_cast<std::uint8_t>(data.front());
    data.remove_prefix(1);
  }
  return true;
}

bool PostingReader::next(Posting& posting) {
  if (data_.empty() || broken_) return false;
  std::uint64_t delta = 0, flags = 0, seq = 0, tokens = 0;
  broken_ = !take_varint(data_, delta) || !take_counts(data_, posting.tf, flags) ||
            ((flags & kOthersSeq) != 0 && !take_varint(data_, seq)) || !take_varint(data_, tokens);
  if (broken_) return false;
  page_ += static_cast<std::int64_t>(delta);
  posting.page = page_;
  posting.seq = static_cast<std::uint32_t>(seq);
  posting.tokens = static_cast<std::uint32_t>(tokens);
  posting.distrusted = (flags & kDistrusted) != 0;
  return true;
}

Result<PackedList> read_packed(Connection& connection, std::string_view term) {
  Statement select = TRY(
      connection.prepare("SELECT first, data, pages FROM posting WHERE term = ?1 ORDER BY first"));
  select.bind(1, term);
  PackedList list;
  while (TRY(select.step())) {
    list.pieces.push_back({select.integer(0), select.text(1)});
    list.pages += select.integer(2);
  }
  return list;
}

Status add_postings(Connection& connection, std::string_view term,
                    const std::vector<Posting>& postings) {
  for (auto from = postings.begin(); from != postings.end();) {
    std::vector<Posting> merged;
    std::int64_t border = std::numeric_limits<std::int64_t>::max();
    for (const PackedList::Piece& piece : TRY(piece_of(connection, term, from->page))) {
      TRY(unpack(term, piece, merged));
      border = TRY(next_first(connection, term, std::max(piece.first, from->page)));
      TRY(erase_piece(connection, term, piece.first));
    }
    const auto to =
        std::find_if(from, postings.end(), [&](const Posting& one) { return one.page >= border; });
    const auto middle = static_cast<std::ptrdiff_t>(merged.size());
    merged.insert(merged.end(), from, to);
    std::inplace_merge(merged.begin(), merged.begin() + middle, merged.end(),
                       [](const Posting& a, const Posting& b) {
                         return std::pair(a.page, a.seq) < std::pair(b.page, b.seq);
                       });
    TRY(write_pieces(connection, term, merged));
    from = to;
  }
  return {};
}

Status remove_postings(Connection& connection, std::string_view term, std::int64_t page) {
  for (const PackedList::Piece& piece : TRY(piece_of(connection, term, page))) {
    std::vector<Posting> kept;
    TRY(unpack(term, piece, kept));
    std::erase_if(kept, [page](const Posting& one) { return one.page == page; });
    TRY(erase_piece(connection, term, piece.first));
    TRY(write_pieces(connection, term, kept));
  }
  return {};
}

}  // namespace keel::memory
