#include "memory/foreign/import.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "memory/foreign/chats.h"
#include "memory/foreign/workspaces.h"
#include "memory/foreign/zip.h"
#include "rt/file.h"

namespace keel::memory {
namespace {

namespace fs = std::filesystem;

// conversations.json, or its parts conversations-000.json ...
std::vector<std::string> chat_files(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with("conversations") && name.ends_with(".json")) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string name_of(Chats kind) {
  return kind == Chats::chatgpt ? "ChatGPT export" : "Claude export";
}

Status import_file(const std::string& path, Intake& intake, ImportReport& report) {
  const std::string name = path.substr(path.rfind('/') + 1);
  const std::string lower = ascii_lower(name);
  if (lower.ends_with(".md") || lower.ends_with(".markdown")) {
    report.source = "Markdown file";
    return import_notes(path, intake, report);
  }
  if (const Chats kind = chats_in(path); kind != Chats::none) {
    report.source = name_of(kind);
    return import_chats(path, name, kind, intake, report);
  }
  return fail(Code::unsupported, path + " is nothing that keel can import.",
              "A Markdown file, conversations.json of ChatGPT or Claude, their zip archive, or a "
              "folder will do.");
}

// A folder that goes away with this.
class Unpacked {
 public:
  static Result<Unpacked> create() {
    Unpacked made;
    made.path_ = (fs::temp_directory_path() / "keel-import-XXXXXX").string();
    if (::mkdtemp(made.path_.data()) == nullptr)
      return tl::unexpected<Error>(rt::errno_error(errno, "could not make a temporary folder"));
    return made;
  }
  Unpacked(Unpacked&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Unpacked& operator=(Unpacked&&) = delete;
  ~Unpacked() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  // The folder that everything lies in, where the archive was made of a folder.
  std::string root() const {
    std::vector<fs::path> inside;
    std::error_code code;
    for (fs::directory_iterator entry(path_, code), end; !code && entry != end;
         entry.increment(code))
      inside.push_back(entry->path());
    return inside.size() == 1 && fs::is_directory(inside[0], code) ? inside[0].string() : path_;
  }

 private:
  Unpacked() = default;
  std::string path_;
};

// Pictures and the like stay where they are.
bool is_text_file(const std::string& name) {
  const std::string lower = ascii_lower(name);
  return lower.ends_with(".json") || lower.ends_with(".jsonl") || lower.ends_with(".md") ||
         lower.ends_with(".markdown");
}

Result<Unpacked> unpack(const std::string& path) {
  const Zip zip = TRY(Zip::open(path));
  Unpacked folder = TRY(Unpacked::create());
  std::uint64_t bytes = 0;
  for (const Zip::Entry& entry : zip.entries()) {
    if (entry.is_folder() || !entry.is_safe() || !is_text_file(entry.name)) continue;
    bytes += entry.bytes;
    if (bytes > limits::foreign_file_bytes || entry.bytes > limits::foreign_file_bytes)
      return fail(Code::limit,
                  path + " unpacks to more than " + bytes_text(limits::foreign_file_bytes) + ".",
                  "Unpack it and name the folder.");
    const fs::path to = fs::path(folder.path()) / entry.name;
    std::error_code code;
    fs::create_directories(to.parent_path(), code);
    if (code)
      return tl::unexpected<Error>(
          rt::errno_error(code.value(), "could not make the folder of " + printable(entry.name)));
    // The same name twice: the first one counts.
    if (!fs::exists(to, code)) TRY(zip.unpack(entry, to.string()));
  }
  return folder;
}

}  // namespace

Status import_path(Memory& memory, store::Database& database, const std::string& path,
                   const ImportOptions& options, const RestoreOptions& restore,
                   ImportReport& report) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0)
    return fail(Code::not_found, "There is no " + path + ".", "Name a folder or a file.");
  if (S_ISREG(info.st_mode) && ascii_lower(path).ends_with(".zip")) {
    const Unpacked folder = TRY(unpack(path));
    return import_path(memory, database, folder.root(), options, restore, report);
  }
  Intake intake(memory, options, report);
  if (!S_ISDIR(info.st_mode)) return import_file(path, intake, report);
  std::string root = path;
  while (root.size() > 1 && root.back() == '/') root.pop_back();
  if (is_export(root)) {
    report.source = "export of keel";
    return import_export(memory, database, root, options, restore, report);
  }
  bool chats = false;
  for (const std::string& name : chat_files(root)) {
    const Chats kind = chats_in(root + "/" + name);
    if (kind == Chats::none) continue;
    chats = true;
    report.source = name_of(kind);
    TRY(import_chats(root + "/" + name, name, kind, intake, report));
  }
  if (chats) return {};
  if (const Workspace kind = workspace_at(root); kind != Workspace::none) {
    report.source = memory::name_of(kind);
    return import_workspace(root, kind, intake, report);
  }
  report.source = "Markdown folder";
  return import_notes(root, intake, report);
}

}  // namespace keel::memory
