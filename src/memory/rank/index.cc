#include "memory/rank/index.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/text/dates.h"
#include "memory/text/sentences.h"
#include "memory/text/words.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

constexpr std::size_t kReach = 2;                // segments before and after that lend their words
constexpr std::size_t kCachedBytes = 64u << 20;  // of pages' words, while many are indexed

// Where a piece of at most `bytes` bytes of `text` should end.
std::size_t cut_at(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text.size();
  const std::string_view head = utf8_prefix(text, bytes);
  for (const std::string_view border : {"\n\n", "\n", ". ", "! ", "? ", "。", " "}) {
    const std::size_t at = head.rfind(border);
    if (at != std::string_view::npos && at + border.size() > bytes / 2) return at + border.size();
  }
  return head.size();
}

void count(std::unordered_map<std::string, Counts>& counts, const std::string& stem, Field field,
           std::uint32_t times) {
  std::uint8_t& tf = counts[stem][field];
  tf = static_cast<std::uint8_t>(std::min<std::uint32_t>(255, tf + times));
}

// The words of one piece of a body, counted once however often they are needed.
struct Piece {
  std::string text;
  std::vector<std::pair<std::string, std::uint32_t>> words;
  std::uint32_t size = 0;
  bool asks = false;
};

Piece piece_of(std::string_view text) {
  Piece piece;
  piece.text = text;
  std::unordered_map<std::string, std::uint32_t> counts;
  for (Word& word : words_of(text, Use::index)) {
    ++piece.size;
    ++counts[std::move(word.stem)];
  }
  piece.words.assign(counts.begin(), counts.end());
  piece.asks = text.find('?') != std::string_view::npos ||
               text.find("\xef\xbc\x9f") != std::string_view::npos;
  return piece;
}

using Pieces = std::shared_ptr<const std::vector<Piece>>;

// A title that only repeats how the text begins says nothing of its own.
bool repeats(std::string_view title, std::string_view body) {
  std::string shown = fold_case(title);
  if (shown.ends_with("…")) shown.resize(shown.size() - std::string_view("…").size());
  while (body.starts_with('#') || body.starts_with(' ')) body.remove_prefix(1);
  return fold_case(body.substr(0, 2 * limits::memory_title_bytes)).starts_with(trim(shown));
}

// Where a page stands among those of its session.
struct Place {
  std::string session;
  WallMs created_ms = 0;
  bool journal = false;
};

struct PageText {
  Place place;
  std::string title, body, gist, speaker, day, aliases, tags;
  std::int64_t rev = 0;
  bool distrusted = false;
};

Result<PageText> text_of(Connection& connection, std::int64_t number) {
  Statement select = TRY(connection.prepare(
      "SELECT title, body, session, gist, speaker, day, aliases, (SELECT group_concat(tag, ' ') "
      "FROM tag WHERE tag.page = page.number), rev, created_ms, origin IN ('untrusted', 'import'), "
      "kind = 'journal' FROM page WHERE number = ?1"));
  select.bind(1, number);
  if (!TRY(select.step())) return fail(Code::internal, "A page to be indexed is not there.");
  PageText page;
  page.place = {select.text(2), select.integer(9), select.integer(11) != 0};
  page.title = select.text(0);
  page.body = select.text(1);
  page.gist = select.text(3);
  page.speaker = select.text(4);
  page.day = select.text(5);
  page.aliases = join(json_texts(parse_json(select.text(6), "aliases").value_or(Json())), " ");
  page.tags = select.text(7);
  page.rev = select.integer(8);
  page.distrusted = select.integer(10) != 0;
  return page;
}

// With kReach as it stands: a LIMIT that is bound makes SQLite prepare the statement anew each
// time. Days of a journal are each other's neighbours: a page that grows all day long would have
// those beside it indexed anew each time, and lend them words of other matters.
static_assert(kReach == 2);
constexpr std::string_view kBefore =
    "SELECT number FROM page WHERE session = ?1 AND session <> '' AND (created_ms, number) < "
    "(?2, ?3) AND (kind = 'journal') = ?4 ORDER BY created_ms DESC, number DESC LIMIT 2";
constexpr std::string_view kAfter =
    "SELECT number FROM page WHERE session = ?1 AND session <> '' AND (created_ms, number) > "
    "(?2, ?3) AND (kind = 'journal') = ?4 ORDER BY created_ms, number LIMIT 2";

// The nearest first.
Result<std::vector<std::int64_t>> beside(Connection& connection, std::string_view sql,
                                         const Place& at, std::int64_t number) {
  std::vector<std::int64_t> found;
  if (at.session.empty()) return found;
  Statement select = TRY(connection.prepare(sql));
  select.bind(1, at.session).bind(2, at.created_ms).bind(3, number).bind(4, at.journal);
  while (TRY(select.step())) found.push_back(select.integer(0));
  return found;
}

std::string pack_words(const std::unordered_map<std::string, Counts>& counts) {
  std::vector<const std::pair<const std::string, Counts>*> sorted;
  for (const auto& one : counts) sorted.push_back(&one);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  std::string out;
  for (const auto* one : sorted) {
    append_varint(out, one->first.size());
    out += one->first;
    append_counts(out, one->second, 0);
  }
  return out;
}

class Indexer {
 public:
  explicit Indexer(Connection& connection) : connection_(connection) {}
  // Returns how many segments the page has.
  Result<std::size_t> index(std::int64_t number);

 private:
  Result<Pieces> pieces(std::int64_t number);
  Status lend(const PageText& page, std::int64_t number);
  void fill(const PageText& page, std::size_t i);
  Status write(const PageText& page, std::int64_t number, std::size_t i, Corpus& grown);

  Connection& connection_;
  std::unordered_map<std::int64_t, Pieces> cache_;
  std::size_t cached_bytes_ = 0;
  std::vector<Pieces> held_;       // whose pieces are in row_
  std::vector<const Piece*> row_;  // the page's pieces with those before and after it
  std::size_t first_ = 0;          // where its own begin
  std::unordered_map<std::string, Counts> counts_;
  std::uint32_t tokens_ = 0;
};

Result<Pieces> Indexer::pieces(std::int64_t number) {
  if (const auto known = cache_.find(number); known != cache_.end()) return known->second;
  Statement select = TRY(connection_.prepare("SELECT body FROM page WHERE number = ?1"));
  select.bind(1, number);
  const std::string body = TRY(select.step()) ? select.text(0) : std::string();
  auto made = std::make_shared<std::vector<Piece>>();
  for (const std::string_view text : segments_of(without_frame(body)))
    made->push_back(piece_of(text));
  cached_bytes_ += 8 * body.size() + 512;
  if (cached_bytes_ > kCachedBytes) {
    cache_.clear();
    cached_bytes_ = 0;
  }
  return cache_.emplace(number, std::move(made)).first->second;
}

// Lines up the page's pieces with those around it.
Status Indexer::lend(const PageText& page, std::int64_t number) {
  held_.clear();
  row_.clear();
  std::vector<const Piece*> before;
  for (const std::int64_t other : TRY(beside(connection_, kBefore, page.place, number))) {
    held_.push_back(TRY(pieces(other)));
    for (auto it = held_.back()->rbegin(); it != held_.back()->rend() && before.size() < kReach;
         ++it)
      before.push_back(&*it);
  }
  row_.assign(before.rbegin(), before.rend());
  first_ = row_.size();
  held_.push_back(TRY(pieces(number)));
  for (const Piece& piece : *held_.back()) row_.push_back(&piece);
  std::size_t after = 0;
  for (const std::int64_t other : TRY(beside(connection_, kAfter, page.place, number))) {
    held_.push_back(TRY(pieces(other)));
    for (auto it = held_.back()->begin(); it != held_.back()->end() && after < kReach;
         ++it, ++after)
      row_.push_back(&*it);
  }
  return {};
}

// The words of the segment at row_[i]. What a question asks counts twice for what follows it.
void Indexer::fill(const PageText& page, std::size_t i) {
  counts_.clear();
  tokens_ = 0;
  const auto add = [&](std::string_view text, Field field, bool counts_as_length) {
    for (const Word& word : words_of(text, Use::index)) {
      count(counts_, word.stem, field, 1);
      tokens_ += counts_as_length ? 1 : 0;
    }
  };
  const auto add_piece = [&](const Piece& piece, Field field, std::uint32_t times) {
    for (const auto& [stem, n] : piece.words) count(counts_, stem, field, n * times);
    if (field != kFar) tokens_ += piece.size;
  };
  if (!repeats(page.title, without_frame(page.body))) add(page.title, kTitle, true);
  add(page.aliases, kTitle, true);
  add(page.tags, kTags, true);
  add(page.gist, kGist, true);
  add(page.speaker, kSpeaker, false);
  for (const std::string& token : day_tokens(page.day)) count(counts_, token, kDay, 1);
  add_piece(*row_[i], kBody, 1);
  if (i >= 1) add_piece(*row_[i - 1], kNear, row_[i - 1]->asks ? 2 : 1);
  if (i + 1 < row_.size()) add_piece(*row_[i + 1], kNear, 1);
  if (i >= 2) add_piece(*row_[i - 2], kFar, 1);
  if (i + 2 < row_.size()) add_piece(*row_[i + 2], kFar, 1);
}

Status Indexer::write(const PageText& page, std::int64_t number, std::size_t i, Corpus& grown) {
  const auto seq = static_cast<std::int64_t>(i - first_);
  Statement insert = TRY(connection_.prepare(
      "INSERT INTO segment(id, page, rev, seq, tokens, text, words) VALUES(?1, ?2, ?3, ?4, ?5, ?6, "
      "CAST(?7 AS BLOB))"));
  insert.bind(1, number * kSegmentsPerPage + seq).bind(2, number).bind(3, page.rev).bind(4, seq);
  insert.bind(5, static_cast<std::int64_t>(tokens_)).bind(6, row_[i]->text);
  TRY(insert.bind(7, pack_words(counts_)).run());
  grown.segments += 1;
  grown.tokens += tokens_;
  return {};
}

Result<std::size_t> Indexer::index(std::int64_t number) {
  TRY(unindex_page(connection_, number));
  const PageText page = TRY(text_of(connection_, number));
  TRY(lend(page, number));
  const std::size_t own = TRY(pieces(number))->size();
  KEEL_ASSERT(static_cast<std::int64_t>(own) <= kSegmentsPerPage);
  Corpus grown;
  for (std::size_t i = first_; i < first_ + own; ++i) {
    fill(page, i);
    TRY(write(page, number, i, grown));
  }
  TRY(change_corpus(connection_, grown));
  return own;
}

struct Waiting {
  std::int64_t segment = 0;
  std::uint32_t tokens = 0;
  bool distrusted = false;
  std::string words;
};

Result<std::vector<Waiting>> segments_where(Connection& connection, std::string_view condition) {
  Statement select =
      TRY(connection.prepare(fmt::format("SELECT s.id, s.tokens, p.origin IN ('untrusted', "
                                         "'import'), s.words FROM segment s JOIN page "
                                         "p ON p.number = s.page WHERE {} ORDER BY s.id",
                                         condition)));
  std::vector<Waiting> found;
  while (TRY(select.step()))
    found.push_back({select.integer(0), static_cast<std::uint32_t>(select.integer(1)),
                     select.integer(2) != 0, select.text(3)});
  return found;
}

using Lists = std::map<std::string, std::vector<Posting>>;

Result<Lists> lists_of(const std::vector<Waiting>& segments) {
  Lists lists;
  for (const Waiting& one : segments) {
    Result<WordCounts> words = unpack_words(one.words);
    if (!words) return broken_segment(one.segment);
    for (auto& [term, tf] : *words)
      lists[std::move(term)].push_back({one.segment / kSegmentsPerPage,
                                        static_cast<std::uint32_t>(one.segment % kSegmentsPerPage),
                                        one.tokens, one.distrusted, tf});
  }
  return lists;
}

Result<std::size_t> waiting_segments(Connection& connection) {
  Statement select = TRY(connection.prepare("SELECT count(*) FROM segment WHERE packed = 0"));
  return TRY(select.step()) ? static_cast<std::size_t>(select.integer(0)) : 0;
}

Status pack_waiting(Connection& connection) {
  const std::vector<Waiting> segments = TRY(segments_where(connection, "s.packed = 0"));
  for (const auto& [term, postings] : TRY(lists_of(segments)))
    TRY(add_postings(connection, term, postings));
  return connection.execute("UPDATE segment SET packed = 1 WHERE packed = 0");
}

}  // namespace

tl::unexpected<Error> broken_segment(std::int64_t id) {
  return fail(Code::corrupt, fmt::format("Segment {} of the memory's index is damaged.", id),
              "Run `keel doctor`.");
}

Result<Corpus> corpus_of(Connection& connection) {
  Statement select =
      TRY(connection.prepare("SELECT seq, pages, segments, tokens FROM corpus WHERE one = 1"));
  if (!TRY(select.step())) return fail(Code::corrupt, "The corpus row of the memory is missing.");
  return Corpus{select.integer(0), select.integer(1), select.integer(2), select.integer(3)};
}

// By its key: an UPDATE of possibly many rows keeps a journal of its own, and in a large
// transaction SQLite walks that from its beginning at every statement.
Status change_corpus(Connection& connection, const Corpus& by) {
  Statement update =
      TRY(connection.prepare("UPDATE corpus SET seq = seq + ?1, pages = pages + ?2, segments = "
                             "segments + ?3, tokens = tokens + ?4 WHERE one = 1"));
  return update.bind(1, by.seq).bind(2, by.pages).bind(3, by.segments).bind(4, by.tokens).run();
}

Result<std::int64_t> unindex_page(Connection& connection, std::int64_t number) {
  Corpus shrunk;
  std::set<std::string> terms;
  {
    Statement select =
        TRY(connection.prepare("SELECT id, tokens, packed, words FROM segment WHERE page = ?1"));
    select.bind(1, number);
    while (TRY(select.step())) {
      shrunk.segments -= 1;
      shrunk.tokens -= select.integer(1);
      if (select.integer(2) == 0) continue;
      Result<WordCounts> words = unpack_words(select.text(3));
      if (!words) return broken_segment(select.integer(0));
      for (auto& [term, tf] : *words) terms.insert(std::move(term));
    }
  }
  if (shrunk.segments == 0) return 0;
  for (const std::string& term : terms) TRY(remove_postings(connection, term, number));
  Statement erase = TRY(connection.prepare("DELETE FROM segment WHERE page = ?1"));
  TRY(erase.bind(1, number).run());
  TRY(change_corpus(connection, shrunk));
  return -shrunk.segments;
}

Result<std::vector<std::int64_t>> neighbours_of(Connection& connection, std::int64_t number) {
  Place place;
  {
    Statement select = TRY(connection.prepare(
        "SELECT session, created_ms, kind = 'journal' FROM page WHERE number = ?1"));
    select.bind(1, number);
    if (!TRY(select.step())) return fail(Code::internal, "A page to be indexed is not there.");
    place = {select.text(0), select.integer(1), select.integer(2) != 0};
  }
  std::vector<std::int64_t> found = TRY(beside(connection, kBefore, place, number));
  for (const std::int64_t other : TRY(beside(connection, kAfter, place, number)))
    found.push_back(other);
  return found;
}

Status index_pages(Connection& connection, const std::vector<std::int64_t>& numbers) {
  std::set<std::int64_t> all(numbers.begin(), numbers.end());
  for (const std::int64_t number : numbers) {
    for (const std::int64_t other : TRY(neighbours_of(connection, number))) all.insert(other);
  }
  Indexer indexer(connection);
  for (const std::int64_t number : all) TRY(indexer.index(number));
  if (TRY(waiting_segments(connection)) < limits::memory_waiting_segments) return {};
  return pack_waiting(connection);
}

Result<bool> is_current(Connection& connection) {
  Statement select =
      TRY(connection.prepare("SELECT index_version, segments, pages FROM corpus WHERE one = 1"));
  if (!TRY(select.step())) return fail(Code::corrupt, "The corpus row of the memory is missing.");
  return select.integer(0) == kIndexVersion;
}

Status index_everything(Connection& connection) {
  TRY(connection.execute(
      "DELETE FROM posting; DELETE FROM segment; UPDATE corpus SET segments = 0, "
      "tokens = 0"));
  std::vector<std::int64_t> numbers;
  {
    Statement select = TRY(connection.prepare("SELECT number FROM page ORDER BY number"));
    while (TRY(select.step())) numbers.push_back(select.integer(0));
  }
  Indexer indexer(connection);
  std::size_t waiting = 0;
  for (const std::int64_t number : numbers) {
    waiting += TRY(indexer.index(number));
    if (waiting < limits::memory_rebuild_segments) continue;
    TRY(pack_waiting(connection));
    waiting = 0;
  }
  if (waiting >= limits::memory_waiting_segments) TRY(pack_waiting(connection));
  Statement done = TRY(connection.prepare("UPDATE corpus SET index_version = ?1"));
  return done.bind(1, kIndexVersion).run();
}

Status check_index(Connection& connection) {
  const Lists expected = TRY(lists_of(TRY(segments_where(connection, "s.packed = 1"))));
  const auto differs = [](std::string_view term) {
    return fail(Code::corrupt,
                fmt::format("The memory's index of the word '{}' does not say what the pages say.",
                            printable(term, 40)),
                "Run `keel doctor`.");
  };
  for (const auto& [term, postings] : expected) {
    const PackedList list = TRY(read_packed(connection, term));
    std::size_t at = 0;
    std::set<std::int64_t> pages;
    for (const PackedList::Piece& piece : list.pieces) {
      PostingReader reader(piece.data, piece.first);
      Posting found;
      for (; reader.next(found); ++at) {
        pages.insert(found.page);
        if (at >= postings.size() || found.page != postings[at].page ||
            found.seq != postings[at].seq || found.tokens != postings[at].tokens ||
            found.distrusted != postings[at].distrusted || found.tf != postings[at].tf)
          return differs(term);
      }
      if (reader.broken()) return differs(term);
    }
    if (at != postings.size() || static_cast<std::int64_t>(pages.size()) != list.pages)
      return differs(term);
  }
  Statement select = TRY(connection.prepare("SELECT count(DISTINCT term) FROM posting"));
  if (TRY(select.step()) && select.integer(0) != static_cast<std::int64_t>(expected.size()))
    return fail(Code::corrupt, "The memory's index holds words that no page holds.",
                "Run `keel doctor`.");
  return {};
}

bool WordReader::next(std::string_view& word, Counts& tf) {
  if (packed_.empty() || broken_) return false;
  std::uint64_t size = 0, flags = 0;
  broken_ = !take_varint(packed_, size) || size > packed_.size();
  if (broken_) return false;
  word = packed_.substr(0, size);
  packed_.remove_prefix(size);
  broken_ = !take_counts(packed_, tf, flags);
  return !broken_;
}

Result<WordCounts> unpack_words(std::string_view packed) {
  WordCounts words;
  WordReader reader(packed);
  std::string_view word;
  Counts tf;
  while (reader.next(word, tf)) words.emplace_back(word, tf);
  if (reader.broken()) return fail(Code::corrupt, "A segment's words are damaged.");
  return words;
}

std::vector<std::string_view> segments_of(std::string_view body) {
  std::vector<std::string_view> pieces;
  while (!body.empty()) {
    const std::size_t end = cut_at(body, limits::memory_segment_bytes);
    pieces.push_back(body.substr(0, end));
    body.remove_prefix(end);
  }
  if (pieces.empty()) pieces.emplace_back();
  return pieces;
}

}  // namespace keel::memory
