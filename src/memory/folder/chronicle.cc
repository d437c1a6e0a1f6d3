#include "memory/folder/chronicle.h"

#include <algorithm>
#include <optional>

#include "base/limits.h"
#include "base/text.h"
#include "memory/revisions.h"

namespace keel::memory {
namespace {

using store::Connection;
using store::Statement;

struct Step {
  std::string page_id;
  std::int64_t number = 0;  // of the page
  std::int64_t rev = 0;
  bool forgotten = false;
};

Result<std::vector<Step>> newest_steps(Connection& connection, int limit) {
  Statement select = TRY(connection.prepare(
      "SELECT id, number, rev, gone FROM (SELECT r.seq AS seq, p.id AS id, p.number AS number, "
      "r.rev AS rev, 0 AS gone FROM revision r JOIN page p ON p.number = r.page UNION ALL SELECT "
      "seq, page_id, 0, rev, 1 FROM tombstone) ORDER BY seq DESC, rev DESC LIMIT ?1"));
  select.bind(1, limit);
  std::vector<Step> steps;
  while (TRY(select.step()))
    steps.push_back({select.text(0), select.integer(1), select.integer(2), select.integer(3) != 0});
  return steps;
}

Result<std::optional<Entry>> tombstone_of(Connection& connection, std::string_view page_id) {
  Statement select = TRY(connection.prepare(
      "SELECT page_id, rev, hash, by, at_ms FROM tombstone WHERE page_id = ?1 OR (length(?1) >= 4 "
      "AND (substr(page_id, 1, length(?1)) = ?1 OR substr(page_id, -length(?1)) = ?1)) LIMIT 1"));
  select.bind(1, page_id);
  if (!TRY(select.step())) return std::optional<Entry>();
  return std::optional<Entry>(Entry{select.text(0),
                                    select.integer(1),
                                    select.text(2),
                                    select.text(3),
                                    "forgotten",
                                    {},
                                    select.integer(4)});
}

// What one form changed of the one before.
std::string changes_of(const Revision& revision, const Revision* before) {
  std::string what = revision.reason;
  const Result<NewPage> now = content_of(revision);
  if (before == nullptr || !now) return what;
  const Result<NewPage> old = content_of(*before);
  if (!old) return what;
  std::vector<std::string> parts;
  const auto note = [&](bool changed, const char* name) {
    if (changed) parts.emplace_back(name);
  };
  note(old->title != now->title, "title");
  note(old->body != now->body, "text");
  note(old->kind != now->kind, "kind");
  note(old->origin != now->origin, "origin");
  note(old->tags != now->tags, "tags");
  note(old->aliases != now->aliases, "aliases");
  note(old->pinned != now->pinned, now->pinned ? "pinned" : "unpinned");
  note(old->importance != now->importance, "importance");
  note(old->session != now->session || old->speaker != now->speaker, "who said it");
  note(old->day != now->day || old->valid_from != now->valid_from || old->valid_to != now->valid_to,
       "dates");
  note(!(old->extra == now->extra), "further keys");
  if (parts.empty() || (parts.size() == 1 && parts[0] == what)) return what;
  return what + ": " + join(parts, ", ");
}

Entry entry_of(const Revision& one, const Revision* before) {
  return {one.page_id, one.rev, one.hash, one.by, changes_of(one, before), one.title, one.at_ms};
}

Result<std::vector<Entry>> of_page(Memory& memory, Connection& connection, std::string_view page,
                                   std::size_t limit) {
  const Result<std::vector<Revision>> revisions = memory.revisions(page);
  if (!revisions) {
    std::string id(trim(page));
    std::transform(id.begin(), id.end(), id.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    if (auto gone = TRY(tombstone_of(connection, id))) return std::vector<Entry>{*gone};
    return tl::unexpected<Error>(revisions.error());
  }
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < revisions->size() && i < limit; ++i)
    entries.push_back(
        entry_of((*revisions)[i], i + 1 < revisions->size() ? &(*revisions)[i + 1] : nullptr));
  return entries;
}

}  // namespace

Result<std::vector<Entry>> chronicle(Memory& memory, store::Database& database,
                                     std::string_view page, int limit) {
  return database.read([&](Connection& connection) -> Result<std::vector<Entry>> {
    const int most = std::clamp(limit, 0, limits::memory_list);
    if (!page.empty()) return of_page(memory, connection, page, static_cast<std::size_t>(most));
    std::vector<Entry> entries;
    for (const Step& step : TRY(newest_steps(connection, most))) {
      if (step.forgotten) {
        if (auto gone = TRY(tombstone_of(connection, step.page_id))) entries.push_back(*gone);
        continue;
      }
      const Revision one = TRY(read_revision(connection, step.number, step.rev));
      const Result<Revision> before = read_revision(connection, step.number, step.rev - 1);
      entries.push_back(entry_of(one, before ? &*before : nullptr));
    }
    return entries;
  });
}

Json entry_json(const Entry& entry) {
  return {{"page", entry.page_id},      {"revision", entry.rev},
          {"hash", entry.hash},         {"by", entry.by},
          {"what", entry.what},         {"title", entry.title},
          {"at", iso_time(entry.at_ms)}};
}

}  // namespace keel::memory
