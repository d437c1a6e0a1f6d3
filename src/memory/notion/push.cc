// From memory to Notion: pages that Notion does not have, pages that changed, pages that are gone.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "memory/notion/pass.h"

namespace keel::memory::notion {
namespace {

constexpr int kRounds = 4;  // until what was uncertain has been settled and sent again

Status refuse(Pass& pass, Entry entry, const Page& page, const std::string& why,
              std::chrono::seconds again = limits::notion_sweep_time) {
  ++pass.report.refused;
  pass.notice(
      fmt::format("page {} ({}) is not in Notion: {}", page.id, printable(page.title, 60), why));
  entry.state = "refused";
  entry.sending_rev = page.revision;
  entry.retry_ms = pass.now() + std::chrono::milliseconds(again).count();
  entry.note = why;
  return pass.ledger.put(entry);
}

bool names_a_property(const Answer& answer) {
  return answer.status == 400 && answer.error.message.find("property") != std::string::npos;
}

// Errors that concern this page alone; all others end the pass.
bool concerns_page(const Answer& answer) {
  return answer.fate == Fate::refused && answer.error.code == Code::invalid_argument;
}

Status create(Pass& pass, const Page& page, Entry entry) {
  const std::string text = to_notion(shown_body(page.title, page.body));
  entry.page_id = page.id;
  if (text.size() > limits::notion_body_bytes)
    return refuse(
        pass, entry, page,
        fmt::format("its text has {}, more than Notion takes at once", bytes_text(text.size())));
  entry.state = "sending";
  entry.sending_rev = page.revision;
  entry.base_state = page.state;
  TRY(pass.ledger.put(entry));
  Json body{{"parent", {{"type", "data_source_id"}, {"data_source_id", pass.source}}},
            {"properties", properties_json(page.id, face_of(page), pass.schema)}};
  if (!text.empty()) {
    body["markdown"] = text;
    body["markdown_version"] = "v2";
  }
  Answer answer = pass.client.write("POST", "/pages", body, pass.stop);
  if (answer.fate == Fate::unknown) return {};  // settle() finds out
  if (answer.ok()) {
    const Row row = TRY(row_of(answer.json, pass.schema));
    entry.remote_id = row.id;
    entry.base_rev = page.revision;
    entry.edited_ms = row.edited_ms;
    entry.checked_ms = pass.there();
    entry.state = "synced";
    ++pass.report.created;
    return pass.ledger.put(entry);
  }
  TRY(pass.ledger.erase(page.id));
  if (answer.error.code == Code::limit) {
    pass.report.full = true;
    return {};
  }
  if (names_a_property(answer)) pass.schema_stale = true;
  if (!pass.schema_stale && concerns_page(answer))
    return refuse(pass, entry, page, answer.error.message);
  return keel::pass(std::move(answer.error));
}

// Marks of a text's units for a later form of it: units that stayed keep theirs.
Marks carried(const std::vector<std::string>& before, const Marks& marks,
              const std::vector<std::string>& after) {
  std::map<std::string_view, std::string> known;
  for (std::size_t i = 0; i < before.size() && i < marks.size(); ++i) known[before[i]] = marks[i];
  Marks out(after.size());
  for (std::size_t i = 0; i < after.size(); ++i)
    if (const auto found = known.find(after[i]); found != known.end()) out[i] = found->second;
  return out;
}

class Update {
 public:
  Update(Pass& pass, Page page, Entry entry, Version base)
      : pass_(pass), page_(std::move(page)), entry_(std::move(entry)), base_(std::move(base)) {
    before_ = canonical_units(shown_body(base_.face.title, base_.body));
    after_ = canonical_units(shown_body(page_.title, page_.body));
  }

  Status run() {
    if (join_units(after_).size() > limits::notion_body_bytes)
      return refuse(pass_, entry_, page_, "its text has become longer than Notion takes at once");
    entry_.sending_rev = page_.revision;
    entry_.sending_body = false;
    if (face_changed()) {
      const bool go_on = TRY(send_face());
      if (!go_on) return {};
    }
    return before_ == after_ ? finish() : send_body();
  }

 private:
  bool face_changed() const {
    Face before = base_.face, after = face_of(page_);
    before.state = entry_.base_state;
    before.tags = sendable_tags(before.tags);
    after.tags = sendable_tags(after.tags);
    return !(before == after);
  }

  // False if the update ends here.
  Result<bool> send_face() {
    // Writing hides who wrote before, so the row is looked at first.
    Answer answer = pass_.client.get("/pages/" + entry_.remote_id, pass_.stop);
    if (answer.status == 404) return gone();
    const Row row = TRY(row_of(TRY(need(std::move(answer))), pass_.schema));
    const bool own = row.edited_by == pass_.bot && row.edited_ms <= entry_.edited_ms + 60'000;
    const bool seen =
        row.edited_ms + WallMs{60'000} * limits::notion_overlap_minutes <= entry_.checked_ms;
    if (row.in_trash || !(own || seen)) {
      TRY(refresh(pass_, entry_));
      // Nothing to take over: what was read just now is what there is.
      const std::optional<Entry> now = TRY(pass_.ledger.by_page(page_.id));
      if (!now || now->state == "held" || now->state == "trashed") return false;
      if (now->base_rev != entry_.base_rev) return false;
      const std::int64_t sending_rev = entry_.sending_rev;
      entry_ = *now;
      entry_.sending_rev = sending_rev;
    }
    entry_.state = "sending";
    TRY(pass_.ledger.put(entry_));
    answer = pass_.client.write(
        "PATCH", "/pages/" + entry_.remote_id,
        {{"properties", properties_json(page_.id, face_of(page_), pass_.schema)}}, pass_.stop);
    if (answer.fate == Fate::unknown) return false;
    if (!answer.ok()) {
      TRY(put_back());
      if (names_a_property(answer)) pass_.schema_stale = true;
      if (pass_.schema_stale || !concerns_page(answer)) return keel::pass(std::move(answer.error));
      TRY(refuse(pass_, entry_, page_, answer.error.message));
      return false;
    }
    entry_.edited_ms = TRY(row_of(answer.json, pass_.schema)).edited_ms;
    return true;
  }

  // The row cannot be seen: it waits for the owner, who may have moved it.
  Result<bool> gone() {
    entry_.state = "held";
    entry_.note = "its row in Notion cannot be seen any more; was it moved, or is it not shared?";
    ++pass_.report.held;
    TRY(pass_.ledger.put(entry_));
    return false;
  }

  Status put_back() {
    entry_.state = "synced";
    return pass_.ledger.put(entry_);
  }

  Answer patch(const Json& work) {
    Json body = work;
    body["markdown_version"] = "v2";
    return pass_.client.write("PATCH", "/pages/" + entry_.remote_id + "/markdown", body,
                              pass_.stop);
  }

  static Json update_of(const Change& change) {
    return {{"type", "update_content"},
            {"update_content",
             {{"content_updates",
               Json::array({{{"old_str", change.old_text}, {"new_str", change.new_text}}})}}}};
  }

  Status send_body() {
    entry_.state = "sending";
    entry_.sending_body = true;
    TRY(pass_.ledger.put(entry_));
    const Marks marks = marks_from(entry_.marks);
    const Change change = change_between(before_, after_);
    bool plain = true;  // Notion has the bytes that we think it has
    for (std::size_t i = change.first; i < change.last && i < marks.size(); ++i)
      plain = plain && marks[i].empty();
    if (before_.empty()) {
      return sent(patch({{"type", "insert_content"},
                         {"insert_content",
                          {{"content", join_units(after_)}, {"position", {{"type", "end"}}}}}}));
    }
    if (plain) {
      Answer answer = patch(update_of(change));
      if (!concerns_page(answer)) return sent(std::move(answer));
    }
    return send_over_reading();
  }

  // Notion's form of the text is not the expected one: it is read, and the change made in it.
  Status send_over_reading() {
    Result<Markdown> markdown = get_markdown(pass_, entry_.remote_id);
    if (!markdown && markdown.error().code == Code::not_found) {
      TRY(gone());
      return {};
    }
    if (!markdown) return keel::pass(std::move(markdown).error());
    const std::string local = shown_body(base_.face.title, base_.body);
    std::vector<bool> fresh;
    if (!entry_.verified) fresh.assign(before_.size(), true);
    const Reading reading = read_markdown(markdown->text, local, marks_from(entry_.marks), fresh);
    if (!reading.same || !markdown->whole) {
      // Somebody changed it: that comes first.
      TRY(put_back());
      return refresh(pass_, entry_);
    }
    std::vector<std::string> there;
    std::map<std::string_view, std::string> bytes;  // canonical -> as it stands there
    for (Unit& unit : units_of(markdown->text)) there.push_back(std::move(unit.raw));
    for (std::size_t i = 0; i < there.size() && i < before_.size(); ++i)
      bytes[before_[i]] = there[i];
    std::vector<std::string> wanted = after_;
    for (std::string& unit : wanted)
      if (const auto found = bytes.find(unit); found != bytes.end()) unit = found->second;
    entry_.marks = marks_text(reading.marks);
    Answer answer = patch(update_of(change_between(there, wanted)));
    if (concerns_page(answer))
      answer = patch(
          {{"type", "replace_content"}, {"replace_content", {{"new_str", join_units(wanted)}}}});
    return sent(std::move(answer));
  }

  Status sent(Answer answer) {
    if (answer.fate == Fate::unknown) return {};
    if (answer.ok()) return took(json_string_or(answer.json, "markdown", ""));
    TRY(put_back());
    if (answer.error.code == Code::limit) {
      pass_.report.full = true;
      return refuse(pass_, entry_, page_, answer.error.message, limits::notion_full_time);
    }
    if (answer.status == 404) {
      TRY(gone());
      return {};
    }
    if (concerns_page(answer)) return refuse(pass_, entry_, page_, answer.error.message);
    return keel::pass(std::move(answer.error));
  }

  // The answer is the whole text: what the owner wrote meanwhile is in it.
  Status took(const std::string& markdown) {
    const std::string local = shown_body(page_.title, page_.body);
    std::vector<bool> fresh(after_.size(), !entry_.verified);
    for (std::size_t i = 0; i < after_.size(); ++i)
      if (std::find(before_.begin(), before_.end(), after_[i]) == before_.end()) fresh[i] = true;
    const Marks marks = carried(before_, marks_from(entry_.marks), after_);
    const Reading reading = read_markdown(markdown, local, marks, fresh);
    entry_.edited_ms = pass_.minute();
    entry_.checked_ms = pass_.there();
    if (reading.same) {
      entry_.verified = true;
      entry_.marks = marks_text(reading.marks);
      return finish();
    }
    entry_.marks.clear();
    entry_.verified = false;
    TRY(finish());
    Theirs theirs;
    theirs.title = page_.title;
    theirs.tags = sendable_tags(page_.tags);
    theirs.body = reading.body;
    theirs.markdown = markdown;
    theirs.read = true;
    theirs.by = "owner";
    return take_over(pass_, entry_, page_, version_of(page_), theirs);
  }

  Status finish() {
    entry_.state = "synced";
    entry_.base_rev = page_.revision;
    entry_.base_state = page_.state;
    entry_.sending_body = false;
    entry_.note.clear();
    ++pass_.report.updated;
    return pass_.ledger.put(entry_);
  }

  Pass& pass_;
  Page page_;
  Entry entry_;
  Version base_;
  std::vector<std::string> before_, after_;
};

Status send_page(Pass& pass, const std::string& id) {
  Result<Page> page = pass.memory.get(id);
  if (!page) {
    if (page.error().code == Code::not_found) return {};  // forgotten meanwhile
    return keel::pass(std::move(page).error());
  }
  std::optional<Entry> entry = TRY(pass.ledger.by_page(id));
  if (!entry || entry->remote_id.empty()) {
    if (pass.report.full) return {};
    return create(pass, *page, entry.value_or(Entry()));
  }
  const std::optional<Version> base = TRY(pass.ledger.version(id, entry->base_rev));
  if (!base) return refresh(pass, *entry);
  return Update(pass, std::move(*page), std::move(*entry), *base).run();
}

}  // namespace

Status push(Pass& pass) {
  for (int round = 0; round < kRounds; ++round) {
    std::int64_t after = 0;
    std::size_t sent = 0;
    for (;;) {
      const std::vector<std::string> ids =
          TRY(pass.ledger.outdated(pass.now(), !pass.report.full, limits::notion_push, after));
      for (const std::string& id : ids) TRY(send_page(pass, id));
      sent += ids.size();
      if (ids.empty()) break;
    }
    TRY(settle(pass));
    if (sent == 0) break;
  }
  return {};
}

Status trash_orphans(Pass& pass) {
  for (Entry entry : TRY(pass.ledger.orphans(limits::memory_list))) {
    if (!entry.remote_id.empty()) {
      Answer answer =
          pass.client.write("PATCH", "/pages/" + entry.remote_id, {{"in_trash", true}}, pass.stop);
      if (answer.fate == Fate::unknown) continue;  // the same again in the next pass
      const bool there = answer.status == 404 || concerns_page(answer);  // gone or trashed already
      if (!answer.ok() && !there) return keel::pass(std::move(answer.error));
      ++pass.report.trashed;
    }
    entry.state = "trashed";
    entry.marks.clear();
    TRY(pass.ledger.put(entry));
  }
  return {};
}

}  // namespace keel::memory::notion
