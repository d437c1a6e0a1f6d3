#include "memory/folder/records.h"

#include "base/json.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

constexpr std::string_view kReadTombstones =
    "SELECT seq, json_object('page', page_id, 'at_ms', at_ms, 'by', by, 'reason', reason, 'rev', "
    "rev, 'body_hash', body_hash, 'hash', hash) FROM tombstone WHERE seq > ?1 ORDER BY seq LIMIT "
    "?2";
constexpr std::string_view kWriteTombstone =
    "INSERT INTO tombstone(page_id, at_ms, by, reason, rev, body_hash, hash, seq) "
    "SELECT j ->> 'page', j ->> 'at_ms', j ->> 'by', j ->> 'reason', j ->> 'rev', "
    "j ->> 'body_hash', j ->> 'hash', (SELECT seq FROM corpus) FROM (SELECT ?1 AS j) "
    "WHERE NOT EXISTS (SELECT 1 FROM page WHERE id = j ->> 'page') "
    "AND NOT EXISTS (SELECT 1 FROM tombstone WHERE page_id = j ->> 'page')";

constexpr std::string_view kReadAliases =
    "SELECT n, line FROM (SELECT row_number() OVER (ORDER BY term, expands_to) AS n, "
    "json_object('term', term, 'expands_to', expands_to, 'weight', weight, 'source', source, "
    "'enabled', enabled) AS line FROM alias) WHERE n > ?1 ORDER BY n LIMIT ?2";
constexpr std::string_view kWriteAlias =
    "INSERT OR IGNORE INTO alias(term, expands_to, weight, source, enabled) SELECT j ->> 'term', "
    "j ->> 'expands_to', j ->> 'weight', j ->> 'source', j ->> 'enabled' FROM (SELECT ?1 AS j)";

// From here on the word counts: as if the owner had just said it.
constexpr std::string_view kWriteAliasEvent =
    "INSERT OR IGNORE INTO alias_event(seq, term, expands_to, weight) SELECT (SELECT seq FROM "
    "corpus), j ->> 'term', j ->> 'expands_to', j ->> 'weight' FROM (SELECT ?1 AS j) WHERE "
    "j ->> 'enabled'";

constexpr std::string_view kReadRetrievals =
    "SELECT number, json_object('id', id, 'at_ms', at_ms, 'session', session, 'turn', turn, "
    "'trigger', trigger, 'query', query, 'ranker', ranker, 'params_hash', params_hash, 'pages', "
    "pages, 'candidates', candidates, 'left_out', left_out, 'left_out_count', left_out_count, "
    "'took_us', took_us, 'empty', empty, 'options', options, 'terms', (SELECT "
    "json_group_array(json_object('ord', ord, "
    "'term', term, 'surface', surface, 'source', source, 'weight', weight, 'df', df, 'idf', idf)) "
    "FROM retrieval_term t WHERE t.retrieval = r.number), 'hits', (SELECT "
    "json_group_array(json_object('ord', ord, 'page', page_id, 'segment', segment, 'rev', rev, "
    "'title', title, 'snippet', snippet, 'origin', origin, 'score', score, 'injected', injected, "
    "'cited', cited, 'held_back', held_back)) FROM retrieval_hit h WHERE h.retrieval = r.number), "
    "'addends', (SELECT json_group_array(json_object('hit', hit, 'ord', ord, 'term', term, "
    "'field', field, 'tf', tf, 'value', value)) FROM retrieval_contrib c WHERE c.retrieval = "
    "r.number)) FROM retrieval r WHERE number > ?1 ORDER BY number LIMIT ?2";
// Of which state of the corpus it was is not known here: 0.
constexpr std::string_view kWriteRetrieval =
    "INSERT OR IGNORE INTO retrieval(id, at_ms, session, turn, trigger, query, ranker, "
    "params_hash, corpus_seq, pages, candidates, left_out, left_out_count, took_us, empty, "
    "options) "
    "SELECT j ->> 'id', j ->> 'at_ms', j ->> 'session', j ->> 'turn', j ->> 'trigger', "
    "j ->> 'query', j ->> 'ranker', j ->> 'params_hash', 0, j ->> 'pages', j ->> 'candidates', "
    "j ->> 'left_out', j ->> 'left_out_count', j ->> 'took_us', j ->> 'empty', "
    "coalesce(j ->> 'options', '{}') "
    "FROM (SELECT ?1 AS j)";
constexpr std::string_view kWriteTerms =
    "INSERT INTO retrieval_term(retrieval, ord, term, surface, source, weight, df, idf) SELECT ?2, "
    "value ->> 'ord', value ->> 'term', value ->> 'surface', value ->> 'source', "
    "value ->> 'weight', value ->> 'df', value ->> 'idf' FROM json_each(?1, '$.terms')";
constexpr std::string_view kWriteHits =
    "INSERT INTO retrieval_hit(retrieval, ord, page_id, segment, rev, title, snippet, origin, "
    "score, injected, cited, held_back) SELECT ?2, value ->> 'ord', value ->> 'page', "
    "value ->> 'segment', value ->> 'rev', value ->> 'title', value ->> 'snippet', "
    "value ->> 'origin', value ->> 'score', value ->> 'injected', value ->> 'cited', "
    "value ->> 'held_back' FROM json_each(?1, '$.hits')";
constexpr std::string_view kWriteAddends =
    "INSERT INTO retrieval_contrib(retrieval, hit, ord, term, field, tf, value) SELECT ?2, "
    "value ->> 'hit', value ->> 'ord', value ->> 'term', value ->> 'field', value ->> 'tf', "
    "value ->> 'value' FROM json_each(?1, '$.addends')";

std::string_view read_sql(Records what) {
  if (what == Records::tombstones) return kReadTombstones;
  return what == Records::aliases ? kReadAliases : kReadRetrievals;
}

std::string_view write_sql(Records what) {
  if (what == Records::tombstones) return kWriteTombstone;
  return what == Records::aliases ? kWriteAlias : kWriteRetrieval;
}

// NOT NULL and CHECK say what a line lacks.
Status checked(Status status) {
  if (status || status.error().code == Code::disk_full || status.error().code == Code::io)
    return status;
  return fail(Code::corrupt, "is not a record that keel wrote: " + status.error().message);
}

}  // namespace

Result<std::vector<std::string>> read_records(Connection& connection, Records what,
                                              std::int64_t& after, int limit) {
  Statement select = TRY(connection.prepare(read_sql(what)));
  select.bind(1, after).bind(2, limit);
  std::vector<std::string> lines;
  while (TRY(select.step())) {
    after = select.integer(0);
    lines.push_back(select.text(1));
  }
  return lines;
}

Result<bool> write_record(Connection& connection, Records what, std::string_view line) {
  const Json json = TRY(parse_json(line, "a record"));
  if (!json.is_object()) return fail(Code::corrupt, "is not a record that keel wrote");
  {
    Statement insert = TRY(connection.prepare(write_sql(what)));
    TRY(checked(insert.bind(1, line).run()));
  }
  const bool is_new = connection.changes() > 0;
  if (what == Records::aliases && is_new) {
    TRY(connection.execute("UPDATE corpus SET seq = seq + 1"));
    Statement event = TRY(connection.prepare(kWriteAliasEvent));
    TRY(event.bind(1, line).run());
  }
  if (what != Records::retrievals || !is_new) return is_new;
  const std::int64_t number = connection.last_row_id();
  for (const std::string_view sql : {kWriteTerms, kWriteHits, kWriteAddends}) {
    Statement insert = TRY(connection.prepare(sql));
    TRY(checked(insert.bind(1, line).bind(2, number).run()));
  }
  return true;
}

Result<std::vector<std::string>> all_page_ids(Connection& connection) {
  Statement select = TRY(connection.prepare("SELECT id FROM page ORDER BY number"));
  std::vector<std::string> ids;
  while (TRY(select.step())) ids.push_back(select.text(0));
  return ids;
}

Status unbury(Connection& connection, const std::vector<std::string>& page_ids) {
  Statement erase = TRY(connection.prepare("DELETE FROM tombstone WHERE page_id = ?1"));
  for (const std::string& id : page_ids) TRY(erase.bind(1, id).run());
  return {};
}

}  // namespace keel::memory
