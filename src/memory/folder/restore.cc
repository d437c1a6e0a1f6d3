#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/folder/export.h"
#include "memory/folder/records.h"
#include "memory/markdown/notes.h"
#include "memory/markdown/page_file.h"
#include "memory/markdown/tree.h"
#include "memory/revisions.h"
#include "rt/file.h"

namespace keel::memory {
namespace {

// A page as history/pages.jsonl has it.
struct Archived {
  History history;
  std::string id, path;
  int line = 0;
};

Result<Archived> archived_of(const Json& head, int line) {
  Archived page;
  page.line = line;
  page.id = TRY(json_string(head, "page"));
  page.path = TRY(json_string(head, "path"));
  page.history.state = json_string_or(head, "state", "live");
  page.history.supersedes = json_string_or(head, "supersedes", "");
  page.history.created_ms = json_int_or(head, "created_ms", 0);
  page.history.updated_ms = json_int_or(head, "updated_ms", 0);
  return page;
}

Result<Revision> revision_from(const Json& json, const std::string& page_id) {
  Revision one;
  one.page_id = page_id;
  one.rev = TRY(json_int(json, "rev"));
  one.title = TRY(json_string(json, "title"));
  one.body = TRY(json_string(json, "body"));
  one.props = TRY(json_string(json, "props"));
  one.by = TRY(json_string(json, "by"));
  one.reason = TRY(json_string(json, "reason"));
  one.at_ms = TRY(json_int(json, "at_ms"));
  one.prev_hash = TRY(json_string(json, "prev_hash"));
  one.hash = TRY(json_string(json, "hash"));
  return one;
}

// The lines of a file, one at a time; a line that is too long is an empty one.
class Lines {
 public:
  Lines(const std::string& root, std::string_view path)
      : in_(root + "/" + std::string(path), std::ios::binary) {}
  bool next(std::string& line) {
    ++number_;
    line.clear();
    bool any = false;
    for (int c = in_.rdbuf()->sbumpc(); c != std::char_traits<char>::eof();
         c = in_.rdbuf()->sbumpc()) {
      any = true;
      if (c == '\n') break;
      if (line.size() <= limits::history_line_bytes) line += static_cast<char>(c);
    }
    if (line.size() > limits::history_line_bytes) line.clear();
    return any;
  }
  int number() const { return number_; }

 private:
  std::ifstream in_;
  int number_ = 0;
};

class Restorer {
 public:
  Restorer(Memory& memory, store::Database& database, const std::string& root,
           const ImportOptions& options, const RestoreOptions& restore, ImportReport& report)
      : memory_(memory),
        database_(database),
        root_(root),
        options_(options),
        restore_(restore),
        report_(report),
        intake_(memory, options, report) {}

  Status run(const Json& manifest) {
    const Json files = manifest.value("files", Json::object());
    for (const auto& [path, hash] : files.items())
      if (hash.is_string()) files_[path] = hash.get<std::string>();
    TRY(list_files());
    TRY(restore_pages());
    TRY(forget_fresh_identity());
    TRY(restore_records(kTombstonesFile, Records::tombstones));
    TRY(restore_records(kAliasesFile, Records::aliases));
    TRY(restore_records(kAuditFile, Records::retrievals));
    return take_other_files();
  }

 private:
  void report(std::string_view file, int line, std::string what, bool skipped) {
    report_.add({std::string(file), line, std::move(what), skipped});
  }

  Status list_files() {
    std::vector<Problem> problems;
    FolderContent content = TRY(find_files(root_, problems));
    for (FoundFile& file : content.files) there_.insert(std::move(file.path));
    for (Problem& one : problems) report_.add(std::move(one));
    // Pages that are here with the identity of a new agent make way for those that come.
    for (const Page& page : TRY(memory_.list("persona", limits::memory_list)))
      if (page.revision == 1 && page.origin == "system") fresh_.push_back(page.id);
    return {};
  }

  Status restore_pages() {
    const bool damaged = !same_hash(kHistoryFile);
    if (damaged)
      report(kHistoryFile, 0,
             "is not as it was exported; each page's chain of revisions is checked", false);
    Lines lines(root_, kHistoryFile);
    std::optional<Archived> open;
    for (std::string text; lines.next(text);) {
      const Result<Json> json = parse_json(text, "the line");
      if (!json || !json->is_object()) {
        report(kHistoryFile, lines.number(), "is not JSON as keel writes it", true);
        continue;
      }
      if (json->contains("page")) {
        if (open) TRY(add(std::move(*open)));
        open.reset();
        Result<Archived> page = archived_of(*json, lines.number());
        if (page)
          open = std::move(*page);
        else
          report(kHistoryFile, lines.number(), page.error().message, true);
      } else if (open) {
        Result<Revision> one = revision_from(*json, open->id);
        if (one)
          open->history.revisions.push_back(std::move(*one));
        else
          report(kHistoryFile, lines.number(), one.error().message, true);
      }
    }
    if (open) TRY(add(std::move(*open)));
    return flush();
  }

  Status add(Archived page) {
    if (!stays_inside(page.path) || !there_.contains(page.path)) page.path = moved_to(page);
    known_.insert(page.path);
    if (!there_.contains(page.path)) {
      report(page.path, 0, "was deleted from the export; its page is not taken back", true);
      return {};
    }
    batch_.push_back(std::move(page));
    return batch_.size() < limits::folder_batch ? Status() : flush();
  }

  // Where the page's file is now: another file that has its id.
  std::string moved_to(const Archived& page) {
    if (!looked_) {
      looked_ = true;
      for (const std::string& path : there_) {
        if (files_.contains(path)) continue;
        std::vector<Problem> unused;
        if (const auto note = read_note(root_, path, unused); note && !note->id.empty())
          moved_.try_emplace(note->id, path);
      }
    }
    const auto found = moved_.find(page.id);
    return found == moved_.end() ? page.path : found->second;
  }

  bool same_hash(std::string_view path) {
    const auto known = files_.find(std::string(path));
    if (known == files_.end()) return false;
    std::ifstream in(root_ + "/" + std::string(path), std::ios::binary);
    Sha256 hash;
    std::string piece(1u << 16, '\0');
    while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0)
      hash.update(std::string_view(piece).substr(0, static_cast<std::size_t>(in.gcount())));
    return hash.finish_hex() == known->second;
  }

  Status flush() {
    if (batch_.empty()) return {};
    std::vector<History> histories;
    std::vector<std::string> ids;
    for (const Archived& page : batch_) {
      histories.push_back(page.history);
      ids.push_back(page.id);
    }
    if (restore_.forgotten && !options_.dry_run)
      TRY(database_.write(
          [&](store::Connection& connection) -> Status { return unbury(connection, ids); }));
    std::vector<Result<Page>> outcomes;
    if (options_.dry_run)
      for (const Archived& page : batch_) outcomes.push_back(would_be(page));
    else
      outcomes = TRY(memory_.restore_all(histories));
    for (std::size_t i = 0; i < batch_.size(); ++i) TRY(settle(batch_[i], outcomes[i]));
    batch_.clear();
    return {};
  }

  Result<Page> would_be(const Archived& page) {
    if (memory_.get(page.id)) return fail(Code::already_exists, "is here already");
    TRY(check_chain(page.history.revisions));
    if (page.history.revisions.empty()) return fail(Code::corrupt, "The page has no revision.");
    Page out;
    static_cast<NewPage&>(out) = TRY(content_of(page.history.revisions.back()));
    return out;
  }

  // A page is back, or here already, or cannot be. Then what its file says now.
  Status settle(const Archived& page, const Result<Page>& outcome) {
    ++report_.files;
    if (outcome) {
      ++report_.added;
      ++report_.restored;
      ++report_.kinds[outcome->kind];
      restored_persona_ = restored_persona_ || outcome->kind == "persona";
      if (report_.titles.size() < 20) report_.titles.push_back(outcome->title);
    } else if (outcome.error().code != Code::already_exists) {
      report(kHistoryFile, page.line, outcome.error().message, true);
      return {};
    }
    const bool edited = !same_hash(page.path);
    if (!outcome && !edited && has(page)) {
      ++report_.known;
      return {};
    }
    if (outcome && !edited) return {};
    return take_edit(page);
  }

  // Whether the page that is here has the exported form in its history.
  bool has(const Archived& page) {
    if (page.history.revisions.empty()) return false;
    const Revision& exported = page.history.revisions.back();
    const Result<Revision> here = memory_.revision(page.id, exported.rev);
    return here && here->hash == exported.hash;
  }

  // The file against the form that was exported: what was changed in it is merged into the page.
  Status take_edit(const Archived& page) {
    if (page.history.revisions.empty()) return {};
    std::vector<Problem> problems;
    std::optional<NewPage> file = read_note(root_, page.path, problems, Reading::edit);
    for (Problem& one : problems) report_.add(std::move(one));
    if (!file) return {};
    if (options_.dry_run) {
      ++report_.changed;
      return {};
    }
    const Page now = TRY(memory_.get(page.id));
    const NewPage base = TRY(content_of(page.history.revisions.back()));
    MergedPage merged = merge_pages(base, *file, now);
    for (const Conflict& one : merged.conflicts)
      report(page.path, 0,
             "was changed here too; the file's text stands, the other is in the page's history: " +
                 printable(one.theirs, 200),
             false);
    const std::string_view by = options_.origin == "owner" ? "owner" : "import";
    if (by != "owner") merged.page.origin = now.origin;
    const Result<Page> changed =
        memory_.replace(page.id, merged.page, by, "edited in an exported folder", now.revision);
    if (!changed)
      report(page.path, 1, changed.error().message, true);
    else if (changed->revision != now.revision)
      ++report_.changed;
    else
      ++report_.known;
    return {};
  }

  Status forget_fresh_identity() {
    if (options_.dry_run || !restored_persona_) return {};
    for (const std::string& id : fresh_) TRY(memory_.forget(id));
    return {};
  }

  Status restore_records(std::string_view path, Records what) {
    if (options_.dry_run) return {};
    Lines lines(root_, path);
    for (bool more = true; more;) {
      std::vector<std::pair<int, std::string>> batch;
      std::string text;
      while (batch.size() < limits::folder_batch && (more = lines.next(text)))
        batch.emplace_back(lines.number(), text);
      std::vector<std::pair<int, std::string>> wrong;
      TRY(database_.write([&](store::Connection& connection) -> Status {
        for (const auto& [number, line] : batch) {
          const Result<bool> written = write_record(connection, what, line);
          if (!written && written.error().code != Code::corrupt)
            return tl::unexpected<Error>(written.error());
          if (!written) wrong.emplace_back(number, written.error().message);
        }
        return {};
      }));
      for (auto& [number, words] : wrong) report(path, number, std::move(words), true);
    }
    return {};
  }

  // Markdown that the export did not write.
  Status take_other_files() {
    for (const std::string& path : there_) {
      if (known_.contains(path) || path == "MEMORY.md") continue;
      ++report_.files;
      std::vector<Problem> problems;
      std::optional<NewPage> page = read_note(root_, path, problems);
      for (Problem& one : problems) report_.add(std::move(one));
      if (page) TRY(intake_.take(std::move(*page), path, 1));
    }
    return intake_.finish();
  }

  Memory& memory_;
  store::Database& database_;
  const std::string& root_;
  const ImportOptions& options_;
  const RestoreOptions& restore_;
  ImportReport& report_;
  Intake intake_;
  std::unordered_map<std::string, std::string> files_;  // path and hash, as exported
  std::set<std::string> there_;                         // Markdown files
  std::set<std::string> known_;                         // of them, those of pages
  std::unordered_map<std::string, std::string> moved_;  // id and path of files not exported
  bool looked_ = false;
  std::vector<std::string> fresh_;
  std::vector<Archived> batch_;
  bool restored_persona_ = false;
};

}  // namespace

Status import_export(Memory& memory, store::Database& database, const std::string& folder,
                     const ImportOptions& options, const RestoreOptions& restore,
                     ImportReport& report) {
  std::string root = folder;
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  const std::string name = root + "/" + std::string(kManifest);
  const Json manifest =
      TRY(parse_json(TRY(rt::read_file(name, limits::json_bytes)), std::string(kManifest)));
  const std::int64_t version = json_int_or(manifest, "version", 0);
  if (version < 1 || version > kFormatVersion)
    return fail(Code::unsupported,
                fmt::format("{} is of version {}; this keel reads version {}.", name, version,
                            kFormatVersion),
                "Use a newer keel.");
  if (!json_bool_or(manifest, "complete", false))
    return fail(Code::corrupt, "The export in " + root + " was not finished.",
                "Export again, or remove keel.json to import the Markdown files alone.");
  return Restorer(memory, database, root, options, restore, report).run(manifest);
}

}  // namespace keel::memory
