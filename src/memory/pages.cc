#include "memory/pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/index.h"
#include "memory/text/sentences.h"
#include "memory/text/statement.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

const std::vector<std::string> kKinds = {"fact",    "preference", "commitment", "episode",
                                         "finding", "journal",    "persona",    "skill"};
const std::vector<std::string> kOrigins = {"owner", "agent", "import", "untrusted", "system"};

// Whose word counts for more. A page never takes the place of one that is trusted more.
int trust_of(std::string_view origin) {
  if (origin == "owner" || origin == "system") return 3;
  if (origin == "agent") return 2;
  return origin == "import" ? 1 : 0;
}

Status check_name(std::string_view what, const std::string& name,
                  const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return {};
  const std::string near = nearest_name(name, known);
  return fail(
      Code::invalid_argument, fmt::format("'{}' is not a {} of a page.", printable(name, 40), what),
      near.empty() ? "Use one of: " + join(known, ", ") + "." : "Did you mean '" + near + "'?");
}

std::string clean(std::string_view text, bool& cleaned) {
  if (is_valid_utf8(text) && text.find('\0') == std::string_view::npos) return std::string(text);
  cleaned = true;
  return to_valid_utf8(text);
}

// One line without control characters.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (control || c == ' ') {
      if (!line.empty() && line.back() != ' ') line += ' ';
    } else {
      line += c;
    }
  }
  return std::string(trim(line));
}

Status clean_tags(const std::vector<std::string>& tags, Draft& draft) {
  if (tags.size() > limits::memory_tags)
    return fail(Code::limit,
                fmt::format("The page has {} tags; a page holds at most {}.", tags.size(),
                            limits::memory_tags),
                "Leave some out, or put them into the text.");
  std::vector<std::string> folded;
  draft.page.tags.clear();
  for (const std::string& raw : tags) {
    if (raw.size() > limits::memory_tag_bytes)
      return fail(Code::limit,
                  fmt::format("The tag '{}' has {} bytes; a tag holds at most {}.",
                              printable(raw, 40), raw.size(), limits::memory_tag_bytes),
                  "Shorten the tag.");
    const std::string tag = one_line(clean(raw, draft.cleaned));
    const std::string key = fold_case(tag);
    if (tag.empty() || std::find(folded.begin(), folded.end(), key) != folded.end()) continue;
    folded.push_back(key);
    draft.page.tags.push_back(tag);
  }
  return {};
}

std::string first_line(std::string_view body) {
  const std::string_view said = without_frame(body);
  std::string_view line = trim(said.substr(0, said.find('\n')));
  while (line.starts_with('#')) line.remove_prefix(1);
  return one_line(line);
}

constexpr std::string_view kColumns =
    "number, id, kind, title, body, origin, turn, quote, pinned, rev, created_ms, updated_ms, "
    "session, "
    "state, supersedes, (SELECT hash FROM revision r WHERE r.page = page.number AND r.rev = "
    "page.rev)";

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

std::string props_of(const Page& page) {
  return dump_json(Json{{"kind", page.kind},
                        {"origin", page.origin},
                        {"tags", page.tags},
                        {"pinned", page.pinned},
                        {"session", page.session},
                        {"turn", page.source_turn},
                        {"quote", page.source_quote}});
}

struct RevisionRow {
  std::string title, body, props, by, reason, prev_hash;
  std::int64_t rev = 0;
  WallMs at_ms = 0;
};

std::string hash_of(std::string_view page_id, const RevisionRow& row) {
  return sha256_hex(dump_json(Json::array({page_id, row.rev, row.prev_hash, row.title, row.body,
                                           row.props, row.by, row.reason, row.at_ms})));
}

// Appends the page's newest form to its chain; page.hash becomes the new head.
Status write_revision(Connection& connection, std::int64_t number, Page& page, std::string_view by,
                      std::string_view reason, WallMs now) {
  const std::int64_t seq = TRY(corpus_of(connection)).seq;
  const RevisionRow row{page.title,          page.body, props_of(page), std::string(by),
                        std::string(reason), page.hash, page.revision,  now};
  page.hash = hash_of(page.id, row);
  Statement insert = TRY(connection.prepare(
      "INSERT INTO revision(page, rev, parent_rev, title, body, props, by, reason, seq, at_ms, "
      "prev_hash, hash) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"));
  insert.bind(1, number).bind(2, row.rev).bind(4, row.title).bind(5, row.body).bind(6, row.props);
  if (row.rev > 1)
    insert.bind(3, row.rev - 1);
  else
    insert.bind_null(3);
  insert.bind(7, row.by).bind(8, row.reason).bind(9, seq).bind(10, now);
  return insert.bind(11, row.prev_hash).bind(12, page.hash).run();
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

// Titles that only repeat the body do not make two pages different; titles that say more do.
Meaning meaning_of(const Page& page) {
  Meaning meaning;
  std::string text = normal_form(without_frame(page.body));
  const std::string title = normal_form(page.title);
  if (text.find(title) == std::string::npos) text += "\n" + title;
  meaning.norm = sha256_hex(text);
  if (page.kind != "persona") {
    if (auto found = attribute_of(page.body)) meaning.attribute = std::move(*found);
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

  Draft grown{{}, false};
  grown.page.tags = old.page.tags;
  for (const std::string& tag : draft.page.tags) {
    const auto same = [&](const std::string& other) { return fold_case(other) == fold_case(tag); };
    if (grown.page.tags.size() < limits::memory_tags &&
        std::none_of(grown.page.tags.begin(), grown.page.tags.end(), same))
      grown.page.tags.push_back(tag);
  }
  grown.page.pinned = old.page.pinned || draft.page.pinned;
  if (grown.page.tags != old.page.tags || grown.page.pinned != old.page.pinned) {
    grown.page.title = old.page.title;
    grown.page.body = old.page.body;
    const std::string by = draft.page.origin == "owner" ? "owner" : "agent";
    added.page = TRY(revise_page(connection, number, grown, by, "merged with an equal page", now));
  }
  return added;
}

Result<std::int64_t> insert_row(Connection& connection, const Page& page, const Meaning& meaning) {
  Statement insert = TRY(connection.prepare(
      "INSERT INTO page(id, kind, title, body, origin, session, turn, quote, pinned, question, "
      "subject, "
      "attribute, value, supersedes, rev, norm_hash, body_hash, created_ms, updated_ms) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 1, ?15, ?16, ?17, "
      "?17)"));
  insert.bind(1, page.id).bind(2, page.kind).bind(3, page.title).bind(4, page.body);
  insert.bind(5, page.origin)
      .bind(6, page.session)
      .bind(7, page.source_turn)
      .bind(8, page.source_quote);
  insert.bind(9, page.pinned).bind(10, is_question(page.body)).bind(11, meaning.attribute.subject);
  insert.bind(12, meaning.attribute.attribute).bind(13, meaning.attribute.value);
  insert.bind(14, page.supersedes).bind(15, meaning.norm).bind(16, sha256_hex(page.body));
  TRY(insert.bind(17, page.created_ms).run());
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
  Statement gone = TRY(connection.prepare("SELECT at_ms FROM tombstone WHERE page_id = ?1"));
  gone.bind(1, wanted);
  if (TRY(gone.step()))
    return fail(Code::not_found,
                fmt::format("The page {} was forgotten on {}.", wanted, iso_day(gone.integer(0))),
                "What it said is no longer kept.");
  return fail(Code::not_found, fmt::format("There is no page '{}'.", shown), kHint);
}

Result<std::string> revive_previous(Connection& connection, const Page& page) {
  if (page.supersedes.empty() || page.state != "live") return std::string();
  Statement update = TRY(
      connection.prepare("UPDATE page SET state = 'live' WHERE id = ?1 AND state = 'superseded'"));
  TRY(update.bind(1, page.supersedes).run());
  return connection.changes() > 0 ? page.supersedes : std::string();
}

// Runs a statement with one number and says how many rows it changed.
Result<std::int64_t> run_on(Connection& connection, std::string_view sql, std::int64_t number) {
  Statement statement = TRY(connection.prepare(sql));
  TRY(statement.bind(1, number).run());
  return connection.changes();
}

}  // namespace

Result<Draft> make_draft(const NewPage& page) {
  Draft draft{page, false};
  TRY(check_name("kind", page.kind, kKinds));
  TRY(check_name("origin", page.origin, kOrigins));
  const auto too_long = [](std::size_t bytes) {
    return fail(Code::limit,
                fmt::format("The page has {} bytes; a page holds at most {}.", bytes,
                            limits::memory_body_bytes),
                "Split it into several pages, or keep the file and remember where it is.");
  };
  if (page.title.size() + page.body.size() > limits::memory_body_bytes)
    return too_long(page.title.size() + page.body.size());
  // The identity is the owner's: nobody else writes persona pages, and a pin is his.
  const bool by_owner = page.origin == "owner" || page.origin == "system";
  if (page.kind == "persona" && !by_owner)
    return fail(Code::permission, "A persona page can only be written by the owner.",
                "Use `keel memory edit` on the page.");
  NewPage& out = draft.page;
  out.pinned = page.pinned && by_owner;
  out.title = one_line(clean(page.title, draft.cleaned));
  out.body = std::string(trim(clean(page.body, draft.cleaned)));
  if (out.title.empty() && out.body.empty())
    return fail(Code::invalid_argument, "A page needs a text; this one is empty.",
                "Say what should be remembered.");
  if (out.body.empty()) out.body = out.title;
  if (out.title.empty()) out.title = shorten(first_line(out.body), limits::memory_title_bytes);
  if (out.title.size() > limits::memory_title_bytes) {
    if (out.body.find(out.title) == std::string::npos) out.body = out.title + "\n\n" + out.body;
    out.title = shorten(out.title, limits::memory_title_bytes);
  }
  if (out.body.size() > limits::memory_body_bytes) return too_long(out.body.size());
  out.source_quote = shorten(clean(page.source_quote, draft.cleaned), limits::memory_quote_bytes);
  out.source_turn =
      shorten(one_line(clean(page.source_turn, draft.cleaned)), limits::memory_reference_bytes);
  out.session =
      shorten(one_line(clean(page.session, draft.cleaned)), limits::memory_reference_bytes);
  TRY(clean_tags(page.tags, draft));
  return draft;
}

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

Result<std::vector<Page>> list_pages(Connection& connection, std::string_view kind, int limit) {
  if (!kind.empty()) TRY(check_name("kind", std::string(kind), kKinds));
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

Result<Added> insert_page(Connection& connection, const Draft& draft, std::string id, WallMs now) {
  const NewPage& from = draft.page;
  Page page;
  page.id = std::move(id);
  page.kind = from.kind;
  page.title = from.title;
  page.body = from.body;
  page.origin = from.origin;
  page.source_turn = from.source_turn;
  page.source_quote = from.source_quote;
  page.tags = from.tags;
  page.pinned = from.pinned;
  page.session = from.session;
  page.created_ms = page.updated_ms = now;

  const Meaning meaning = meaning_of(page);
  const std::vector<Equal> equal = TRY(equal_pages(connection, page, meaning));
  if (!equal.empty() && trust_of(equal.front().origin) >= trust_of(page.origin))
    return merge_page(connection, equal.front().number, draft, now);

  const std::vector<Stored> outdated = TRY(outdated_pages(connection, page, meaning, equal));
  if (!outdated.empty()) page.supersedes = outdated.back().page.id;
  const std::int64_t number = TRY(insert_row(connection, page, meaning));
  TRY(write_tags(connection, number, page.tags));
  for (const Stored& old : outdated)
    TRY(run_on(connection, "UPDATE page SET state = 'superseded' WHERE number = ?1", old.number));
  TRY(change_corpus(connection, {1, 1, 0, 0}));
  TRY(write_revision(connection, number, page,
                     page.origin == "owner"    ? "owner"
                     : page.origin == "import" ? "import"
                                               : "agent",
                     draft.cleaned ? "invalid bytes were replaced" : "added", now));
  TRY(index_page(connection, number));
  TRY(index_neighbours(connection, TRY(neighbours_of(connection, number))));
  return Added{page, false, draft.cleaned, page.supersedes};
}

Result<Page> revise_page(Connection& connection, std::int64_t number, const Draft& changed,
                         std::string_view by, std::string_view reason, WallMs now) {
  Stored stored = TRY(read_page(connection, number));
  Page& page = stored.page;
  page.title = changed.page.title;
  page.body = changed.page.body;
  page.tags = changed.page.tags;
  page.pinned = changed.page.pinned;
  page.revision += 1;
  page.updated_ms = now;
  const Meaning meaning = meaning_of(page);
  {
    Statement update =
        TRY(connection.prepare("UPDATE page SET title = ?2, body = ?3, pinned = ?4, question = ?5, "
                               "subject = ?6, attribute = ?7, "
                               "value = ?8, rev = ?9, norm_hash = ?10, body_hash = ?11, updated_ms "
                               "= ?12 WHERE number = ?1"));
    update.bind(1, number).bind(2, page.title).bind(3, page.body).bind(4, page.pinned);
    update.bind(5, is_question(page.body)).bind(6, meaning.attribute.subject);
    update.bind(7, meaning.attribute.attribute)
        .bind(8, meaning.attribute.value)
        .bind(9, page.revision);
    TRY(update.bind(10, meaning.norm).bind(11, sha256_hex(page.body)).bind(12, now).run());
  }
  TRY(write_tags(connection, number, page.tags));
  TRY(change_corpus(connection, {1, 0, 0, 0}));
  TRY(write_revision(connection, number, page, by, reason, now));
  TRY(index_page(connection, number));
  TRY(index_neighbours(connection, TRY(neighbours_of(connection, number))));
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
  TRY(change_corpus(connection, {1, -1, 0, 0}));
  TRY(index_neighbours(connection, neighbours));
  const std::int64_t seq = TRY(corpus_of(connection)).seq;
  Statement bury = TRY(connection.prepare(
      "INSERT INTO tombstone(page_id, at_ms, by, reason, rev, body_hash, hash, seq) "
      "VALUES(?1, ?2, 'owner', 'forget', ?3, ?4, ?5, ?6)"));
  bury.bind(1, gone.page.id).bind(2, now).bind(3, gone.page.revision);
  TRY(bury.bind(4, sha256_hex(gone.page.body)).bind(5, gone.page.hash).bind(6, seq).run());
  return gone;
}

Status verify_revisions(Connection& connection) {
  Statement select = TRY(connection.prepare(
      "SELECT p.id, r.rev, r.prev_hash, r.title, r.body, r.props, r.by, r.reason, r.at_ms, r.hash, "
      "p.rev, "
      "p.title = r.title AND p.body = r.body FROM page p JOIN revision r ON r.page = p.number "
      "ORDER BY p.number, r.rev"));
  std::string page, head;
  std::int64_t rev = 0;
  while (TRY(select.step())) {
    const std::string id = select.text(0);
    if (id != page) {
      page = id;
      head.clear();
      rev = 0;
    }
    const RevisionRow row{select.text(3), select.text(4), select.text(5),    select.text(6),
                          select.text(7), select.text(2), select.integer(1), select.integer(8)};
    const bool newest = row.rev == select.integer(10);
    if (row.rev != ++rev || row.prev_hash != head || hash_of(id, row) != select.text(9) ||
        (newest && select.integer(11) == 0))
      return fail(
          Code::corrupt,
          fmt::format("Revision {} of page {} does not check out: it was changed outside keel.",
                      row.rev, id),
          "Look at it with `keel memory show`, then edit it so that a good revision is the newest, "
          "or forget it.");
    head = select.text(9);
  }
  return {};
}

}  // namespace keel::memory
