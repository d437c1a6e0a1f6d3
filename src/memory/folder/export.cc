#include "memory/folder/export.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <utility>

#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/folder/records.h"
#include "memory/markdown/page_file.h"
#include "memory/markdown/tree.h"
#include "rt/fd.h"
#include "rt/file.h"

namespace keel::memory {
namespace {

namespace fs = std::filesystem;

// A file that is written from its beginning to its end, hashed on the way. The export is synced as
// a whole.
class Output {
 public:
  static Result<Output> open(const std::string& root, std::string_view path) {
    const std::string whole = root + "/" + std::string(path);
    TRY(rt::make_folder(whole.substr(0, whole.rfind('/'))));
    Output out;
    out.path_ = whole;
    out.fd_ =
        rt::Fd(::open(whole.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!out.fd_) return tl::unexpected(rt::errno_error(errno, "could not write " + whole));
    return out;
  }
  Status write(std::string_view text) {
    hash_->update(text);
    return rt::write_all(fd_.get(), text, path_);
  }
  std::string hash() { return hash_->finish_hex(); }

 private:
  Output() : hash_(std::make_unique<Sha256>()) {}
  std::string path_;
  rt::Fd fd_;
  std::unique_ptr<Sha256> hash_;
};

Json revision_json(const Revision& one) {
  return {
      {"rev", one.rev},  {"title", one.title},   {"body", one.body},   {"props", one.props},
      {"by", one.by},    {"reason", one.reason}, {"at_ms", one.at_ms}, {"prev_hash", one.prev_hash},
      {"hash", one.hash}};
}

class Exporter {
 public:
  Exporter(Memory& memory, store::Connection& connection, const std::string& root,
           const ExportOptions& options)
      : memory_(memory), connection_(connection), root_(root), options_(options) {}

  Result<ExportReport> run(const Json& old_files) {
    report_.folder = root_;
    TRY(write_manifest(false));
    TRY(write_pages());
    TRY(write_lines(kTombstonesFile, Records::tombstones, report_.tombstones));
    TRY(write_lines(kAliasesFile, Records::aliases, report_.aliases));
    TRY(write_lines(kAuditFile, Records::retrievals, report_.retrievals));
    TRY(write_index());
    remove_old(old_files);
    TRY(write_manifest(true));
    return report_;
  }

 private:
  Status write_file(std::string_view path, std::string_view text) {
    Output out = TRY(Output::open(root_, path));
    TRY(out.write(text));
    files_[std::string(path)] = out.hash();
    return {};
  }

  Status write_pages() {
    Output history = TRY(Output::open(root_, kHistoryFile));
    for (const std::string& id : TRY(all_page_ids(connection_))) {
      const Page page = TRY(memory_.get(id));
      std::string path = path_of(page);
      // Names that differ in case only are one file on some systems.
      while (!names_.insert(fold_case(path)).second) path.insert(path.size() - 3, "x");
      TRY(write_file(path, document_text(front_of(page), page.body)));
      TRY(history.write(dump_json({{"page", page.id},
                                   {"path", path},
                                   {"state", page.state},
                                   {"supersedes", page.supersedes},
                                   {"created_ms", page.created_ms},
                                   {"updated_ms", page.updated_ms}}) +
                        "\n"));
      const std::vector<Revision> revisions = TRY(memory_.revisions(page.id));
      for (auto one = revisions.rbegin(); one != revisions.rend(); ++one)
        TRY(history.write(dump_json(revision_json(*one)) + "\n"));
      report_.pages += 1;
      report_.revisions += static_cast<std::int64_t>(revisions.size());
      links_[page.kind].push_back(fmt::format(
          "- [[{}|{}]]{}", path.substr(path.rfind('/') + 1, path.size() - path.rfind('/') - 4),
          replace_all(replace_all(page.title, "|", "/"), "]]", "] ]"),
          page.state == "live" ? "" : " (superseded)"));
    }
    files_[std::string(kHistoryFile)] = history.hash();
    return {};
  }

  Status write_lines(std::string_view path, Records what, std::int64_t& count) {
    Output out = TRY(Output::open(root_, path));
    std::int64_t after = 0;
    for (;;) {
      const auto lines =
          TRY(read_records(connection_, what, after, static_cast<int>(limits::folder_batch)));
      if (lines.empty()) break;
      for (const std::string& line : lines) TRY(out.write(line + "\n"));
      count += static_cast<std::int64_t>(lines.size());
    }
    files_[std::string(path)] = out.hash();
    return {};
  }

  Status write_index() {
    std::string text = fmt::format(
        "# What {} remembers\n\n{} pages, exported {}. Each is a file below `pages/` or "
        "`journal/`; `keel memory\nimport` takes this folder back, with what was changed in it.\n",
        options_.agent_name, report_.pages, options_.exported);
    for (const auto& [kind, links] : links_) {
      text += fmt::format("\n## {}\n\n", kind);
      text += join(links, "\n") + "\n";
    }
    return write_file("MEMORY.md", text);
  }

  // Files of the export before whose pages are gone or go by another name.
  void remove_old(const Json& old_files) {
    for (const auto& [path, hash] : old_files.items()) {
      if (files_.contains(path) || !hash.is_string() || !stays_inside(path)) continue;
      const Result<std::string> text = read_in(root_, path, limits::folder_file_bytes);
      if (!text || sha256_hex(*text) != hash.get<std::string>()) continue;
      if (::unlink((root_ + "/" + path).c_str()) == 0) ++report_.removed;
    }
  }

  Status write_manifest(bool complete) {
    const Json manifest{{"format", kFormat},
                        {"version", kFormatVersion},
                        {"complete", complete},
                        {"agent", options_.agent_name},
                        {"exported", options_.exported},
                        {"counts",
                         {{"pages", report_.pages},
                          {"revisions", report_.revisions},
                          {"tombstones", report_.tombstones},
                          {"words", report_.aliases},
                          {"retrievals", report_.retrievals}}},
                        {"files", files_}};
    return rt::write_file(root_ + "/" + std::string(kManifest), dump_json_pretty(manifest) + "\n");
  }

  Memory& memory_;
  store::Connection& connection_;
  const std::string& root_;
  const ExportOptions& options_;
  ExportReport report_;
  std::map<std::string, std::string> files_;
  std::map<std::string, std::vector<std::string>> links_;
  std::set<std::string> names_;
};

// The files of an export that is there already; an error where the folder is no place for one.
Result<Json> check_place(const std::string& folder, bool force) {
  std::error_code code;
  const fs::file_status status = fs::status(folder, code);
  if (!fs::exists(status)) return Json::object();
  if (!fs::is_directory(status))
    return fail(Code::already_exists, folder + " is a file.", "Name a folder.");
  bool empty = true;  // but for what tools hide there, such as .git and .obsidian
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code))
    empty = empty && entry->path().filename().string().starts_with('.');
  if (code) return tl::unexpected(rt::errno_error(code.value(), "could not read " + folder));
  if (empty) return Json::object();
  if (!is_export(folder))
    return fail(Code::already_exists, folder + " holds other things already.",
                "Name an empty folder, or one that does not exist yet.");
  const std::string text =
      TRY(rt::read_file(folder + "/" + std::string(kManifest), limits::json_bytes));
  const Json manifest = TRY(parse_json(text, std::string(kManifest)));
  Json files = manifest.value("files", Json::object());
  for (const auto& [path, hash] : files.items()) {
    if (force || !hash.is_string() || !path.ends_with(".md") || !stays_inside(path)) continue;
    const Result<std::string> there = read_in(folder, path, limits::folder_file_bytes);
    if (there && sha256_hex(*there) != hash.get<std::string>())
      return fail(
          Code::already_exists,
          folder + "/" + printable(path, 200) + " was changed since the last export.",
          "`keel memory import " + folder + "` takes the changes over; --force writes over them.");
  }
  return files;
}

}  // namespace

bool is_export(const std::string& folder) {
  const Result<std::string> text =
      rt::read_file(folder + "/" + std::string(kManifest), limits::json_bytes);
  if (!text) return false;
  const Result<Json> manifest = parse_json(*text, std::string(kManifest));
  return manifest && manifest->is_object() && json_string_or(*manifest, "format", "") == kFormat;
}

Result<ExportReport> export_folder(Memory& memory, store::Database& database,
                                   const std::string& folder, const ExportOptions& options) {
  std::string root = folder;
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  const Json old_files = TRY(check_place(root, options.force));
  TRY(rt::make_folder(root));
  ExportReport report =
      TRY(database.read([&](store::Connection& connection) -> Result<ExportReport> {
        return Exporter(memory, connection, root, options).run(old_files);
      }));
#ifdef __linux__
  if (const rt::Fd fd{::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}) ::syncfs(fd.get());
#else
  ::sync();
#endif
  return report;
}

}  // namespace keel::memory
