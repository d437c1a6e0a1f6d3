#include "tool/list_files_tool.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/limits.h"
#include "base/text.h"
#include "rt/file.h"
#include "tool/allowed_path.h"

namespace keel::tool {
namespace {

struct Entry {
  std::string name;
  std::string line;
  bool folder = false;
};

Entry describe(int folder, const std::string& name) {
  Entry entry;
  entry.name = name;
  struct stat info{};
  if (fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    entry.line = printable(name, 255) + " (unreadable)";
    return entry;
  }
  entry.folder = S_ISDIR(info.st_mode);
  const std::string day = local_day(static_cast<WallMs>(info.st_mtime) * 1000);
  if (entry.folder) {
    entry.line = printable(name, 255) + "/";
  } else if (S_ISREG(info.st_mode)) {
    entry.line = printable(name, 255) + " (" +
                 bytes_text(static_cast<std::uint64_t>(info.st_size)) + ", " + day + ")";
  } else {
    entry.line =
        printable(name, 255) + (S_ISLNK(info.st_mode) ? " (link, not followed)" : " (not a file)");
  }
  return entry;
}

Result<std::vector<Entry>> read_entries(AllowedPath opened, std::stop_token stop) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(fdopendir(opened.fd.get()), closedir);
  if (folder == nullptr) return pass(rt::errno_error(errno, "reading the folder " + opened.path));
  const int fd = opened.fd.release();  // the stream owns it now
  std::vector<Entry> entries;
  while (const dirent* item = readdir(folder.get())) {
    if (stop.stop_requested()) return fail(Code::cancelled, "the listing was stopped");
    const std::string name = item->d_name;
    if (name != "." && name != "..") entries.push_back(describe(fd, name));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.folder != b.folder ? a.folder : a.name < b.name;
  });
  return entries;
}

std::string listing(const std::string& path, const std::vector<Entry>& entries) {
  if (entries.empty()) return path + " is empty.";
  std::string out = path + ":";
  const std::size_t shown = std::min(entries.size(), limits::folder_entries);
  for (std::size_t i = 0; i < shown; ++i) out += "\n" + entries[i].line;
  if (shown < entries.size()) {
    out += fmt::format("\n({} of {} entries shown; name a folder inside for less)", shown,
                       entries.size());
  }
  return out;
}

class ListFilesTool final : public Tool {
 public:
  const msg::Tool& spec() const override { return spec_; }
  Effect effect() const override { return Effect::pure; }
  policy::Sink sink() const override { return policy::Sink::file_read; }

 private:
  Result<Outcome> run(const Json& arguments, Context& context) override {
    const std::string path = json_string_or(arguments, "path", "");
    Outcome outcome;
    // Names of files can be chosen by whoever sent them, so they are not the owner's words.
    outcome.integrity = policy::Integrity::agent;
    outcome.confidentiality = policy::Confidentiality::personal;
    if (trim(path).empty() && context.folders.size() > 1) {
      outcome.text = "The allowed folders:\n" + join(context.folders, "\n");
      return outcome;
    }
    AllowedPath opened = TRY(open_allowed(context.folders, trim(path), PathKind::folder));
    const std::string shown = opened.path;
    outcome.text = listing(shown, TRY(read_entries(std::move(opened), context.stop)));
    return outcome;
  }

  msg::Tool spec_{"list_files", "List the files in a folder the owner has opened.",
                  schema_literal(R"json({"type":"object","properties":{
                    "path":{"type":"string","description":"leave out for the top folder"}},
                    "additionalProperties":false})json")};
};

}  // namespace

std::unique_ptr<Tool> make_list_files_tool() {
  return std::make_unique<ListFilesTool>();
}

}  // namespace keel::tool
