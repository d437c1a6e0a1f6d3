#include "memory/foreign/import.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/text.h"
#include "memory/foreign/chats.h"
#include "memory/foreign/workspaces.h"

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
              lower.ends_with(".zip") ? "Unpack it and name the folder."
                                      : "A Markdown file, conversations.json of ChatGPT or Claude, "
                                        "or a folder will do.");
}

}  // namespace

Status import_path(Memory& memory, store::Database& database, const std::string& path,
                   const ImportOptions& options, const RestoreOptions& restore,
                   ImportReport& report) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0)
    return fail(Code::not_found, "There is no " + path + ".", "Name a folder or a file.");
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
