#include "memory/replay.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "memory/rank/audit.h"
#include "memory/rank/index.h"
#include "memory/rank/ranker.h"
#include "memory/revisions.h"
#include "memory/text/sentences.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

// What decides a rank and is no revision.
struct Standing {
  std::string state = "live";
  WallMs updated_ms = 0;
};

// A page as it stood at the corpus's `seq`: its newest revision by then, and what happened to it
// between that and `seq`.
struct PageThen {
  std::int64_t number = 0;
  Revision revision;
  WallMs created_ms = 0;
};

Result<std::vector<PageThen>> pages_at(Connection& connection, std::int64_t seq) {
  Statement select = TRY(connection.prepare(
      "SELECT p.number, p.id, r.rev, r.title, r.body, r.props, r.by, r.reason, r.seq, r.at_ms, "
      "p.created_ms FROM page p JOIN revision r ON r.page = p.number AND r.rev = (SELECT max(rev) "
      "FROM revision n WHERE n.page = p.number AND n.seq <= ?1) ORDER BY p.number"));
  select.bind(1, seq);
  std::vector<PageThen> found;
  while (TRY(select.step())) {
    if (static_cast<std::int64_t>(found.size()) == limits::memory_replay_pages)
      return fail(Code::limit,
                  fmt::format("The memory held more than {} pages then; it is not built again.",
                              limits::memory_replay_pages));
    Revision revision{select.text(1),
                      select.integer(2),
                      select.text(3),
                      select.text(4),
                      select.text(5),
                      select.text(6),
                      select.text(7),
                      select.integer(8),
                      select.integer(9),
                      {},
                      {}};
    found.push_back({select.integer(0), std::move(revision), select.integer(10)});
  }
  return found;
}

Result<Standing> standing_at(Connection& connection, const PageThen& page, const NewPage& content,
                             std::int64_t seq) {
  Standing standing{"live", content.updated_ms};
  Statement select = TRY(connection.prepare(
      "SELECT state, updated_ms, seq FROM page_event WHERE page = ?1 AND seq <= ?2 ORDER BY seq "
      "DESC LIMIT 1"));
  select.bind(1, page.number).bind(2, seq);
  if (TRY(select.step())) {
    standing.state = select.text(0);
    if (select.integer(2) > page.revision.seq) standing.updated_ms = select.integer(1);
    return standing;
  }
  // Pages of an older keel have no events: as they are now, unless a later event tells more.
  Statement first = TRY(connection.prepare(
      "SELECT p.state, (SELECT e.state FROM page_event e WHERE e.page = p.number ORDER BY e.seq "
      "LIMIT 1) FROM page p WHERE p.number = ?1"));
  first.bind(1, page.number);
  if (TRY(first.step())) {
    const std::string later = first.text(1);
    standing.state = later.empty() ? first.text(0) : "live";
  }
  return standing;
}

Status put_page(Connection& scratch, const PageThen& then, const NewPage& page,
                const Standing& standing) {
  Statement insert = TRY(scratch.prepare(
      "INSERT INTO page(number, id, kind, title, body, gist, origin, session, speaker, day, "
      "aliases, pinned, question, valid_to, state, rev, created_ms, updated_ms, norm_hash, "
      "body_hash) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, '', "
      "'')"));
  insert.bind(1, then.number).bind(2, page.id).bind(3, page.kind).bind(4, page.title);
  insert.bind(5, page.body).bind(6, page.gist).bind(7, page.origin).bind(8, page.session);
  insert.bind(9, page.speaker).bind(10, page.day).bind(11, dump_json(Json(page.aliases)));
  insert.bind(12, page.pinned).bind(13, is_question(page.body)).bind(14, page.valid_to);
  insert.bind(15, standing.state).bind(16, then.revision.rev);
  insert.bind(17, page.created_ms != 0 ? page.created_ms : then.created_ms);
  TRY(insert.bind(18, standing.updated_ms).run());
  Statement tag = TRY(scratch.prepare("INSERT INTO tag(page, ord, tag) VALUES(?1, ?2, ?3)"));
  for (std::size_t i = 0; i < page.tags.size(); ++i)
    TRY(tag.bind(1, then.number).bind(2, static_cast<std::int64_t>(i)).bind(3, page.tags[i]).run());
  return {};
}

Status put_aliases(Connection& from, Connection& scratch, std::int64_t seq) {
  Statement select = TRY(from.prepare(
      "SELECT term, expands_to, weight FROM alias_event a WHERE seq = (SELECT max(seq) FROM "
      "alias_event b WHERE b.term = a.term AND b.expands_to = a.expands_to AND b.seq <= ?1)"));
  select.bind(1, seq);
  Statement insert = TRY(scratch.prepare(
      "INSERT INTO alias(term, expands_to, weight, source, enabled) VALUES(?1, ?2, ?3, 'owner', ?3 "
      "> 0)"));
  while (TRY(select.step()))
    TRY(insert.bind(1, select.text(0)).bind(2, select.text(1)).bind(3, select.real(2)).run());
  return {};
}

struct Asked {
  std::int64_t seq = 0;
  Query query;
  bool same_ranker = true;
  bool complete = true;  // all that a replay needs was recorded
};

Result<Asked> asked(Connection& connection, const Retrieval& then) {
  Statement select = TRY(connection.prepare(
      "SELECT ranker = ?2 AND params_hash = ?3, options, session, corpus_seq FROM retrieval WHERE "
      "id = ?1"));
  select.bind(1, then.id).bind(2, kRanker).bind(3, sha256_hex(ranker_parameters()));
  if (!TRY(select.step())) return fail(Code::not_found, "The retrieval is not there.");
  const Json options = TRY(parse_json(select.text(1), "a retrieval's options"));
  Asked out;
  out.same_ranker = select.integer(0) != 0;
  out.seq = select.integer(3);
  out.query.text = then.query;
  out.query.trigger = then.trigger;
  out.query.session = select.text(2);
  out.complete = options.contains("limit");
  out.query.limit = static_cast<int>(json_int_or(options, "limit", 10));
  out.query.trusted_only = json_bool_or(options, "trusted_only", then.trigger == "turn");
  out.query.min_share = json_number_or(options, "min_share", -1.0);
  out.query.now_ms = json_int_or(options, "now_ms", then.at_ms);
  out.query.zone_s = json_int_or(options, "zone_s", 0);
  return out;
}

// What can make the list another one, as far as it is known.
Result<std::vector<std::string>> notes_on(Connection& connection, const Asked& asked,
                                          const Retrieval& then) {
  std::vector<std::string> notes;
  if (!asked.same_ranker) notes.emplace_back("It was asked of another version of the ranker.");
  if (!asked.complete)
    notes.emplace_back(
        "It comes from an export or an older keel, which kept less than a replay needs.");
  if (then.query.size() + 4 >= limits::memory_query_kept_bytes)
    notes.emplace_back("Of its long question only the beginning is kept.");
  Statement gone = TRY(connection.prepare("SELECT count(*) FROM tombstone WHERE seq > ?1"));
  gone.bind(1, asked.seq);
  if (TRY(gone.step()) && gone.integer(0) > 0)
    notes.push_back(
        fmt::format("{} page(s) were forgotten since and cannot be found again.", gone.integer(0)));
  return notes;
}

bool equal_lists(const std::vector<Hit>& a, const std::vector<Hit>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].page_id != b[i].page_id || a[i].revision != b[i].revision ||
        std::abs(a[i].score - b[i].score) >= 1e-9)
      return false;
  }
  return true;
}

}  // namespace

Result<Replay> replay_retrieval(Connection& connection, const std::vector<store::Migration>& tables,
                                std::string_view retrieval) {
  std::vector<Retrieval> found = TRY(read_retrievals(connection, retrieval));
  if (found.empty())
    return fail(Code::not_found,
                fmt::format("There is no retrieval '{}'.", std::string(retrieval.substr(0, 40))),
                "`keel memory why` shows the retrievals of a turn with their ids.");
  Replay replay;
  replay.then = std::move(found.front());
  const Asked question = TRY(asked(connection, replay.then));
  replay.notes = TRY(notes_on(connection, question, replay.then));

  const std::unique_ptr<Connection> scratch = TRY(store::scratch_connection(tables));
  const std::vector<PageThen> pages = TRY(pages_at(connection, question.seq));
  for (const PageThen& page : pages) {
    const NewPage content = TRY(content_of(page.revision));
    TRY(put_page(*scratch, page, content,
                 TRY(standing_at(connection, page, content, question.seq))));
  }
  TRY(put_aliases(connection, *scratch, question.seq));
  TRY(index_everything(*scratch));
  TRY(change_corpus(*scratch, {question.seq, static_cast<std::int64_t>(pages.size()), 0, 0}));
  replay.now = TRY(rank(*scratch, question.query)).retrieval;
  replay.now.at_ms = replay.then.at_ms;
  replay.same = equal_lists(replay.then.hits, replay.now.hits);
  return replay;
}

}  // namespace keel::memory
