#include "memory/foreign/workspaces.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "memory/markdown/notes.h"
#include "memory/markdown/tree.h"
#include "memory/merge/blocks.h"

namespace keel::memory {
namespace {

bool is_file(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// "- likes tea" without its mark.
std::string_view without_mark(std::string_view item) {
  const std::size_t at = item.find_first_not_of(" \t");
  if (at == std::string_view::npos) return item;
  item.remove_prefix(at);
  if (item.size() > 2 && is_one_of(item.substr(0, 2), {"- ", "* ", "+ "}))
    return trim(item.substr(2));
  return item;
}

class Reader {
 public:
  Reader(const std::string& root, Workspace kind, Intake& intake, ImportReport& report)
      : root_(root), kind_(kind), intake_(intake), report_(report) {}

  Status run() {
    std::vector<Problem> problems;
    const std::vector<FoundFile> files = TRY(find_files(root_, problems)).files;
    for (Problem& one : problems) report_.add(std::move(one));
    for (const FoundFile& file : files) TRY(take(file));
    return intake_.finish();
  }

 private:
  Status take(const FoundFile& file) {
    const std::string& path = file.path;
    const std::string name = path.substr(path.rfind('/') + 1);
    const bool top = path.find('/') == std::string::npos;
    if (is_one_of(name, {"SOUL.md", "IDENTITY.md"}) && top) return whole(file, "persona");
    if (is_one_of(name, {"USER.md"})) return notes(file, "preference");
    if (name == "MEMORY.md" && kind_ != Workspace::claude_code) return notes(file, "fact");
    if (is_one_of(name, {"CLAUDE.md", "CLAUDE.local.md"}) && kind_ == Workspace::claude_code)
      return notes(file, "preference");
    if (kind_ == Workspace::claude_code && (top || path.starts_with("memory/"))) {
      // The index of the others: each of them is a page.
      if (name == "MEMORY.md" && is_index(file)) return not_memory(path, "an index of the others");
      return name == "MEMORY.md" ? notes(file, "fact") : fact_file(file);
    }
    if (kind_ == Workspace::openclaw && path.starts_with("memory/")) return whole(file, "");
    // A folder of notes that has instructions for Claude Code too.
    if (kind_ == Workspace::claude_code) return whole(file, "");
    return not_memory(path, top ? "instructions, not memory" : "not memory");
  }

  Status not_memory(const std::string& path, std::string_view why) {
    report_.add({path, 0, "is " + std::string(why) + "; not taken", false});
    return {};
  }

  std::optional<std::string> text_of(const FoundFile& file) {
    ++report_.files;
    Result<std::string> text = read_in(root_, file.path, limits::folder_file_bytes);
    if (!text) {
      report_.add({file.path, 0, text.error().message, true});
      return std::nullopt;
    }
    if (std::optional<Problem> bad = not_text(*text)) {
      report_.add({file.path, bad->line, bad->what + "; such bytes are marked", false});
      *text = to_valid_utf8(*text);
    }
    return std::move(*text);
  }

  bool is_index(const FoundFile& file) {
    const Result<std::string> text = read_in(root_, file.path, limits::folder_file_bytes);
    if (!text) return false;
    std::size_t links = 0, items = 0;
    for (const Note& note : notes_in(to_valid_utf8(*text))) {
      ++items;
      links += note.text.find(".md)") != std::string::npos;
    }
    return items > 0 && 2 * links > items;
  }

  std::optional<NewPage> page_of_file(const FoundFile& file) {
    std::optional<std::string> text = text_of(file);
    if (!text) return std::nullopt;
    std::vector<Problem> problems;
    std::optional<NewPage> page =
        note_of(std::move(*text), file.path, file.stamp.changed_ns / 1'000'000, problems);
    for (Problem& one : problems) report_.add(std::move(one));
    return page;
  }

  // A file that is one page.
  Status whole(const FoundFile& file, std::string_view kind) {
    std::optional<NewPage> page = page_of_file(file);
    if (!page) return {};
    if (!kind.empty()) page->kind = kind;
    page->source_uri = source(file.path);
    return intake_.take(std::move(*page), file.path, 1);
  }

  // Claude Code: name, description and a type below `metadata`.
  Status fact_file(const FoundFile& file) {
    std::optional<NewPage> page = page_of_file(file);
    if (!page) return {};
    const auto text = [&](const char* key) {
      const auto found = page->extra.find(key);
      if (found == page->extra.end()) return std::string();
      if (found->is_string()) return found->get<std::string>();
      return found->is_object() ? json_string_or(*found, "yaml", "") : std::string();
    };
    if (const std::string name = text("name"); !name.empty() && name.find('\n') == name.npos)
      page->title = replace_all(name, "-", " ");
    std::string about = text("description");
    if (about.starts_with("description:")) about = about.substr(12);
    page->gist = shorten(trim(about), limits::memory_gist_bytes);
    const std::string type = text("type") + text("metadata");
    if (type.find("user") != type.npos || type.find("feedback") != type.npos)
      page->kind = "preference";
    page->source_uri = source(file.path);
    return intake_.take(std::move(*page), file.path, 1);
  }

  std::string source(const std::string& path) { return std::string(name_of(kind_)) + ": " + path; }

  // A file of many notes: by headings and items, or as Hermes parts them.
  Status notes(const FoundFile& file, std::string_view kind) {
    const std::optional<std::string> text = text_of(file);
    if (!text) return {};
    std::vector<Problem> problems;
    const Document document = read_document(*text, problems);
    std::vector<Note> found;
    if (document.body.find("\n\xc2\xa7\n") != std::string::npos) {
      std::string rest = document.body;
      int line = document.body_line;
      for (std::size_t at = 0; at != std::string::npos;) {
        const std::size_t end = rest.find("\n\xc2\xa7\n", at);
        const std::string entry = rest.substr(at, end == rest.npos ? end : end - at);
        found.push_back({entry, {}, line});
        line += static_cast<int>(std::count(entry.begin(), entry.end(), '\n')) + 2;
        at = end == std::string::npos ? end : end + 4;
      }
    } else {
      found = notes_in(document.body, document.body_line);
    }
    for (Note& note : found) {
      if (trim(note.text).empty()) continue;
      NewPage page;
      page.kind = kind;
      page.body = std::move(note.text);
      page.created_ms = file.stamp.changed_ns / 1'000'000;
      page.source_uri = source(file.path);
      for (const std::string& heading : note.headings)
        page.tags.push_back(shorten(ascii_lower(heading), limits::memory_tag_bytes));
      TRY(intake_.take(std::move(page), file.path, note.line));
    }
    return {};
  }

  const std::string& root_;
  Workspace kind_;
  Intake& intake_;
  ImportReport& report_;
};

}  // namespace

std::string_view name_of(Workspace kind) {
  constexpr std::array<std::string_view, 4> kNames = {"none", "OpenClaw workspace", "Hermes memory",
                                                      "Claude Code memory"};
  return kNames[static_cast<std::size_t>(kind)];
}

Workspace workspace_at(std::string& root) {
  // From the folder of its state to where its memory lies.
  for (const char* below : {"/workspace", ""}) {
    const std::string at = root + below;
    const bool soul = is_file(at + "/SOUL.md") || is_file(at + "/IDENTITY.md");
    if (is_file(at + "/memories/MEMORY.md") || is_file(at + "/memories/USER.md"))
      return Workspace::hermes;
    if (soul || (is_file(at + "/AGENTS.md") && is_file(at + "/USER.md"))) {
      root = at;
      return Workspace::openclaw;
    }
  }
  const std::string name = root.substr(root.rfind('/') + 1);
  if (name == "memories" && (is_file(root + "/MEMORY.md") || is_file(root + "/USER.md")))
    return Workspace::hermes;
  if (is_file(root + "/CLAUDE.md") || is_file(root + "/memory/MEMORY.md") ||
      (name == "memory" && is_file(root + "/MEMORY.md")))
    return Workspace::claude_code;
  return Workspace::none;
}

Status import_workspace(const std::string& root, Workspace kind, Intake& intake,
                        ImportReport& report) {
  return Reader(root, kind, intake, report).run();
}

std::vector<Note> notes_in(std::string_view text, int first_line) {
  std::vector<Note> notes;
  std::vector<std::pair<std::size_t, std::string>> headings;  // and their levels
  int line = first_line;
  for (const Block& block : blocks_of(text).blocks) {
    line += static_cast<int>(std::count(block.gap.begin(), block.gap.end(), '\n'));
    const int at = line;
    line += static_cast<int>(std::count(block.text.begin(), block.text.end(), '\n'));
    const std::size_t level = std::min(block.text.find_first_not_of('#'), block.text.size());
    if (level >= 1 && level <= 6 && level < block.text.size() && block.text[level] == ' ') {
      while (!headings.empty() && headings.back().first >= level) headings.pop_back();
      headings.emplace_back(level, std::string(trim(block.text.substr(level))));
      continue;
    }
    const bool indented = block.text[0] == ' ' || block.text[0] == '\t';
    if (indented && !notes.empty()) {
      notes.back().text += "\n" + std::string(block.text);
      continue;
    }
    Note note{std::string(without_mark(block.text)), {}, at};
    for (const auto& [unused, heading] : headings) note.headings.push_back(heading);
    if (block.text.find_first_not_of("-*_ ") != std::string_view::npos)
      notes.push_back(std::move(note));
  }
  return notes;
}

}  // namespace keel::memory
