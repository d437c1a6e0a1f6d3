#include "memory/notion/pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "memory/merge/merge.h"

namespace keel::memory::notion {

// Not for the log: it may hold a page's title.
void Pass::notice(std::string text) {
  if (report.notices.size() < limits::notion_shown) report.notices.push_back(std::move(text));
}

Result<Json> need(Answer answer) {
  if (answer.ok()) return std::move(answer.json);
  return pass(std::move(answer.error));
}

Version version_of(const Page& page) {
  return {face_of(page), page.body};
}

bool learn(Entry& entry, std::string_view markdown, std::string_view body) {
  const std::vector<bool> fresh(units_of(body).size(), true);
  const Reading reading = read_markdown(markdown, body, marks_from(entry.marks), fresh);
  entry.verified = reading.same;
  entry.marks = reading.same ? marks_text(reading.marks) : std::string();
  return reading.same;
}

namespace {

// The page in another form; the page itself if that is the form it has.
Result<Page> edit_to(Pass& pass, const Page& page, const std::string& title,
                     const std::string& body, const std::vector<std::string>& tags,
                     std::string_view by, std::string_view reason) {
  if (page.title == title && page.body == body && page.tags == tags) return page;
  NewPage changed = page;
  changed.title = title;
  changed.body = body;
  changed.tags = tags;
  changed.updated_ms = 0;
  return pass.memory.replace(page.id, changed, by, reason, page.revision);
}

Status hold(Pass& pass, Entry entry, std::string note) {
  pass.notice(fmt::format("page {}: {}", entry.page_id, note));
  ++pass.report.held;
  entry.state = "held";
  entry.note = std::move(note);
  return pass.ledger.put(entry);
}

struct Outcome {
  std::string title, body, shown;
  std::vector<std::string> tags;
  bool conflict = false;
};

// The form that holds both sides' changes; where they overlap, what stands in Notion.
Outcome merged_of(const Page& page, const Version& base, const Theirs& theirs) {
  Outcome out;
  const bool renamed = !theirs.title.empty() && theirs.title != base.face.title;
  out.title = renamed ? theirs.title : page.title;
  out.conflict = renamed && page.title != base.face.title && page.title != theirs.title;
  out.tags = merge_list(sendable_tags(base.face.tags), page.tags, theirs.tags);
  const std::string before = shown_body(base.face.title, base.body);
  const std::string ours = shown_body(page.title, page.body);
  out.shown = ours;
  if (theirs.read) {
    Merged merged = merge_text(before, ours, theirs.body, Stands::theirs);
    out.shown = std::move(merged.text);
    out.conflict = out.conflict || !merged.conflicts.empty();
  }
  out.body = out.shown.empty() ? out.title : out.shown;
  return out;
}

}  // namespace

Status take_over(Pass& pass, Entry entry, const Page& page, const Version& base,
                 const Theirs& theirs) {
  const Outcome both = merged_of(page, base, theirs);
  // What Notion has, as a page.
  Outcome there;
  there.title = theirs.title.empty() ? base.face.title : theirs.title;
  there.shown = theirs.read ? theirs.body : shown_body(base.face.title, base.body);
  there.body = there.shown.empty() ? there.title : there.shown;
  there.tags = merge_list(sendable_tags(base.face.tags), base.face.tags, theirs.tags);

  Result<Page> first =
      edit_to(pass, page, there.title, there.body, there.tags, theirs.by, "changed in Notion");
  if (!first) {
    const Code code = first.error().code;
    if (code == Code::busy) return {};  // the next pass merges with what it has become
    if (code != Code::limit && code != Code::invalid_argument && code != Code::permission)
      return keel::pass(first.error());
    return hold(pass, std::move(entry),
                "what stands in Notion is not taken over: " + first.error().message);
  }
  const bool local_changed =
      both.title != there.title || both.body != there.body || both.tags != there.tags;
  Page last = *first;
  if (local_changed) {
    const std::string_view by = page.kind == "persona" ? "owner" : "sync";
    Result<Page> merged = edit_to(pass, *first, both.title, both.body, both.tags, by,
                                  "merged with a change in Notion");
    if (!merged && merged.error().code == Code::busy) return {};
    last = TRY(std::move(merged));
    ++pass.report.merged;
  }
  if (first->revision != page.revision) ++pass.report.taken;
  if (both.conflict) {
    ++pass.report.conflicts;
    pass.notice(
        fmt::format("page {} ({}): changed on both sides in one place; the text in Notion "
                    "stands, the other is revision {}",
                    page.id, printable(page.title, 60), page.revision));
    TRY(pass.ledger.add_conflict(
        {page.id, page.title, "overlap", first->revision, page.revision, pass.now()}));
  }
  entry.state = "synced";
  entry.note.clear();
  entry.base_rev = first->revision;
  if (entry.base_state.empty()) entry.base_state = page.state;
  entry.checked_ms = theirs.read ? pass.there() : entry.checked_ms;
  if (theirs.read) learn(entry, theirs.markdown, shown_body(first->title, first->body));
  return pass.ledger.put(entry);
}

// What became of requests

namespace {

Status settle_creates(Pass& pass, const std::vector<Entry>& entries) {
  Json any = Json::array();
  const std::string key = pass.schema.ids["keel_id"];
  for (const Entry& entry : entries)
    any.push_back({{"property", key}, {"rich_text", {{"equals", entry.page_id}}}});
  const Json body{
      {"filter", {{"or", std::move(any)}}},
      {"sorts", Json::array({{{"timestamp", "created_time"}, {"direction", "ascending"}}})},
      {"page_size", limits::notion_rows}};
  const Json found = TRY(
      need(pass.client.read("POST", "/data_sources/" + pass.source + "/query", body, pass.stop)));
  std::map<std::string, Row> rows;
  const auto results = found.find("results");
  if (results != found.end() && results->is_array()) {
    for (const Json& one : *results) {
      Row row = TRY(row_of(one, pass.schema));
      const auto [at, first] = rows.try_emplace(row.keel_id, row);
      if (first || row.created_by != pass.bot) continue;
      // Sent twice, and both arrived: the younger one goes.
      TRY(need(pass.client.write("PATCH", "/pages/" + row.id, {{"in_trash", true}}, pass.stop)));
    }
  }
  for (Entry entry : entries) {
    const auto row = rows.find(entry.page_id);
    if (row == rows.end()) {
      TRY(pass.ledger.erase(entry.page_id));
      continue;
    }
    entry.remote_id = row->second.id;
    entry.base_rev = entry.sending_rev;
    entry.edited_ms = row->second.edited_ms;
    entry.checked_ms = row->second.created_ms;
    entry.state = "synced";
    TRY(pass.ledger.put(entry));
    ++pass.report.created;
  }
  return {};
}

Status settle_body(Pass& pass, Entry entry) {
  const std::optional<Version> sent = TRY(pass.ledger.version(entry.page_id, entry.sending_rev));
  if (sent) {
    Result<Markdown> markdown = get_markdown(pass, entry.remote_id);
    if (!markdown && markdown.error().code != Code::not_found)
      return keel::pass(std::move(markdown).error());
    if (markdown && learn(entry, markdown->text, shown_body(sent->face.title, sent->body))) {
      entry.base_rev = entry.sending_rev;
      entry.base_state = sent->face.state;
      entry.edited_ms = pass.minute();
      entry.checked_ms = pass.there();
      ++pass.report.updated;
    } else {
      entry.verified = false;
    }
  }
  entry.state = "synced";
  entry.sending_body = false;
  return pass.ledger.put(entry);
}

}  // namespace

Status settle(Pass& pass) {
  std::vector<Entry> creates;
  for (Entry& entry : TRY(pass.ledger.in_state("sending", limits::memory_list))) {
    if (entry.remote_id.empty()) {
      creates.push_back(std::move(entry));
      if (creates.size() < limits::notion_lookup) continue;
      TRY(settle_creates(pass, creates));
      creates.clear();
    } else if (entry.sending_body) {
      TRY(settle_body(pass, std::move(entry)));
    } else {
      // Properties: the next update looks at the row before it writes.
      entry.state = "synced";
      TRY(pass.ledger.put(entry));
    }
  }
  return creates.empty() ? Status() : settle_creates(pass, creates);
}

}  // namespace keel::memory::notion
