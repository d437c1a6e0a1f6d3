#include "memory/revisions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "memory/rank/index.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

// What is usual is left out, so that the history of a plain page stays short.
std::string props_of(const Page& page, WallMs now) {
  Json props{{"kind", page.kind},         {"origin", page.origin},   {"tags", page.tags},
             {"pinned", page.pinned},     {"session", page.session}, {"turn", page.source_turn},
             {"quote", page.source_quote}};
  const auto text = [&](const char* key, const std::string& value) {
    if (!value.empty()) props[key] = value;
  };
  text("speaker", page.speaker);
  text("day", page.day);
  if (!page.aliases.empty()) props["aliases"] = page.aliases;
  if (page.importance != 1) props["importance"] = page.importance;
  text("valid_from", page.valid_from);
  text("valid_to", page.valid_to);
  text("source", page.source_uri);
  text("gist", page.gist);
  text("lang", page.lang);
  text("author_model", page.author_model);
  if (!page.extra.empty()) props["extra"] = page.extra;
  props["created_ms"] = page.created_ms;
  if (page.updated_ms != now) props["updated_ms"] = page.updated_ms;
  return dump_json(props);
}

std::string hash_of(const Revision& row) {
  return sha256_hex(dump_json(Json::array({row.page_id, row.rev, row.prev_hash, row.title, row.body,
                                           row.props, row.by, row.reason, row.at_ms})));
}

Status insert_revision(Connection& connection, std::int64_t number, const Revision& row) {
  Statement insert = TRY(connection.prepare(
      "INSERT INTO revision(page, rev, parent_rev, title, body, props, by, reason, seq, at_ms, "
      "prev_hash, hash) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"));
  insert.bind(1, number).bind(2, row.rev).bind(4, row.title).bind(5, row.body).bind(6, row.props);
  if (row.rev > 1)
    insert.bind(3, row.rev - 1);
  else
    insert.bind_null(3);
  insert.bind(7, row.by).bind(8, row.reason).bind(9, row.seq).bind(10, row.at_ms);
  return insert.bind(11, row.prev_hash).bind(12, row.hash).run();
}

constexpr std::string_view kRevisionColumns =
    "p.id, r.rev, r.title, r.body, r.props, r.by, r.reason, r.seq, r.at_ms, r.prev_hash, r.hash";

Revision revision_of(const Statement& row) {
  return {row.text(0), row.integer(1), row.text(2),    row.text(3), row.text(4), row.text(5),
          row.text(6), row.integer(7), row.integer(8), row.text(9), row.text(10)};
}

}  // namespace

Status write_revision(Connection& connection, std::int64_t number, Page& page, std::string_view by,
                      std::string_view reason, WallMs now) {
  Revision row;
  row.page_id = page.id;
  row.rev = page.revision;
  row.title = page.title;
  row.body = page.body;
  row.props = props_of(page, now);
  row.by = by;
  row.reason = reason;
  row.seq = TRY(corpus_of(connection)).seq;
  row.at_ms = now;
  row.prev_hash = page.hash;
  row.hash = hash_of(row);
  page.hash = row.hash;
  return insert_revision(connection, number, row);
}

Status write_revision_as_is(Connection& connection, std::int64_t number, const Revision& revision) {
  TRY(change_corpus(connection, {1, 0, 0, 0}));
  Revision row = revision;
  row.seq = TRY(corpus_of(connection)).seq;
  return insert_revision(connection, number, row);
}

Result<std::vector<Revision>> read_revisions(Connection& connection, std::int64_t number) {
  Statement select = TRY(connection.prepare(fmt::format(
      "SELECT {} FROM revision r JOIN page p ON p.number = r.page WHERE r.page = ?1 ORDER BY r.rev "
      "DESC",
      kRevisionColumns)));
  select.bind(1, number);
  std::vector<Revision> found;
  while (TRY(select.step())) found.push_back(revision_of(select));
  return found;
}

Result<Revision> read_revision(Connection& connection, std::int64_t number, std::int64_t rev) {
  Statement select = TRY(connection.prepare(fmt::format(
      "SELECT {} FROM revision r JOIN page p ON p.number = r.page WHERE r.page = ?1 AND r.rev = ?2",
      kRevisionColumns)));
  select.bind(1, number).bind(2, rev);
  if (!TRY(select.step()))
    return fail(Code::not_found, fmt::format("The page has no revision {}.", rev),
                "`keel memory log PAGE` lists those it has.");
  return revision_of(select);
}

Status check_chain(const std::vector<Revision>& revisions) {
  std::string head;
  std::int64_t rev = 0;
  for (const Revision& row : revisions) {
    if (row.rev != ++rev || row.page_id != revisions.front().page_id || row.prev_hash != head ||
        hash_of(row) != row.hash)
      return fail(Code::corrupt,
                  fmt::format("Revision {} of page {} does not check out: it was changed outside "
                              "keel.",
                              row.rev, row.page_id),
                  "Look at it with `keel memory show`, then edit it so that a good revision is the "
                  "newest, or forget it.");
    head = row.hash;
  }
  return {};
}

Result<NewPage> content_of(const Revision& revision) {
  const Json props = TRY(parse_json(revision.props, "a revision's properties"));
  NewPage page;
  page.id = revision.page_id;
  page.title = revision.title;
  page.body = revision.body;
  page.kind = json_string_or(props, "kind", "fact");
  page.origin = json_string_or(props, "origin", "untrusted");
  page.tags = json_texts(props, "tags");
  page.pinned = json_bool_or(props, "pinned", false);
  page.session = json_string_or(props, "session", "");
  page.source_turn = json_string_or(props, "turn", "");
  page.source_quote = json_string_or(props, "quote", "");
  page.speaker = json_string_or(props, "speaker", "");
  page.day = json_string_or(props, "day", "");
  page.aliases = json_texts(props, "aliases");
  page.importance = static_cast<int>(json_int_or(props, "importance", 1));
  page.valid_from = json_string_or(props, "valid_from", "");
  page.valid_to = json_string_or(props, "valid_to", "");
  page.source_uri = json_string_or(props, "source", "");
  page.gist = json_string_or(props, "gist", "");
  page.lang = json_string_or(props, "lang", "");
  page.author_model = json_string_or(props, "author_model", "");
  if (const auto extra = props.find("extra"); extra != props.end()) page.extra = *extra;
  page.created_ms = json_int_or(props, "created_ms", 0);
  page.updated_ms = json_int_or(props, "updated_ms", revision.at_ms);
  return page;
}

Status write_event(Connection& connection, std::int64_t number) {
  TRY(change_corpus(connection, {1, 0, 0, 0}));
  Statement insert = TRY(connection.prepare(
      "INSERT INTO page_event(seq, page, state, updated_ms) SELECT (SELECT seq FROM corpus), "
      "number, state, updated_ms FROM page WHERE number = ?1"));
  return insert.bind(1, number).run();
}

Result<std::vector<Change>> read_changes(Connection& connection, std::int64_t after_seq,
                                         std::size_t limit) {
  Statement select = TRY(connection.prepare(
      "SELECT * FROM ("
      "SELECT r.seq AS seq, p.id, 0, r.rev, r.by, r.at_ms FROM revision r JOIN page p ON p.number "
      "= r.page WHERE r.seq > ?1 "
      "UNION ALL SELECT e.seq, p.id, 1, p.rev, '', e.updated_ms FROM page_event e JOIN page p ON "
      "p.number = e.page WHERE e.seq > ?1 "
      "UNION ALL SELECT seq, page_id, 2, rev, by, at_ms FROM tombstone WHERE seq > ?1) "
      "ORDER BY seq LIMIT ?2"));
  select.bind(1, after_seq)
      .bind(2, static_cast<std::int64_t>(std::min(limit, limits::memory_changes)));
  std::vector<Change> found;
  while (TRY(select.step())) {
    const auto what = static_cast<Change::What>(select.integer(2));
    found.push_back({select.integer(0), select.text(1), what, select.integer(3), select.text(4),
                     select.integer(5)});
  }
  return found;
}

Status verify_revisions(Connection& connection) {
  Statement select = TRY(connection.prepare(fmt::format(
      "SELECT {}, p.rev, p.title = r.title AND p.body = r.body FROM page p JOIN revision r ON "
      "r.page = p.number ORDER BY p.number, r.rev",
      kRevisionColumns)));
  std::vector<Revision> chain;
  const auto check = [&]() -> Status {
    TRY(check_chain(chain));
    chain.clear();
    return {};
  };
  while (TRY(select.step())) {
    Revision row = revision_of(select);
    if (!chain.empty() && chain.back().page_id != row.page_id) TRY(check());
    // The page itself must say what its newest form says.
    if (row.rev == select.integer(11) && !select.integer(12)) row.hash.clear();
    chain.push_back(std::move(row));
  }
  return check();
}

}  // namespace keel::memory
