#include "memory/rank/index.h"

#include <set>
#include <string>

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/text/sentences.h"
#include "memory/text/words.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

struct PageText {
  std::string title, body, session;
  std::int64_t rev = 0;
  WallMs created_ms = 0;
};

Result<PageText> text_of(Connection& connection, std::int64_t number) {
  Statement select =
      TRY(connection.prepare("SELECT title, body, session, rev, created_ms FROM page "
                             "WHERE number = ?1"));
  select.bind(1, number);
  if (!TRY(select.step())) return fail(Code::internal, "A page to be indexed is not there.");
  return PageText{select.text(0), select.text(1), select.text(2), select.integer(3),
                  select.integer(4)};
}

Result<std::string> tags_of(Connection& connection, std::int64_t number) {
  Statement select =
      TRY(connection.prepare("SELECT group_concat(tag, ' ') FROM tag WHERE page = ?1"));
  select.bind(1, number);
  if (!TRY(select.step())) return std::string();
  return select.optional_text(0).value_or("");
}

constexpr std::string_view kBefore =
    "SELECT number, body FROM page WHERE session = ?1 AND session <> '' AND (created_ms, number) < "
    "(?2, ?3) ORDER BY created_ms DESC, number DESC LIMIT 1";
constexpr std::string_view kAfter =
    "SELECT number, body FROM page WHERE session = ?1 AND session <> '' AND (created_ms, number) > "
    "(?2, ?3) ORDER BY created_ms, number LIMIT 1";

struct Neighbour {
  std::int64_t number = 0;  // 0 if there is none
  std::string body;
};
Result<Neighbour> neighbour(Connection& connection, std::string_view sql, const PageText& page,
                            std::int64_t number) {
  if (page.session.empty()) return Neighbour{};
  Statement select = TRY(connection.prepare(sql));
  select.bind(1, page.session).bind(2, page.created_ms).bind(3, number);
  if (!TRY(select.step())) return Neighbour{};
  return Neighbour{select.integer(0), select.text(1)};
}

std::vector<Word> indexed(std::string_view text) {
  return words_of(text, Use::index);
}

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

}  // namespace

Result<Corpus> corpus_of(Connection& connection) {
  Statement select =
      TRY(connection.prepare("SELECT seq, pages, segments, tokens FROM corpus WHERE one = 1"));
  if (!TRY(select.step())) return fail(Code::corrupt, "The corpus row of the memory is missing.");
  return Corpus{select.integer(0), select.integer(1), select.integer(2), select.integer(3)};
}

Status change_corpus(Connection& connection, const Corpus& by) {
  Statement update =
      TRY(connection.prepare("UPDATE corpus SET seq = seq + ?1, pages = pages + ?2, segments = "
                             "segments + ?3, tokens = tokens + ?4"));
  return update.bind(1, by.seq).bind(2, by.pages).bind(3, by.segments).bind(4, by.tokens).run();
}

Status index_page(Connection& connection, std::int64_t number) {
  TRY(unindex_page(connection, number));
  const PageText page = TRY(text_of(connection, number));
  const std::string tag_text = TRY(tags_of(connection, number));
  const std::vector<Word> title = indexed(page.title);
  const std::vector<Word> tags = indexed(tag_text);
  const Neighbour before = TRY(neighbour(connection, kBefore, page, number));
  const Neighbour after = TRY(neighbour(connection, kAfter, page, number));
  const std::string_view text_before = segments_of(without_frame(before.body)).back();
  const std::string_view text_after = segments_of(without_frame(after.body)).front();
  const std::vector<std::string_view> pieces = segments_of(without_frame(page.body));
  KEEL_ASSERT(static_cast<std::int64_t>(pieces.size()) <= kSegmentsPerPage);

  Statement segment = TRY(connection.prepare(
      "INSERT INTO segment(id, page, rev, seq, tokens, text) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"));
  Statement fts = TRY(connection.prepare(
      "INSERT INTO memory_fts(rowid, title, body, tags, near) VALUES(?1, ?2, ?3, ?4, ?5)"));
  Corpus grown;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::vector<Word> body = indexed(pieces[i]);
    std::vector<Word> near = indexed(i > 0 ? pieces[i - 1] : std::string_view(text_before));
    const std::vector<Word> next =
        indexed(i + 1 < pieces.size() ? pieces[i + 1] : std::string_view(text_after));
    near.insert(near.end(), next.begin(), next.end());
    const auto tokens =
        static_cast<std::int64_t>(title.size() + body.size() + tags.size() + near.size());
    const std::int64_t id = number * kSegmentsPerPage + static_cast<std::int64_t>(i);
    segment.bind(1, id).bind(2, number).bind(3, page.rev).bind(4, static_cast<std::int64_t>(i));
    TRY(segment.bind(5, tokens).bind(6, pieces[i]).run());
    fts.bind(1, id).bind(2, stems_of(title)).bind(3, stems_of(body)).bind(4, stems_of(tags));
    TRY(fts.bind(5, stems_of(near)).run());
    grown.segments += 1;
    grown.tokens += tokens;
  }
  return change_corpus(connection, grown);
}

Result<std::int64_t> unindex_page(Connection& connection, std::int64_t number) {
  Corpus shrunk;
  std::vector<std::int64_t> ids;
  {
    Statement select = TRY(connection.prepare("SELECT id, tokens FROM segment WHERE page = ?1"));
    select.bind(1, number);
    while (TRY(select.step())) {
      ids.push_back(select.integer(0));
      shrunk.tokens -= select.integer(1);
    }
  }
  Statement fts = TRY(connection.prepare("DELETE FROM memory_fts WHERE rowid = ?1"));
  for (const std::int64_t id : ids) TRY(fts.bind(1, id).run());
  Statement segment = TRY(connection.prepare("DELETE FROM segment WHERE page = ?1"));
  TRY(segment.bind(1, number).run());
  shrunk.segments = -static_cast<std::int64_t>(ids.size());
  TRY(change_corpus(connection, shrunk));
  return static_cast<std::int64_t>(ids.size());
}

Result<std::vector<std::int64_t>> neighbours_of(Connection& connection, std::int64_t number) {
  const PageText page = TRY(text_of(connection, number));
  std::vector<std::int64_t> found;
  for (const std::string_view sql : {kBefore, kAfter}) {
    const Neighbour other = TRY(neighbour(connection, sql, page, number));
    if (other.number != 0) found.push_back(other.number);
  }
  return found;
}

Status index_pages(Connection& connection, const std::vector<std::int64_t>& numbers) {
  std::set<std::int64_t> all(numbers.begin(), numbers.end());
  for (const std::int64_t number : numbers) {
    for (const std::int64_t other : TRY(neighbours_of(connection, number))) all.insert(other);
  }
  for (const std::int64_t number : all) TRY(index_page(connection, number));
  return {};
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
