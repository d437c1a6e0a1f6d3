#include "memory/rank/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/text/words.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

Result<std::int64_t> write_head(Connection& connection, const Ranked& ranked,
                                std::string_view session, std::int64_t took_us) {
  const Retrieval& r = ranked.retrieval;
  Statement insert = TRY(connection.prepare(
      "INSERT INTO retrieval(id, at_ms, session, turn, trigger, query, ranker, params_hash, "
      "corpus_seq, pages, "
      "candidates, left_out, left_out_count, took_us, empty, options) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"));
  const Json options{{"limit", ranked.query.limit},
                     {"trusted_only", ranked.query.trusted_only},
                     {"min_share", ranked.query.min_share},
                     {"now_ms", ranked.query.now_ms},
                     {"zone_s", ranked.query.zone_s.value_or(0)}};
  insert.bind(16, dump_json(options));
  insert.bind(1, r.id).bind(2, r.at_ms).bind(3, session).bind(4, r.turn).bind(5, r.trigger);
  insert.bind(6, r.query).bind(7, kRanker).bind(8, sha256_hex(ranker_parameters()));
  insert.bind(9, r.corpus_seq).bind(10, r.pages).bind(11, ranked.candidates);
  insert.bind(12, dump_json(Json(r.left_out))).bind(13, r.left_out_count).bind(14, took_us);
  TRY(insert.bind(15, r.hits.empty()).run());
  return connection.last_row_id();
}

// A page may have been forgotten since the search; then its words must not come back here.
Status write_hit(Connection& connection, std::int64_t retrieval, std::int64_t ord, const Hit& hit) {
  Statement insert = TRY(connection.prepare(
      "INSERT INTO retrieval_hit(retrieval, ord, page_id, segment, rev, title, snippet, origin, "
      "score, held_back) SELECT ?1, ?2, ?3, ?4, ?5, iif(there, ?6, '(forgotten)'), "
      "iif(there, ?7, ''), ?8, ?9, ?10 FROM (SELECT EXISTS(SELECT 1 FROM page WHERE id = ?3) AS "
      "there)"));
  insert.bind(1, retrieval)
      .bind(2, ord)
      .bind(3, hit.page_id)
      .bind(4, hit.segment)
      .bind(5, hit.revision);
  insert.bind(6, hit.title).bind(7, hit.snippet).bind(8, hit.origin).bind(9, hit.score);
  TRY(insert.bind(10, hit.held_back).run());
  Statement addend = TRY(connection.prepare(
      "INSERT INTO retrieval_contrib(retrieval, hit, ord, term, field, tf, value) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  for (std::size_t i = 0; i < hit.contributions.size(); ++i) {
    const Contribution& one = hit.contributions[i];
    addend.bind(1, retrieval).bind(2, ord).bind(3, static_cast<std::int64_t>(i)).bind(4, one.term);
    TRY(addend.bind(5, one.field).bind(6, one.tf).bind(7, one.value).run());
  }
  return {};
}

Status read_terms(Connection& connection, std::int64_t number, Retrieval& retrieval) {
  Statement select =
      TRY(connection.prepare("SELECT term, source, df, idf, surface, weight FROM retrieval_term "
                             "WHERE retrieval = ?1 ORDER BY ord"));
  select.bind(1, number);
  while (TRY(select.step()))
    retrieval.terms.push_back({select.text(0), select.text(1), select.integer(2), select.real(3),
                               select.text(4), select.real(5)});
  return {};
}

Status read_contributions(Connection& connection, std::int64_t number, std::vector<Hit>& hits) {
  Statement select =
      TRY(connection.prepare("SELECT hit, term, field, value, tf FROM retrieval_contrib WHERE "
                             "retrieval = ?1 ORDER BY hit, ord"));
  select.bind(1, number);
  while (TRY(select.step())) {
    const auto hit = static_cast<std::size_t>(select.integer(0));
    if (hit < hits.size())
      hits[hit].contributions.push_back(
          {select.text(1), select.text(2), select.real(3), select.integer(4)});
  }
  return {};
}

Status read_hits(Connection& connection, std::int64_t number, Retrieval& retrieval) {
  std::vector<Hit> hits;
  {
    Statement select =
        TRY(connection.prepare("SELECT page_id, segment, rev, title, snippet, origin, score, "
                               "injected, held_back, cited FROM retrieval_hit "
                               "WHERE retrieval = ?1 ORDER BY ord"));
    select.bind(1, number);
    while (TRY(select.step())) {
      Hit hit;
      hit.page_id = select.text(0);
      hit.segment = select.integer(1);
      hit.revision = static_cast<int>(select.integer(2));
      hit.title = select.text(3);
      hit.snippet = select.text(4);
      hit.origin = select.text(5);
      hit.score = select.real(6);
      hit.injected = select.integer(7) != 0;
      hit.held_back = select.text(8);
      hit.cited = select.integer(9) != 0;
      hits.push_back(std::move(hit));
    }
  }
  TRY(read_contributions(connection, number, hits));
  for (Hit& hit : hits)
    (hit.held_back.empty() ? retrieval.hits : retrieval.held_back).push_back(std::move(hit));
  return {};
}

}  // namespace

Status write_retrieval(Connection& connection, const Ranked& ranked, std::string_view session,
                       std::int64_t took_us) {
  const Retrieval& r = ranked.retrieval;
  const std::int64_t number = TRY(write_head(connection, ranked, session, took_us));
  Statement insert = TRY(connection.prepare(
      "INSERT INTO retrieval_term(retrieval, ord, term, surface, source, weight, df, idf) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
  for (std::size_t i = 0; i < r.terms.size(); ++i) {
    const QueryTerm& term = r.terms[i];
    insert.bind(1, number)
        .bind(2, static_cast<std::int64_t>(i))
        .bind(3, term.term)
        .bind(4, term.surface);
    TRY(insert.bind(5, term.source).bind(6, term.weight).bind(7, term.df).bind(8, term.idf).run());
  }
  std::int64_t ord = 0;
  for (const Hit& hit : r.hits) TRY(write_hit(connection, number, ord++, hit));
  for (const Hit& hit : r.held_back) TRY(write_hit(connection, number, ord++, hit));
  return {};
}

Result<std::vector<Retrieval>> read_retrievals(Connection& connection,
                                               std::string_view turn_or_retrieval) {
  std::vector<std::pair<std::int64_t, Retrieval>> rows;
  {
    Statement select =
        TRY(connection.prepare("SELECT number, id, query, trigger, turn, at_ms, pages, left_out, "
                               "left_out_count, corpus_seq FROM retrieval "
                               "WHERE id = ?1 OR (turn = ?1 AND turn <> '') ORDER BY number"));
    select.bind(1, turn_or_retrieval);
    while (TRY(select.step())) {
      Retrieval r;
      r.id = select.text(1);
      r.query = select.text(2);
      r.trigger = select.text(3);
      r.turn = select.text(4);
      r.at_ms = select.integer(5);
      r.pages = select.integer(6);
      r.left_out = json_texts(TRY(parse_json(select.text(7), "a retrieval's left out terms")));
      r.left_out_count = select.integer(8);
      r.corpus_seq = select.integer(9);
      rows.emplace_back(select.integer(0), std::move(r));
    }
  }
  std::vector<Retrieval> retrievals;
  for (auto& [number, retrieval] : rows) {
    TRY(read_terms(connection, number, retrieval));
    TRY(read_hits(connection, number, retrieval));
    retrievals.push_back(std::move(retrieval));
  }
  return retrievals;
}

Status write_injected(Connection& connection, std::string_view retrieval,
                      const std::vector<std::string>& page_ids) {
  Statement update = TRY(connection.prepare(
      "UPDATE retrieval_hit SET injected = 1 WHERE page_id = ?2 AND held_back = '' AND retrieval = "
      "(SELECT number FROM retrieval WHERE id = ?1)"));
  for (const std::string& id : page_ids) {
    TRY(update.bind(1, retrieval).bind(2, id).run());
    if (connection.changes() == 0)
      return fail(Code::not_found, fmt::format("Retrieval {} did not return page {}.",
                                               printable(retrieval, 40), printable(id, 40)));
  }
  return {};
}

namespace {

std::unordered_set<std::string> telling_words(std::string_view text) {
  std::unordered_set<std::string> stems;
  for (const Word& word : words_of(text, Use::query)) {
    if (class_of(word) == WordClass::strong) stems.insert(word.stem);
  }
  return stems;
}

}  // namespace

Result<Cited> find_cited(Connection& connection, std::string_view retrieval,
                         std::string_view answer) {
  Cited cited;
  std::unordered_set<std::string> asked;
  {
    Statement select = TRY(connection.prepare("SELECT number, query FROM retrieval WHERE id = ?1"));
    select.bind(1, retrieval);
    if (!TRY(select.step())) return cited;
    cited.retrieval = select.integer(0);
    asked = telling_words(select.text(1));
  }
  const std::unordered_set<std::string> said =
      telling_words(answer.substr(0, limits::memory_query_bytes));
  Statement select = TRY(connection.prepare(
      "SELECT h.ord, p.title || char(10) || p.body FROM retrieval_hit h JOIN page p ON p.id = "
      "h.page_id WHERE h.retrieval = ?1 AND h.injected = 1"));
  select.bind(1, cited.retrieval);
  while (TRY(select.step())) {
    const std::unordered_set<std::string> words = telling_words(select.text(1));
    const bool used = std::any_of(words.begin(), words.end(), [&](const std::string& word) {
      return said.contains(word) && !asked.contains(word);
    });
    if (used) cited.hits.push_back(select.integer(0));
  }
  return cited;
}

Status write_cited(Connection& connection, const Cited& cited) {
  Statement update = TRY(
      connection.prepare("UPDATE retrieval_hit SET cited = 1 WHERE retrieval = ?1 AND ord = ?2"));
  for (const std::int64_t ord : cited.hits) TRY(update.bind(1, cited.retrieval).bind(2, ord).run());
  return {};
}

}  // namespace keel::memory
