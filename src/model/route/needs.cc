#include "model/route/needs.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/limits.h"
#include "base/text.h"

namespace keel::model {
namespace {

constexpr std::array<std::string_view, 40> code_words = {
    "python",   "javascript", "typescript", "rust",     "c++",       "java",     "golang",
    "sql",      "bash",       "regex",      "regexp",   "compiler",  "compile",  "compiles",
    "segfault", "traceback",  "exception",  "stderr",   "stdout",    "refactor", "unittest",
    "debugger", "function",   "functions",  "method",   "class",     "variable", "nullptr",
    "null",     "int",        "struct",     "iterator", "recursion", "json",     "api",
    "cmake",    "makefile",   "docker",     "github",   "commit"};
constexpr std::array<std::string_view, 17> code_endings = {
    ".py", ".js",  ".ts",   ".tsx", ".rs", ".go",  ".c",    ".cc",  ".cpp",
    ".h",  ".hpp", ".java", ".rb",  ".sh", ".sql", ".toml", ".yaml"};
constexpr int code_words_needed = 2;
// An image costs by its size in pixels, not in bytes: as text of so many, and that is much.
constexpr std::size_t image_bytes = 6000;
constexpr int code_lines_needed = 2;

bool is_code_line(std::string_view line) {
  line = trim(line);
  if (line.empty()) return false;
  if (line.ends_with(';') || line.ends_with('{') || line == "}" || line == "};") return true;
  for (const std::string_view head : {"#include", "import ", "def ", "class ", "fn ", "func ",
                                      "return ", "const ", "let ", "SELECT ", "$ "}) {
    if (line.starts_with(head)) return true;
  }
  return false;
}

bool is_word_part(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '.' || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool has_code_words(std::string_view text) {
  static const std::unordered_set<std::string_view> known(code_words.begin(), code_words.end());
  const std::string lower = ascii_lower(text);
  int found = 0;
  for (std::size_t at = 0; at < lower.size();) {
    if (!is_word_part(lower[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < lower.size() && is_word_part(lower[end])) ++end;
    std::string_view word = std::string_view(lower).substr(at, end - at);
    while (word.ends_with('.')) word.remove_suffix(1);
    const std::size_t dot = word.rfind('.');
    const bool named =
        dot != std::string_view::npos && dot > 0 &&
        std::find(code_endings.begin(), code_endings.end(), word.substr(dot)) != code_endings.end();
    found += named || known.contains(word) ? 1 : 0;
    if (found == code_words_needed) return true;
    at = end;
  }
  return false;
}

std::size_t bytes_of_block(const msg::Block& block) {
  return std::visit(
      [](const auto& one) -> std::size_t {
        using Kind = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<Kind, msg::ToolCall>) {
          return one.name.size() + one.arguments.size();
        } else if constexpr (std::is_same_v<Kind, msg::Text> ||
                             std::is_same_v<Kind, msg::Thinking> ||
                             std::is_same_v<Kind, msg::ToolResult>) {
          return one.text.size();
        } else if constexpr (std::is_same_v<Kind, msg::Image>) {
          return image_bytes;
        } else {
          return dump_json(msg::to_json(msg::Item{msg::Role::user, {one}})).size();
        }
      },
      block);
}

bool has_image(const msg::Item& item) {
  return std::any_of(item.blocks.begin(), item.blocks.end(), [](const msg::Block& block) {
    return std::holds_alternative<msg::Image>(block);
  });
}

// The newest words of a person; keel's own note behind them says nothing of what is wanted.
std::string newest_words(const std::vector<msg::Item>& items, bool ends_with_note) {
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    if (item->role != msg::Role::user) continue;
    msg::Item words = *item;
    if (ends_with_note && item == items.rbegin() && words.blocks.size() > 1) {
      words.blocks.pop_back();
    }
    std::string text = msg::plain_text(words);
    if (!text.empty()) return text;
  }
  return {};
}

}  // namespace

bool is_about_code(std::string_view text) {
  text = text.substr(0, limits::route_code_bytes);
  if (text.find("```") != std::string_view::npos) return true;
  int lines = 0;
  for (const std::string_view line : split(text, '\n')) {
    lines += is_code_line(line) ? 1 : 0;
    if (lines >= code_lines_needed) return true;
  }
  return has_code_words(text);
}

std::int64_t bytes_of(const std::vector<msg::Item>& items, const std::vector<msg::Tool>& tools) {
  std::size_t bytes = 0;
  for (const msg::Item& item : items) {
    for (const msg::Block& block : item.blocks) bytes += bytes_of_block(block);
  }
  for (const msg::Tool& tool : tools) {
    bytes += tool.name.size() + tool.description.size() + tool.schema.text().size();
  }
  return static_cast<std::int64_t>(bytes);
}

Needs needs_of(const Request& request) {
  Needs needs = needs_of(request.items, request.tools, true, request.ends_with_note);
  needs.max_tokens = request.max_tokens;
  if (request.tool_choice == ToolChoice::none) needs.tools = false;
  return needs;
}

Needs needs_of(const std::vector<msg::Item>& items, const std::vector<msg::Tool>& tools, bool code,
               bool ends_with_note) {
  Needs needs;
  needs.prompt_bytes = bytes_of(items, tools);
  needs.tools = !tools.empty();
  needs.code = code && is_about_code(newest_words(items, ends_with_note));
  needs.vision = std::any_of(items.begin(), items.end(), has_image);
  return needs;
}

}  // namespace keel::model
