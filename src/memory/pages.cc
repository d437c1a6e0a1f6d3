#include "memory/pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/rank/index.h"
#include "memory/revisions.h"
#include "memory/text/sentences.h"
#include "memory/text/statement.h"
#include "memory/text/words.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

constexpr std::string_view kColumns =
    "number, id, kind, title, body, origin, turn, quote, pinned, rev, created_ms, updated_ms, "
    "session, state, supersedes, (SELECT hash FROM revision r WHERE r.page = page.number AND r.rev "
    "= page.rev), speaker, day, aliases, importance, valid_from, valid_to, source_uri, gist, lang, "
    "author_model, extra";

Json json_of(const Statement& row, int column) {
  return parse_json(row.text(column), "a page's column").value_or(Json());
}

Stored row_of(const Statement& row) {
  Stored stored;
  stored.number = row.integer(0);
  Page& page = stored.page;
  page.id = row.text(1);
  page.kind = row.text(2);
  page.title = row.text(3);
  page.body = row.text(4);
  page.origin = row.text(5);
  page.source_turn = row.text(6);
  page.source_quote = row.text(7);
  page.pinned = row.integer(8) != 0;
  page.revision = static_cast<int>(row.integer(9));
  page.created_ms = row.integer(10);
  page.updated_ms = row.integer(11);
  page.session = row.text(12);
  page.state = row.text(13);
  page.supersedes = row.text(14);
  page.hash = row.text(15);
  page.speaker = row.text(16);
  page.day = row.text(17);
  page.aliases = json_texts(json_of(row, 18));
  page.importance = static_cast<int>(row.integer(19));
  page.valid_from = row.text(20);
  page.valid_to = row.text(21);
  page.source_uri = row.text(22);
  page.gist = row.text(23);
  page.lang = row.text(24);
  page.author_model = row.text(25);
  if (Json extra = json_of(row, 26); extra.is_object()) page.extra = std::move(extra);
  return stored;
}

Status read_tags(Connection& connection, Stored& stored) {
  Statement select = TRY(connection.prepare("SELECT tag FROM tag WHERE page = ?1 ORDER BY ord"));
  select.bind(1, stored.number);
  while (TRY(select.step())) stored.page.tags.push_back(select.text(0));
  return {};
}

Status write_tags(Connection& connection, std::int64_t number,
                  const std::vector<std::string>& tags) {
  Statement erase = TRY(connection.prepare("DELETE FROM tag WHERE page = ?1"));
  TRY(erase.bind(1, number).run());
  Statement insert = TRY(connection.prepare("INSERT INTO tag(page, ord, tag) VALUES(?1, ?2, ?3)"));
  for (std::size_t i = 0; i < tags.size(); ++i)
    TRY(insert.bind(1, number).bind(2, static_cast<std::int64_t>(i)).bind(3, tags[i]).run());
  return {};
}

// What a page says, for comparing it with others.
struct Meaning {
  std::string norm;
  Attribute attribute;
};

// Case, white space, quotation marks and the stop at the end do not make two texts different; any
// other sign may ("C" and "C++").
std::string normal_form(std::string_view text) {
  const std::string folded = fold_case(text);
  std::string out;
  for (const char c : folded) {
    if (c == '"') continue;
    if (static_cast<unsigned char>(c) > ' ')
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  const std::size_t end = out.find_last_not_of(" .!");
  return end == std::string::npos ? out : out.substr(0, end + 1);
}

// Words only, case folded.
std::string plain_words(const std::string& text) {
  std::string out;
  for (const Word& word : words_of(text, Use::query))
    out += (out.empty() ? "" : " ") + word.surface;
  return out;
}

// What a model named when the page was made of the owner's words (writing/extraction.h), as long as
// the text still says it.
Attribute noted_attribute(const Page& page) {
  if (trust_of(page.origin) < trust_of("agent")) return {};
  const std::string subject = plain_words(json_string_or(page.extra, "subject", ""));
  const std::string attribute = plain_words(json_string_or(page.extra, "attribute", ""));
  const std::string value = plain_words(json_string_or(page.extra, "value", ""));
  const std::string text = plain_words(std::string(without_frame(page.body)));
  if (subject.empty() || attribute.empty() || value.empty() ||
      (" " + text + " ").find(" " + value + " ") == std::string::npos)
    return {};
  return {subject, attribute, value, text.ends_with(value)};
}

// Titles that only repeat the body do not make two pages different; titles that say more do. What
// somebody said at some time is a record: the same words at another time are another record, and
// what he says of himself is no attribute of the owner.
Meaning meaning_of(const Page& page) {
  Meaning meaning;
  const bool record = !page.speaker.empty() || (page.origin == "import" && !page.session.empty());
  std::string text = normal_form(without_frame(page.body));
  const std::string title = normal_form(page.title);
  if (text.find(title) == std::string::npos) text += "\n" + title;
  if (record) text += fmt::format("\n{}\n{}\n{}", page.session, page.speaker, page.created_ms);
  meaning.norm = sha256_hex(text);
  if (page.kind != "persona" && !record) {
    if (auto found = attribute_of(page.body))
      meaning.attribute = std::move(*found);
    else
      meaning.attribute = noted_attribute(page);
  }
  return meaning;
}

struct Equal {
  std::int64_t number = 0;
  std::string origin;
};

// Live pages that say the same, the most trusted first.
Result<std::vector<Equal>> equal_pages(Connection& connection, const Page& page,
                                       const Meaning& meaning) {
  Statement select =
      TRY(connection.prepare("SELECT number, origin FROM page WHERE state = 'live' AND (kind = "
                             "'persona') = ?1 AND norm_hash = ?2 "
                             "UNION SELECT number, origin FROM page WHERE state = 'live' AND "
                             "subject = ?3 AND subject <> '' "
                             "AND attribute = ?4 AND value = ?5"));
  // A sentence that goes on after the value says more than the value.
  const bool comparable = meaning.attribute.whole;
  select.bind(1, page.kind == "persona").bind(2, meaning.norm);
  select.bind(3, comparable ? meaning.attribute.subject : std::string());
  select.bind(4, meaning.attribute.attribute).bind(5, meaning.attribute.value);
  std::vector<Equal> found;
  while (TRY(select.step())) found.push_back({select.integer(0), select.text(1)});
  std::stable_sort(found.begin(), found.end(), [](const Equal& a, const Equal& b) {
    return trust_of(a.origin) > trust_of(b.origin);
  });
  return found;
}

// Live pages whose place the new one takes: another value of the same attribute, or the same
// content less trusted.
Result<std::vector<Stored>> outdated_pages(Connection& connection, const Page& page,
                                           const Meaning& meaning,
                                           const std::vector<Equal>& equal) {
  std::vector<std::int64_t> numbers;
  for (const Equal& one : equal) numbers.push_back(one.number);
  if (!meaning.attribute.subject.empty()) {
    Statement select =
        TRY(connection.prepare("SELECT number FROM page WHERE state = 'live' AND subject = ?1 AND "
                               "subject <> '' AND attribute = ?2 "
                               "AND value <> ?3"));
    select.bind(1, meaning.attribute.subject).bind(2, meaning.attribute.attribute);
    select.bind(3, meaning.attribute.value);
    while (TRY(select.step())) numbers.push_back(select.integer(0));
  }
  std::sort(numbers.begin(), numbers.end());
  std::vector<Stored> outdated;
  for (const std::int64_t number : numbers) {
    Stored stored = TRY(read_page(connection, number));
    if (trust_of(stored.page.origin) <= trust_of(page.origin))
      outdated.push_back(std::move(stored));
  }
  return outdated;
}

Result<Added> merge_page(Connection& connection, std::int64_t number, const Draft& draft,
                         WallMs now) {
  Stored old = TRY(read_page(connection, number));
  Added added{old.page, true, draft.cleaned, {}};
  if (trust_of(draft.page.origin) < trust_of(old.page.origin)) return added;
  Statement renew = TRY(connection.prepare("UPDATE page SET updated_ms = ?2 WHERE number = ?1"));
  TRY(renew.bind(1, number).bind(2, now).run());
  added.page.updated_ms = now;

  Draft grown{old.page, false};
  for (const std::string& tag : draft.page.tags) {
    const auto same = [&](const std::string& other) { return fold_case(other) == fold_case(tag); };
    if (grown.page.tags.size() < limits::memory_tags &&
        std::none_of(grown.page.tags.begin(), grown.page.tags.end(), same))
      grown.page.tags.push_back(tag);
  }
  grown.page.pinned = old.page.pinned || draft.page.pinned;
  if (grown.page.tags == old.page.tags && grown.page.pinned == old.page.pinned) {
    TRY(write_event(connection, number));
    return added;
  }
  grown.page.updated_ms = now;
  const std::string by = draft.page.origin == "owner" ? "owner" : "agent";
  added.page = TRY(revise_page(connection, number, grown, by, "merged with an equal page", now));
  return added;
}

// The columns that a page has beside its text and times, from ?20 on.
Statement& bind_rest(Statement& statement, const Page& page) {
  statement.bind(20, page.speaker).bind(21, page.day).bind(22, dump_json(Json(page.aliases)));
  statement.bind(23, page.importance).bind(24, page.valid_from).bind(25, page.valid_to);
  statement.bind(26, page.source_uri).bind(27, page.gist).bind(28, page.lang);
  return statement.bind(29, page.author_model).bind(30, dump_json(page.extra));
}

Result<std::int64_t> insert_row(Connection& connection, const Page& page, const Meaning& meaning) {
  Statement insert = TRY(connection.prepare(
      "INSERT INTO page(id, kind, title, body, origin, session, turn, quote, pinned, question, "
      "subject, attribute, value, supersedes, rev, norm_hash, body_hash, created_ms, updated_ms, "
      "speaker, day, aliases, importance, valid_from, valid_to, source_uri, gist, lang, "
      "author_model, extra, state) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
      "?14, ?19, ?15, ?16, ?17, ?18, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, "
      "?31)"));
  insert.bind(1, page.id).bind(2, page.kind).bind(3, page.title).bind(4, page.body);
  insert.bind(5, page.origin).bind(6, page.session).bind(7, page.source_turn);
  insert.bind(8, page.source_quote).bind(9, page.pinned).bind(10, is_question(page.body));
  insert.bind(11, meaning.attribute.subject).bind(12, meaning.attribute.attribute);
  insert.bind(13, meaning.attribute.value).bind(14, page.supersedes).bind(15, meaning.norm);
  insert.bind(16, sha256_hex(page.body)).bind(17, page.created_ms).bind(18, page.updated_ms);
  TRY(bind_rest(insert.bind(19, page.revision).bind(31, page.state), page).run());
  return connection.last_row_id();
}

Result<std::vector<std::string>> ids_like(Connection& connection, std::string_view wanted) {
  std::vector<std::string> ids;
  {
    Statement select = TRY(connection.prepare(
        "SELECT id FROM page WHERE id >= ?1 AND id < ?1 || '[' ORDER BY id LIMIT 3"));
    select.bind(1, wanted);
    while (TRY(select.step())) ids.push_back(select.text(0));
  }
  if (!ids.empty()) return ids;
  Statement select = TRY(connection.prepare(
      "SELECT id FROM page WHERE substr(id, -length(?1)) = ?1 ORDER BY id LIMIT 3"));
  select.bind(1, wanted);
  while (TRY(select.step())) ids.push_back(select.text(0));
  return ids;
}

Result<std::string> resolve_id(Connection& connection, std::string_view text) {
  std::string wanted = ascii_lower(trim(text));
  bool plain = wanted.size() >= 4 && wanted.size() <= 26;
  for (char& c : wanted) {
    if (c >= 'a' && c <= 'z')
      c = static_cast<char>(c - 'a' + 'A');
    else if (c < '0' || c > '9')
      plain = false;
  }
  const std::string shown = printable(text, 40);
  constexpr const char* kHint = "`keel memory list` shows the pages and their ids.";
  if (!plain)
    return fail(Code::invalid_argument, fmt::format("'{}' is not the id of a page.", shown), kHint);
  const std::vector<std::string> ids = TRY(ids_like(connection, wanted));
  if (ids.size() == 1) return ids.front();
  if (ids.size() > 1)
    return fail(Code::invalid_argument,
                fmt::format("'{}' fits several pages: {}.", shown, join(ids, ", ")),
                "Give more characters of the id.");
  if (const std::optional<WallMs> gone = TRY(forgotten_ms(connection, wanted)))
    return fail(Code::not_found,
                fmt::format("The page {} was forgotten on {}.", wanted, local_day(*gone)),
                "What it said is no longer kept.");
  return fail(Code::not_found, fmt::format("There is no page '{}'.", shown), kHint);
}

// Another page of this id, or the stone it left, stands against the new one.
Status check_free(Connection& connection, const std::string& id) {
  {
    Statement select = TRY(connection.prepare("SELECT title FROM page WHERE id = ?1"));
    select.bind(1, id);
    if (TRY(select.step()))
      return fail(Code::already_exists,
                  fmt::format("There is a page {} already: {}.", id, printable(select.text(0), 80)),
                  "Change it with `keel memory edit`, or give the new one no id.");
  }
  if (const std::optional<WallMs> gone = TRY(forgotten_ms(connection, id)))
    return fail(Code::permission,
                fmt::format("The page {} was forgotten on {} and does not come back by itself.", id,
                            local_day(*gone)),
                "Give the page no id if it is to be kept again.");
  return {};
}

Status set_state(Connection& connection, std::int64_t number, std::string_view state) {
  Statement update = TRY(connection.prepare("UPDATE page SET state = ?2 WHERE number = ?1"));
  TRY(update.bind(1, number).bind(2, state).run());
  return write_event(connection, number);
}

// The page that the forgotten one had taken the place of; empty if none.
Result<std::string> revive_previous(Connection& connection, const Page& page) {
  if (page.supersedes.empty() || page.state != "live") return std::string();
  std::int64_t number = 0;
  {
    Statement select =
        TRY(connection.prepare("SELECT number FROM page WHERE id = ?1 AND state = 'superseded'"));
    select.bind(1, page.supersedes);
    if (!TRY(select.step())) return std::string();
    number = select.integer(0);
  }
  TRY(set_state(connection, number, "live"));
  return page.supersedes;
}

// Runs a statement with one number and says how many rows it changed.
Result<std::int64_t> run_on(Connection& connection, std::string_view sql, std::int64_t number) {
  Statement statement = TRY(connection.prepare(sql));
  TRY(statement.bind(1, number).run());
  return connection.changes();
}

}  // namespace

Result<Stored> read_page(Connection& connection, std::int64_t number) {
  Stored stored;
  {
    Statement select =
        TRY(connection.prepare(fmt::format("SELECT {} FROM page WHERE number = ?1", kColumns)));
    select.bind(1, number);
    if (!TRY(select.step()))
      return fail(Code::internal, fmt::format("Page number {} is not there.", number));
    stored = row_of(select);
  }
  TRY(read_tags(connection, stored));
  return stored;
}

Result<Stored> find_page(Connection& connection, std::string_view id_or_prefix) {
  const std::string id = TRY(resolve_id(connection, id_or_prefix));
  std::int64_t number = 0;
  {
    Statement select = TRY(connection.prepare("SELECT number FROM page WHERE id = ?1"));
    select.bind(1, id);
    if (!TRY(select.step())) return fail(Code::internal, fmt::format("Page {} is not there.", id));
    number = select.integer(0);
  }
  return read_page(connection, number);
}

Result<std::optional<WallMs>> forgotten_ms(Connection& connection, std::string_view page_id) {
  Statement select = TRY(connection.prepare("SELECT at_ms FROM tombstone WHERE page_id = ?1"));
  select.bind(1, page_id);
  if (!TRY(select.step())) return std::optional<WallMs>();
  return std::optional<WallMs>(select.integer(0));
}

Result<std::vector<Page>> list_pages(Connection& connection, std::string_view kind, int limit) {
  if (!kind.empty()) TRY(check_kind(std::string(kind)));
  std::vector<Stored> rows;
  {
    Statement select = TRY(connection.prepare(fmt::format(
        "SELECT {} FROM page WHERE ?1 = '' OR kind = ?1 ORDER BY number DESC LIMIT ?2", kColumns)));
    select.bind(1, kind).bind(2, std::clamp(limit, 0, limits::memory_list));
    while (TRY(select.step())) rows.push_back(row_of(select));
  }
  std::vector<Page> pages;
  for (Stored& row : rows) {
    TRY(read_tags(connection, row));
    pages.push_back(std::move(row.page));
  }
  return pages;
}

Result<Added> insert_page(Connection& connection, const Draft& draft, WallMs now,
                          std::vector<std::int64_t>& to_index) {
  Page page;
  static_cast<NewPage&>(page) = draft.page;
  if (page.id.empty())
    page.id = make_ulid(now);
  else
    TRY(check_free(connection, page.id));
  if (page.created_ms == 0) page.created_ms = now;
  if (page.updated_ms == 0) page.updated_ms = page.created_ms;

  const Meaning meaning = meaning_of(page);
  const std::vector<Equal> equal = TRY(equal_pages(connection, page, meaning));
  if (!equal.empty() && trust_of(equal.front().origin) >= trust_of(page.origin))
    return merge_page(connection, equal.front().number, draft, now);

  const std::vector<Stored> outdated = TRY(outdated_pages(connection, page, meaning, equal));
  if (!outdated.empty()) page.supersedes = outdated.back().page.id;
  const std::int64_t number = TRY(insert_row(connection, page, meaning));
  TRY(write_tags(connection, number, page.tags));
  for (const Stored& old : outdated) TRY(set_state(connection, old.number, "superseded"));
  TRY(change_corpus(connection, {1, 1, 0, 0}));
  TRY(write_revision(connection, number, page,
                     page.origin == "owner"    ? "owner"
                     : page.origin == "import" ? "import"
                                               : "agent",
                     draft.cleaned ? "invalid bytes were replaced" : "added", now));
  to_index.push_back(number);
  return Added{page, false, draft.cleaned, page.supersedes};
}

Result<Page> restore_page(Connection& connection, const History& history,
                          std::vector<std::int64_t>& to_index) {
  if (history.revisions.empty())
    return fail(Code::corrupt, "The page has no revision.", "Import its Markdown file alone.");
  TRY(check_chain(history.revisions));
  const Revision& newest = history.revisions.back();
  const Draft draft = TRY(make_draft(TRY(content_of(newest))));
  Page page;
  static_cast<NewPage&>(page) = draft.page;
  page.pinned = TRY(content_of(newest)).pinned;  // by the owner, whoever wrote the page
  TRY(check_free(connection, page.id));
  if (history.created_ms != 0) page.created_ms = history.created_ms;
  if (page.created_ms == 0) page.created_ms = history.revisions.front().at_ms;
  if (history.updated_ms != 0) page.updated_ms = history.updated_ms;
  page.revision = static_cast<int>(newest.rev);
  page.hash = newest.hash;
  page.state = history.state == "superseded" ? history.state : "live";
  page.supersedes = is_ulid(history.supersedes) ? history.supersedes : std::string();
  if (page.title != newest.title || page.body != newest.body)
    return fail(Code::corrupt,
                fmt::format("Page {} holds a text that keel would not have written.", page.id),
                "Import its Markdown file alone.");
  const std::int64_t number = TRY(insert_row(connection, page, meaning_of(page)));
  TRY(write_tags(connection, number, page.tags));
  TRY(change_corpus(connection, {0, 1, 0, 0}));
  for (const Revision& revision : history.revisions)
    TRY(write_revision_as_is(connection, number, revision));
  if (page.state != "live" || page.updated_ms != newest.at_ms) TRY(write_event(connection, number));
  to_index.push_back(number);
  return page;
}

Result<Page> revise_page(Connection& connection, std::int64_t number, const Draft& changed,
                         std::string_view by, std::string_view reason, WallMs now) {
  Stored stored = TRY(read_page(connection, number));
  Page& page = stored.page;
  const NewPage old = page;
  static_cast<NewPage&>(page) = changed.page;
  page.id = old.id;
  if (page.created_ms == 0) page.created_ms = old.created_ms;
  if (page.updated_ms == 0) page.updated_ms = now;
  page.revision += 1;
  // Those of the place in which it was lend each other other words once it has left.
  std::vector<std::int64_t> to_index = {number};
  if (page.session != old.session || page.created_ms != old.created_ms || page.kind != old.kind)
    for (const std::int64_t other : TRY(neighbours_of(connection, number)))
      to_index.push_back(other);
  const Meaning meaning = meaning_of(page);
  {
    Statement update = TRY(connection.prepare(
        "UPDATE page SET title = ?2, body = ?3, pinned = ?4, question = ?5, subject = ?6, "
        "attribute = ?7, value = ?8, rev = ?9, norm_hash = ?10, body_hash = ?11, updated_ms = ?12, "
        "kind = ?13, origin = ?14, session = ?15, turn = ?16, quote = ?17, created_ms = ?18, "
        "speaker = ?20, day = ?21, aliases = ?22, importance = ?23, valid_from = ?24, valid_to = "
        "?25, source_uri = ?26, gist = ?27, lang = ?28, author_model = ?29, extra = ?30 "
        "WHERE number = ?1"));
    update.bind(1, number).bind(2, page.title).bind(3, page.body).bind(4, page.pinned);
    update.bind(5, is_question(page.body)).bind(6, meaning.attribute.subject);
    update.bind(7, meaning.attribute.attribute).bind(8, meaning.attribute.value);
    update.bind(9, page.revision).bind(10, meaning.norm).bind(11, sha256_hex(page.body));
    update.bind(12, page.updated_ms).bind(13, page.kind).bind(14, page.origin);
    update.bind(15, page.session).bind(16, page.source_turn).bind(17, page.source_quote);
    TRY(bind_rest(update.bind(18, page.created_ms), page).run());
  }
  TRY(write_tags(connection, number, page.tags));
  TRY(change_corpus(connection, {1, 0, 0, 0}));
  TRY(write_revision(connection, number, page, by, reason, now));
  TRY(index_pages(connection, to_index));
  return page;
}

Result<Forgotten> forget_page(Connection& connection, std::string_view id_or_prefix, WallMs now) {
  Stored stored = TRY(find_page(connection, id_or_prefix));
  Forgotten gone;
  gone.page = std::move(stored.page);
  const std::vector<std::int64_t> neighbours = TRY(neighbours_of(connection, stored.number));
  gone.segments = TRY(unindex_page(connection, stored.number));
  gone.revisions = TRY(run_on(connection, "DELETE FROM revision WHERE page = ?1", stored.number));
  TRY(run_on(connection, "DELETE FROM tag WHERE page = ?1", stored.number));
  TRY(run_on(connection, "DELETE FROM page WHERE number = ?1", stored.number));
  {
    Statement blank = TRY(connection.prepare(
        "UPDATE retrieval_hit SET title = '(forgotten)', snippet = '' WHERE page_id = ?1"));
    TRY(blank.bind(1, gone.page.id).run());
    gone.audit_rows = connection.changes();
  }
  gone.revived = TRY(revive_previous(connection, gone.page));
  {
    Statement select = TRY(connection.prepare(
        "SELECT e.page FROM exchange e JOIN page p ON p.id = e.page WHERE e.turn = ?1"));
    select.bind(1, gone.page.source_turn);
    if (TRY(select.step())) gone.quoted = select.text(0);
  }
  TRY(change_corpus(connection, {1, -1, 0, 0}));
  TRY(index_pages(connection, neighbours));
  const std::int64_t seq = TRY(corpus_of(connection)).seq;
  Statement bury = TRY(connection.prepare(
      "INSERT INTO tombstone(page_id, at_ms, by, reason, rev, body_hash, hash, seq) "
      "VALUES(?1, ?2, 'owner', 'forget', ?3, ?4, ?5, ?6)"));
  bury.bind(1, gone.page.id).bind(2, now).bind(3, gone.page.revision);
  TRY(bury.bind(4, sha256_hex(gone.page.body)).bind(5, gone.page.hash).bind(6, seq).run());
  return gone;
}

}  // namespace keel::memory
