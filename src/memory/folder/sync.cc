#include "memory/folder/sync.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "base/hash.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/folder/export.h"
#include "memory/folder/leftovers.h"
#include "memory/markdown/notes.h"
#include "memory/markdown/page_file.h"
#include "memory/markdown/tree.h"
#include "memory/pages.h"
#include "memory/revisions.h"
#include "rt/file.h"

namespace keel::memory {
namespace {

using store::Connection;

// A file whose stamp is as young as this may be written again without its stamp changing.
constexpr std::int64_t kYoungNs = 100'000'000;

class Pass {
 public:
  Pass(Memory& memory, store::Database& database, const Clock& clock, const SyncOptions& options)
      : memory_(memory),
        database_(database),
        clock_(clock),
        options_(options),
        root_(options.root) {}

  Result<SyncReport> run() {
    TRY(look());
    for (const FoundFile& file : found_) {
      const auto row = rows_.find(file.path);
      if (row == rows_.end())
        newcomers_.push_back(file);
      else
        TRY(known_file(row->second, file));
    }
    TRY(gone_files());
    for (const FoundFile& file : newcomers_) TRY(new_file(file));
    TRY(add_pages());
    TRY(pages_without_file());
    TRY(save());
    return std::move(report_);
  }

 private:
  struct Text {
    std::string bytes, hash;
    FileStamp stamp;
  };
  struct Waiting {  // a new page and its file
    NewPage page;
    SyncRow row;
  };

  void report(std::string_view path, std::string what, bool skipped = true) {
    if (report_.problems.size() < limits::folder_problems)
      report_.problems.push_back({std::string(path), 0, std::move(what), skipped});
  }

  Status look() {
    rows_ =
        TRY(database_.read([&](Connection& connection) { return read_rows(connection, root_); }));
    struct stat info{};
    if (::stat(root_.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
      if (!rows_.empty())
        return fail(Code::not_found, "The folder " + root_ + " is gone.",
                    "Nothing was forgotten because of it. Put it back, or name another one.");
      TRY(rt::make_folder(root_));
    }
    if (is_export(root_))
      return fail(Code::invalid_argument, root_ + " is an export, which does not change.",
                  "Name another folder, or remove its keel.json to make it one that is kept in "
                  "step.");
    std::vector<Problem> problems;
    FolderContent content = TRY(find_files(root_, problems));
    if (!content.leftovers.empty()) {
      TRY(clear_leftovers(memory_, root_, content.leftovers, rows_, report_.problems));
      problems.clear();
      content = TRY(find_files(root_, problems));
    }
    found_ = std::move(content.files);
    for (Problem& one : problems) {
      // What cannot be looked at is not deleted.
      complete_ = complete_ && !one.what.starts_with("could not");
      report(one.file, std::move(one.what));
    }
    report_.files = static_cast<std::int64_t>(found_.size());
    for (const FoundFile& file : found_) there_.insert(file.path);
    revisions_ =
        TRY(database_.read([](Connection& connection) { return page_revisions(connection); }));
    for (const auto& [path, row] : rows_)
      if (!row.page_id.empty()) owners_[row.page_id] = path;
    return {};
  }

  // What is to be remembered of a file; written with the others at the end of the pass.
  void remember(SyncRow row, bool stamped = true) {
    const std::int64_t now_ns = SystemClock().wall_ms() * 1'000'000;
    if (!stamped || row.stamp.changed_ns > now_ns - kYoungNs) row.stamp = {-1, 0};
    if (!row.page_id.empty()) owners_[row.page_id] = row.path;
    const std::string path = row.path;
    changed_rows_[path] = row;
    rows_[path] = std::move(row);
  }
  // `path` may be the row's own: it goes last.
  void forget_row(const std::string& path) {
    dropped_.insert(path);
    changed_rows_.erase(path);
    rows_.erase(path);
  }

  Status save() {
    if (dropped_.empty() && changed_rows_.empty()) return {};
    TRY(database_.write([&](Connection& connection) -> Status {
      for (const std::string& path : dropped_) TRY(drop_row(connection, root_, path));
      for (const auto& [path, row] : changed_rows_) TRY(put_row(connection, root_, row));
      return {};
    }));
    changed_rows_.clear();
    dropped_.clear();
    return {};
  }

  // Nothing if it cannot be read, which is reported.
  std::optional<Text> read(const std::string& path) {
    const Result<std::optional<FileStamp>> stamp = stamp_of(root_, path);
    Result<std::string> bytes = read_in(root_, path, limits::folder_file_bytes);
    if (!bytes || !stamp || !*stamp) {
      report(path, bytes ? "could not be looked at" : bytes.error().message);
      return std::nullopt;
    }
    std::string hash = sha256_hex(*bytes);
    return Text{std::move(*bytes), std::move(hash), **stamp};
  }

  std::optional<NewPage> page_in(const Text& text, const std::string& path, Reading reading) {
    std::vector<Problem> problems;
    std::optional<NewPage> page;
    if (std::optional<Problem> bad = not_text(text.bytes)) {
      bad->file = path;
      problems.push_back(std::move(*bad));
    } else {
      page = note_of(text.bytes, path, text.stamp.changed_ns / 1'000'000, problems, reading);
    }
    for (Problem& one : problems)
      if (report_.problems.size() < limits::folder_problems)
        report_.problems.push_back(std::move(one));
    return page;
  }

  // A file that was there at the last pass.
  Status known_file(const SyncRow& row, const FoundFile& file) {
    const bool same_stamp = row.stamp == file.stamp;
    const auto page = revisions_.find(row.page_id);
    if (same_stamp && !row.note.empty()) {
      report(row.path, row.note);
      return {};
    }
    if (same_stamp && page != revisions_.end() && page->second == row.rev) return {};
    std::optional<Text> text = read(file.path);
    if (!text) return {};
    const bool edited = text->hash != row.hash;
    if (row.page_id.empty()) {
      if (edited) {
        forget_row(file.path);
        newcomers_.push_back(file);
      } else if (!row.note.empty()) {
        report(row.path, row.note);
      }
      return {};
    }
    if (page == revisions_.end()) return page_gone(row, *text, edited);
    if (edited) return take_edit(row, *text);
    if (page->second != row.rev) return write_page(row, *text);
    SyncRow again = row;
    again.stamp = text->stamp;
    remember(std::move(again));
    return {};
  }

  // keel forgot the page. An edit since then is newer than the forgetting: it becomes a new page.
  Status page_gone(const SyncRow& row, const Text& text, bool edited) {
    if (edited) {
      newcomers_.push_back({row.path, text.stamp});
    } else {
      if (TRY(remove_file(root_, row.path, text.bytes)) != Replaced::done) return {};
      ++report_.files_removed;
    }
    forget_row(row.path);
    return {};
  }

  // The newest form after `rev` that the file says. That one keel wrote itself, and was killed
  // before it could note it; taken for an edit of the owner it would push out what came after it.
  Result<std::optional<NewPage>> written_form(const Page& now, const NewPage& file,
                                              std::int64_t rev) {
    for (std::int64_t one = now.revision; one > rev; --one) {
      NewPage form = TRY(content_of(TRY(memory_.revision(now.id, one))));
      if (says_the_same(file, form)) return std::optional<NewPage>(std::move(form));
    }
    return std::optional<NewPage>();
  }

  // What page and file had last.
  Result<NewPage> base_of(const Page& now, const NewPage& file, std::int64_t rev) {
    if (auto form = TRY(written_form(now, file, rev))) return std::move(*form);
    return content_of(TRY(memory_.revision(now.id, rev)));
  }

  // Nothing: it was forgotten in this moment, which the next pass sees.
  Result<std::optional<Page>> page_now(const std::string& id) {
    Result<Page> page = memory_.get(id);
    if (page) return std::optional<Page>(std::move(*page));
    if (page.error().code == Code::not_found) return std::optional<Page>();
    return tl::unexpected<Error>(page.error());
  }

  // The owner changed the file; keel may have changed the page.
  Status take_edit(const SyncRow& row, const Text& text) {
    const std::optional<NewPage> file = page_in(text, row.path, Reading::edit);
    if (!file) return refuse(row.path, row.page_id, row.rev, text, "cannot be taken as it is");
    const std::optional<Page> now = TRY(page_now(row.page_id));
    if (!now) return {};
    Result<NewPage> base = base_of(*now, *file, row.rev);
    return merge(row.path, *file, base ? *base : static_cast<const NewPage&>(*now), *now, row.rev,
                 text);
  }

  Status refuse(const std::string& path, const std::string& page_id, std::int64_t rev,
                const Text& text, std::string why) {
    remember({path, page_id, rev, text.hash, text.stamp, std::move(why)});
    return {};
  }

  // Page and file become the same. `rev` is the form that both had last.
  Status merge(const std::string& path, const NewPage& file, const NewPage& base, const Page& now,
               std::int64_t rev, const Text& text) {
    MergedPage merged = merge_pages(base, file, now);
    // Before the page, so that a kill between the two loses none.
    for (Conflict& one : merged.conflicts) {
      ++report_.conflicts;
      const ConflictRecord record{0, now.id, path, clock_.wall_ms(), std::move(one)};
      TRY(database_.write(
          [&](Connection& connection) { return put_conflict(connection, record); }));
    }
    const Result<Page> page =
        memory_.replace(now.id, merged.page, "owner", "edited in the folder", now.revision);
    // The next pass merges with what it has become.
    if (!page && page.error().code == Code::busy) return {};
    if (!page) {
      report(path, page.error().message);
      return refuse(path, now.id, rev, text, page.error().message);
    }
    if (page->revision != now.revision) ++report_.pages_changed;
    // The file is left as its owner wrote it unless keel has something to add.
    if (says_the_same(file, *page)) {
      remember({path, page->id, page->revision, text.hash, text.stamp, {}});
      return {};
    }
    return write_page({path, page->id, rev, text.hash, text.stamp, {}}, text);
  }

  // keel changed the page: into the file, if that is still as it was read.
  Status write_page(const SyncRow& row, const Text& text) {
    if (!row.note.empty() && text.hash == row.hash) {
      report(row.path, row.note);
      return {};
    }
    const std::optional<Page> found = TRY(page_now(row.page_id));
    if (!found) return {};
    const Page& page = *found;
    std::vector<Problem> unused;
    Document document = read_document(text.bytes, unused);
    update_front(document.front, page);
    const std::string bytes =
        with_line_ends_of(text.bytes, document_text(document.front, page.body));
    if (bytes != text.bytes) {
      const Result<Replaced> replaced = replace_file(root_, row.path, text.bytes, bytes);
      if (!replaced) {
        report(row.path, replaced.error().message);
        return {};
      }
      // Edited in this moment: the next pass merges, from what both had before.
      if (*replaced == Replaced::changed) return {};
      ++report_.files_written;
    }
    return remember_written({row.path, page.id, page.revision, sha256_hex(bytes), {}, {}});
  }

  Status remember_written(SyncRow row) {
    if (const auto stamp = stamp_of(root_, row.path); stamp && *stamp) row.stamp = **stamp;
    const bool stamped = row.stamp.bytes > 0;
    remember(std::move(row), stamped);
    return {};
  }

  // Files that were there at the last pass and are not any more: moved, or deleted by the owner.
  Status gone_files() {
    std::vector<SyncRow> gone;
    for (const auto& [path, row] : rows_)
      if (!there_.contains(path)) gone.push_back(row);
    if (gone.empty()) return {};
    TRY(follow_moves(gone));
    std::vector<SyncRow> deleted;
    for (const SyncRow& row : gone) {
      if (row.page_id.empty() || !revisions_.contains(row.page_id))
        forget_row(row.path);
      else
        deleted.push_back(row);
    }
    if (options_.rewrite) {
      for (const SyncRow& row : deleted) {
        owners_.erase(row.page_id);
        forget_row(row.path);
      }
      return {};
    }
    const auto count = static_cast<std::int64_t>(deleted.size());
    const bool many =
        count > kDeletionsAtOnce && 2 * count > static_cast<std::int64_t>(rows_.size());
    if (!complete_ || (many && !options_.deletions)) {
      report_.held_back = count;
      for (const SyncRow& row : deleted) held_.insert(row.page_id);
      return {};
    }
    for (const SyncRow& row : deleted) {
      const Result<std::string> receipt = memory_.forget(row.page_id);
      if (!receipt) return tl::unexpected<Error>(receipt.error());
      revisions_.erase(row.page_id);
      owners_.erase(row.page_id);
      forget_row(row.path);
      ++report_.pages_forgotten;
    }
    return {};
  }

  Status follow_moves(std::vector<SyncRow>& gone) {
    std::map<std::string, std::size_t> by_page;
    for (std::size_t i = 0; i < gone.size(); ++i)
      if (!gone[i].page_id.empty()) by_page[gone[i].page_id] = i;
    std::vector<FoundFile> still_new;
    for (const FoundFile& file : newcomers_) {
      const std::optional<Text> text = read(file.path);
      if (!text) continue;
      std::vector<Problem> unused;
      const std::optional<NewPage> page = note_of(text->bytes, file.path, 0, unused, Reading::edit);
      const auto found = page ? by_page.find(page->id) : by_page.end();
      if (found == by_page.end() || gone[found->second].path.empty()) {
        still_new.push_back(file);
        continue;
      }
      SyncRow row = std::exchange(gone[found->second], {});
      forget_row(row.path);
      row.path = file.path;
      row.stamp = {-1, 0};
      remember(row);
      TRY(known_file(row, file));
    }
    newcomers_ = std::move(still_new);
    std::erase_if(gone, [](const SyncRow& row) { return row.path.empty(); });
    return {};
  }

  // A file that nobody has seen yet.
  Status new_file(const FoundFile& file) {
    std::optional<Text> text = read(file.path);
    if (!text) return {};
    std::optional<NewPage> page = page_in(*text, file.path, Reading::once);
    if (!page) return refuse(file.path, {}, 0, *text, "cannot be taken as it is");
    if (revisions_.contains(page->id) && !owners_.contains(page->id))
      return adopt(file.path, *text, page->id);
    const bool taken = revisions_.contains(page->id) || coming_.contains(page->id) ||
                       owners_.contains(page->id) || TRY(is_forgotten(page->id));
    const bool has_id = !page->id.empty() && !taken;
    if (!has_id) {
      // Into the file first: after a kill it is known by it.
      page->id = make_ulid(clock_.wall_ms());
      std::vector<Problem> unused;
      Document document = read_document(text->bytes, unused);
      const std::string_view key = id_key(document.front);
      std::string bytes;
      if (document.front.has(key)) {
        document.front.set(key, page->id);
        bytes = with_line_ends_of(text->bytes, document_text(document.front, document.body));
      } else {
        bytes = with_property(text->bytes, key, page->id);
      }
      const Result<Replaced> replaced = replace_file(root_, file.path, text->bytes, bytes);
      if (!replaced) {
        report(file.path, replaced.error().message);
        return {};
      }
      if (*replaced == Replaced::changed) return {};
      *text = Text{bytes, sha256_hex(bytes), {-1, 0}};
      if (const auto stamp = stamp_of(root_, file.path); stamp && *stamp) text->stamp = **stamp;
    }
    if (page->origin != "untrusted" && page->origin != "import" && page->origin != "agent")
      page->origin = "owner";
    coming_.insert(page->id);
    waiting_.push_back({std::move(*page), {file.path, {}, 1, text->hash, text->stamp, {}}});
    return waiting_.size() < limits::folder_batch ? Status() : add_pages();
  }

  // A file of a page that has none: of an export, or written just before a kill.
  Status adopt(const std::string& path, const Text& text, const std::string& id) {
    const std::optional<NewPage> file = page_in(text, path, Reading::edit);
    if (!file) return {};
    const std::optional<Page> found = TRY(page_now(id));
    if (!found) return {};
    const Page& now = *found;
    owners_[id] = path;
    if (says_the_same(*file, now)) {
      remember({path, id, now.revision, text.hash, text.stamp, {}});
      return {};
    }
    // The form that the file says it is of, or is; without one, all of it is the owner's word.
    std::vector<Problem> unused;
    const Document document = read_document(text.bytes, unused);
    const std::string rev = document.front.scalar("rev").value_or("");
    const std::string hash = document.front.scalar("hash").value_or("");
    std::int64_t number = 0;
    std::from_chars(rev.data(), rev.data() + rev.size(), number);
    if (const Result<Revision> one = memory_.revision(id, number); one && one->hash == hash)
      return merge(path, *file, TRY(content_of(*one)), now, one->rev, text);
    if (const auto form = TRY(written_form(now, *file, 0)))
      return merge(path, *file, *form, now, now.revision, text);
    return merge(path, *file, now, now, now.revision, text);
  }

  Result<bool> is_forgotten(const std::string& id) {
    return database_.read([&](Connection& connection) -> Result<bool> {
      return TRY(forgotten_ms(connection, id)).has_value();
    });
  }

  Status add_pages() {
    if (waiting_.empty()) return {};
    std::vector<NewPage> pages;
    for (const Waiting& one : waiting_) pages.push_back(one.page);
    const std::vector<Result<Added>> outcomes = TRY(memory_.add_all(pages));
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      SyncRow row = waiting_[i].row;
      if (!outcomes[i]) {
        row.note = outcomes[i].error().message;
        report(row.path, row.note);
      } else if (outcomes[i]->page.id != waiting_[i].page.id) {
        row.note = "says the same as the page " + outcomes[i]->page.id + "; it has none of its own";
        report(row.path, row.note, false);
      } else {
        row.page_id = waiting_[i].page.id;
        revisions_[row.page_id] = outcomes[i]->page.revision;
        ++report_.pages_added;
      }
      remember(std::move(row));
    }
    waiting_.clear();
    return save();
  }

  Status pages_without_file() {
    for (const auto& [id, rev] : revisions_) {
      if (owners_.contains(id) || held_.contains(id)) continue;
      const Result<Page> page = memory_.get(id);
      if (!page) continue;
      std::string path = path_of(*page);
      while (there_.contains(path) || rows_.contains(path)) path.insert(path.size() - 3, "x");
      const std::string bytes = document_text(front_of(*page), page->body);
      const Result<Replaced> written = replace_file(root_, path, std::nullopt, bytes);
      if (!written) {
        report(path, written.error().message);
        if (written.error().code == Code::disk_full) return tl::unexpected<Error>(written.error());
        continue;
      }
      if (*written == Replaced::changed) continue;
      ++report_.files_written;
      TRY(remember_written({path, id, page->revision, sha256_hex(bytes), {}, {}}));
      if (changed_rows_.size() >= limits::folder_batch) TRY(save());
    }
    return {};
  }

  Memory& memory_;
  store::Database& database_;
  const Clock& clock_;
  const SyncOptions& options_;
  const std::string& root_;
  SyncReport report_;
  SyncRows rows_, changed_rows_;
  std::set<std::string> dropped_;
  std::vector<FoundFile> found_, newcomers_;
  std::set<std::string> there_, coming_, held_;
  std::map<std::string, std::int64_t> revisions_;  // of every page
  std::map<std::string, std::string> owners_;      // page and its file
  std::vector<Waiting> waiting_;
  bool complete_ = true;  // all of the folder could be looked at
};

}  // namespace

Json sync_json(const SyncReport& report) {
  Json problems = Json::array();
  for (const Problem& one : report.problems)
    problems.push_back({{"file", one.file}, {"line", one.line}, {"what", one.what}});
  return {{"files", report.files},
          {"pages_added", report.pages_added},
          {"pages_changed", report.pages_changed},
          {"pages_forgotten", report.pages_forgotten},
          {"files_written", report.files_written},
          {"files_removed", report.files_removed},
          {"conflicts", report.conflicts},
          {"held_back", report.held_back},
          {"problems", std::move(problems)}};
}

Result<SyncReport> sync_folder(Memory& memory, store::Database& database, const Clock& clock,
                               const SyncOptions& options) {
  rt::Fd lock;
  if (!options.lock_path.empty()) {
    Result<rt::Fd> held = rt::lock_file(options.lock_path);
    if (!held && held.error().code == Code::busy)
      return fail(Code::busy, "Another keel is keeping the folder in step.",
                  "keel serve does it by itself; wait a moment.");
    lock = TRY(std::move(held));
  }
  return Pass(memory, database, clock, options).run();
}

}  // namespace keel::memory
