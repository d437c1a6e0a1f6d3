// From Notion to memory: rows that changed, rows that the owner wrote, rows that are gone.
#include <fmt/format.h>

#include <algorithm>

#include "base/id.h"
#include "base/text.h"
#include "memory/notion/pass.h"

namespace keel::memory::notion {
namespace {

constexpr WallMs kMinute = 60'000;

bool is_own_write(const Pass& pass, const Row& row, const Entry& entry) {
  // Clocks may differ by a little.
  return row.edited_by == pass.bot && row.edited_ms <= entry.edited_ms + kMinute;
}

bool may_write(const Pass& pass, const std::string& user) {
  return pass.owner.empty() || user == pass.owner || user == pass.bot;
}

// Whether its text may be another one than the one that was read last. Times are by the minute, so
// an edit in the minute of the last look may have come behind it.
bool wants_reading(const Pass& pass, const Row& row, const Entry& entry) {
  if (pass.options.compare_all || entry.state == "held") return true;
  if (row.edited_by == pass.bot) return !is_own_write(pass, row, entry);
  return row.edited_ms + limits::notion_overlap_minutes * kMinute > entry.checked_ms;
}

// `id` is that of the page the row was made for, where memory does not have it (any more).
Status adopt(Pass& pass, const Row& row, const std::string& id = {}) {
  const Markdown markdown = TRY(get_markdown(pass, row.id));
  const std::string body = read_markdown(markdown.text, {}, {}, {}).body;
  if (row.title.empty() && body.empty()) return {};  // just made; it is looked at again
  NewPage page;
  page.id = id;
  page.title = row.title;
  page.body = body.empty() ? row.title : body;
  page.tags = row.tags;
  page.origin = may_write(pass, row.created_by) ? "owner" : "untrusted";
  constexpr std::string_view kKinds[] = {"preference", "commitment", "episode",
                                         "finding",    "journal",    "skill"};
  if (std::find(std::begin(kKinds), std::end(kKinds), row.kind) != std::end(kKinds))
    page.kind = row.kind;
  Result<Added> added = pass.memory.add(page);
  if (!added) {
    if (added.error().code != Code::limit && added.error().code != Code::invalid_argument)
      return keel::pass(std::move(added).error());
    pass.notice(
        fmt::format("the row {} of Notion is not taken over: {}", row.id, added.error().message));
    return {};
  }
  const Page& made = added->page;
  if (added->merged && TRY(pass.ledger.by_page(made.id))) {
    pass.notice(fmt::format("the row {} of Notion says what page {} says; it is left alone", row.id,
                            made.id));
    return {};
  }
  Entry entry;
  entry.page_id = made.id;
  entry.remote_id = row.id;
  entry.base_rev = made.revision;
  // Its other properties are written with the first change of the page.
  entry.base_state = made.state;
  entry.checked_ms = pass.there();
  learn(entry, markdown.text, shown_body(made.title, made.body));
  ++pass.report.adopted;
  return pass.ledger.put(entry);
}

// A row whose keel_id belongs to a page that has another row.
Status take_double(Pass& pass, const Row& row) {
  if (row.created_by != pass.bot) return adopt(pass, row);  // the owner duplicated it
  pass.notice(fmt::format("the row {} stood twice in Notion; the younger one is put into the trash",
                          row.id));
  TRY(need(pass.client.write("PATCH", "/pages/" + row.id, {{"in_trash", true}}, pass.stop)));
  ++pass.report.trashed;
  return {};
}

Status compare(Pass& pass, Entry entry, const Page& page, const Row& row) {
  const std::optional<Version> base = TRY(pass.ledger.version(page.id, entry.base_rev));
  // Without a common form both texts are kept: Notion's as the newest, the other as a revision.
  const Version from = base ? *base : version_of(page);
  if (!base) {
    entry.base_rev = page.revision;
    entry.base_state = page.state;
  }
  std::vector<std::string> tags = row.tags;
  std::vector<std::string> had = sendable_tags(from.face.tags);
  std::sort(tags.begin(), tags.end());
  std::sort(had.begin(), had.end());
  const bool face_changed = (!row.title.empty() && row.title != from.face.title) || tags != had;
  const bool reading = wants_reading(pass, row, entry);
  if (!reading && !face_changed) return {};

  Theirs theirs;
  theirs.title = row.title;
  theirs.tags = tags == had ? sendable_tags(from.face.tags) : row.tags;
  theirs.by = row.edited_by == pass.bot && page.kind != "persona" ? "sync" : "owner";
  bool body_changed = false;
  if (reading) {
    const Markdown markdown = TRY(get_markdown(pass, row.id));
    const std::string local = shown_body(from.face.title, from.body);
    std::vector<bool> fresh;
    if (!entry.verified) fresh.assign(units_of(local).size(), true);
    Reading read = read_markdown(markdown.text, local, marks_from(entry.marks), fresh);
    body_changed = !read.same;
    theirs.read = markdown.whole;
    theirs.body = std::move(read.body);
    theirs.markdown = markdown.text;
    if (!markdown.whole && body_changed)
      pass.notice(
          fmt::format("page {} holds something in Notion that has no text form; its text "
                      "there is left alone",
                      page.id));
  }
  if (!face_changed && !body_changed) {
    entry.checked_ms = pass.there();
    if (row.edited_by == pass.bot) entry.edited_ms = std::max(entry.edited_ms, row.edited_ms);
    if (entry.state == "held") entry.state = "synced";
    learn(entry, theirs.markdown, shown_body(from.face.title, from.body));
    return pass.ledger.put(entry);
  }
  if (!may_write(pass, row.edited_by)) {
    if (entry.state != "held") {
      ++pass.report.held;
      pass.notice(
          fmt::format("page {} was changed in Notion by somebody else (user {}); it waits "
                      "until the owner edits it there",
                      page.id, row.edited_by));
    }
    entry.state = "held";
    entry.note = "changed in Notion by somebody who is not the owner";
    return pass.ledger.put(entry);
  }
  return take_over(pass, std::move(entry), page, from, theirs);
}

Status take_row(Pass& pass, const Row& row) {
  std::optional<Entry> entry = TRY(pass.ledger.by_remote(row.id));
  if (!entry) {
    if (!is_ulid(row.keel_id)) return adopt(pass, row);
    const std::optional<Entry> other = TRY(pass.ledger.by_page(row.keel_id));
    if (other && !other->remote_id.empty() && other->state != "trashed")
      return take_double(pass, row);
    if (other && other->remote_id.empty()) return {};  // under way; settle() finds it
    Result<Page> page = pass.memory.get(row.keel_id);
    if (!page && page.error().code != Code::not_found) return keel::pass(std::move(page).error());
    if (!page) {
      const bool forgotten = TRY(pass.ledger.is_forgotten(row.keel_id));
      return adopt(pass, row, forgotten ? std::string() : row.keel_id);
    }
    Entry made;
    made.page_id = row.keel_id;
    made.remote_id = row.id;
    return compare(pass, made, *page, row);
  }
  Result<Page> page = pass.memory.get(entry->page_id);
  if (!page) {
    if (page.error().code != Code::not_found) return keel::pass(std::move(page).error());
    if (entry->state != "trashed") return {};  // forgotten here; it goes to the trash next
    TRY(pass.ledger.erase(entry->page_id));    // the owner took it out of the trash
    return adopt(pass, row);
  }
  return compare(pass, std::move(*entry), *page, row);
}

Status take_trashed(Pass& pass, const Row& row) {
  const std::optional<Entry> entry = TRY(pass.ledger.by_remote(row.id));
  if (entry && entry->state != "trashed") pass.deletions.push_back(entry->page_id);
  return {};
}

// Deleted by the owner: forgotten here too. A great many at once may be a mistake.
Status take_deletions(Pass& pass) {
  std::sort(pass.deletions.begin(), pass.deletions.end());
  pass.deletions.erase(std::unique(pass.deletions.begin(), pass.deletions.end()),
                       pass.deletions.end());
  if (pass.deletions.size() > static_cast<std::size_t>(limits::notion_deletions) &&
      !pass.options.accept_deletions)
    return fail(Code::limit,
                fmt::format("{} pages are in Notion's trash or gone; nothing was deleted here.",
                            pass.deletions.size()),
                "If that is what you want: keel memory sync --accept-deletions. If not, restore "
                "them in Notion.");
  for (const std::string& id : pass.deletions) {
    std::optional<Entry> entry = TRY(pass.ledger.by_page(id));
    if (!entry) continue;
    Result<std::string> receipt = pass.memory.forget(id);
    if (!receipt && receipt.error().code != Code::not_found)
      return keel::pass(std::move(receipt).error());
    entry->state = "trashed";
    entry->marks.clear();
    TRY(pass.ledger.put(*entry));
    ++pass.report.deleted;
  }
  return {};
}

struct Window {
  Json filter;
  std::string sort;
  bool trashed = false;
};

// All rows of one query; true if there were more than Notion gives.
template <class F>
Result<bool> each_row(Pass& pass, const Window& window, F&& take) {
  Json body{{"sorts", Json::array({{{"timestamp", window.sort}, {"direction", "ascending"}}})},
            {"page_size", limits::notion_rows}};
  if (!window.filter.is_null()) body["filter"] = window.filter;
  if (window.trashed) body["in_trash"] = true;
  for (;;) {
    const Json page = TRY(
        need(pass.client.read("POST", "/data_sources/" + pass.source + "/query", body, pass.stop)));
    const auto results = page.find("results");
    if (results == page.end() || !results->is_array())
      return fail(Code::network, "Notion's answer to a query holds no results.",
                  "It is tried again later.");
    for (const Json& one : *results) {
      if (json_string_or(one, "object", "") != "page") continue;
      TRY(take(TRY(row_of(one, pass.schema))));
    }
    const std::string next = json_string_or(page, "next_cursor", "");
    if (next.empty()) {
      const auto status = page.find("request_status");
      return status != page.end() && status->is_object() &&
             json_string_or(*status, "type", "") == "incomplete";
    }
    body["start_cursor"] = next;
  }
}

Json since(std::string_view timestamp, WallMs ms) {
  return {{"timestamp", timestamp}, {std::string(timestamp), {{"on_or_after", iso_time(ms)}}}};
}

// Every row, in windows of creation times, which never change. Rows that are in none are gone.
Status sweep(Pass& pass, WallMs& newest) {
  std::set<std::string> seen;
  WallMs from = 0;
  for (int window = 0; window < limits::notion_windows; ++window) {
    WallMs last = from;
    Window all{from > 0 ? since("created_time", from) : Json(), "created_time", false};
    const bool more = TRY(each_row(pass, all, [&](const Row& row) -> Status {
      last = std::max(last, row.created_ms);
      newest = std::max(newest, row.edited_ms);
      if (!seen.insert(row.id).second) return {};
      return take_row(pass, row);
    }));
    if (!more) break;
    if (last == from)
      return fail(Code::limit, "More than 10,000 rows of one minute cannot be listed by Notion.",
                  "Move some of them into another database.");
    from = last;
  }
  int asked = 0;
  for (const Entry& entry : TRY(pass.ledger.settled())) {
    if (seen.contains(entry.remote_id)) continue;
    if (++asked > 4 * limits::notion_deletions) {
      pass.deletions.push_back(entry.page_id);  // beyond counting: the owner is asked
      continue;
    }
    const Answer page = pass.client.get("/pages/" + entry.remote_id, pass.stop);
    const bool gone = page.ok() && TRY(row_of(page.json, pass.schema)).in_trash;
    if (gone) {
      pass.deletions.push_back(entry.page_id);
    } else if (page.status == 404) {
      pass.notice(fmt::format("the row of page {} cannot be seen any more", entry.page_id));
    } else if (!page.ok()) {
      return keel::pass(page.error);
    }
  }
  return pass.ledger.set("swept_ms", std::to_string(pass.now()));
}

}  // namespace

Result<Markdown> get_markdown(Pass& pass, const std::string& remote_id) {
  const Json json = TRY(
      need(pass.client.get("/pages/" + remote_id + "/markdown?markdown_version=v2", pass.stop)));
  Markdown markdown;
  markdown.text = TRY(json_string(json, "markdown"));
  const auto unknown = json.find("unknown_block_ids");
  markdown.whole = !json_bool_or(json, "truncated", false) &&
                   (unknown == json.end() || !unknown->is_array() || unknown->empty());
  return markdown;
}

Status refresh(Pass& pass, const Entry& entry) {
  Answer answer = pass.client.get("/pages/" + entry.remote_id, pass.stop);
  if (answer.status == 404) return {};
  const Row row = TRY(row_of(TRY(need(std::move(answer))), pass.schema));
  if (row.in_trash) {
    TRY(take_trashed(pass, row));
    return take_deletions(pass);
  }
  const bool compare_all = pass.options.compare_all;
  pass.options.compare_all = true;
  Status done = take_row(pass, row);
  pass.options.compare_all = compare_all;
  return done;
}

Status pull(Pass& pass) {
  const WallMs floor = TRY(pass.ledger.setting_ms("floor_ms"));
  const WallMs swept = TRY(pass.ledger.setting_ms("swept_ms"));
  const auto sweep_ms = std::chrono::milliseconds(limits::notion_sweep_time).count();
  WallMs newest = floor;
  if (floor == 0 || pass.options.compare_all || swept + sweep_ms < pass.now() ||
      swept > pass.now()) {
    TRY(sweep(pass, newest));
  } else {
    Window recent{since("last_edited_time", floor), "last_edited_time", false};
    while (TRY(each_row(pass, recent, [&](const Row& row) -> Status {
      newest = std::max(newest, row.edited_ms);
      return take_row(pass, row);
    }))) {
      const Json next = since("last_edited_time", newest);
      if (next == recent.filter) break;  // the sweep gets the rest
      recent.filter = next;
    }
  }
  const WallMs begin = floor > 0 ? floor : newest;
  Window gone{begin > 0 ? since("last_edited_time", begin) : Json(), "last_edited_time", true};
  TRY(each_row(pass, gone, [&](const Row& row) -> Status {
    newest = std::max(newest, row.edited_ms);
    return take_trashed(pass, row);
  }));
  TRY(take_deletions(pass));
  const WallMs next = newest - limits::notion_overlap_minutes * kMinute;
  return newest > 0 ? pass.ledger.set("floor_ms", std::to_string(next)) : Status();
}

}  // namespace keel::memory::notion
