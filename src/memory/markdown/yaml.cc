#include "memory/markdown/yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/limits.h"
#include "base/text.h"

namespace keel::memory::yaml {
namespace {

constexpr std::size_t kKeyBytes = 128;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n';
}

char32_t hex_value(std::string_view digits) {
  unsigned value = 0xFFFD;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc() || end != digits.data() + digits.size()) return 0xFFFD;
  return value == 0 || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000) ? 0xFFFD : value;
}

// The character after a backslash, at `at`; moves past it.
void escaped(std::string_view text, std::size_t& at, std::string& out) {
  const char c = text[at++];
  constexpr std::string_view kNames = "ntrabefv\"\\/ ";
  constexpr std::string_view kValues = "\n\t\r\a\b\x1b\f\v\"\\/ ";
  std::size_t digits = 0;
  if (c == 'x') digits = 2;
  if (c == 'u') digits = 4;
  if (c == 'U') digits = 8;
  if (digits > 0) {
    append_utf8(out, hex_value(text.substr(at, digits)));
    at = std::min(text.size(), at + digits);
  } else if (const std::size_t i = kNames.find(c); i != std::string_view::npos) {
    out += kValues[i];
  } else {
    out += '\\';
    out += c;
  }
}

// Line ends inside quotes are spaces.
void folded(std::string_view text, std::size_t& at, std::string& out) {
  while (!out.empty() && (out.back() == ' ' || out.back() == '\t')) out.pop_back();
  std::size_t lines = 0;
  while (at < text.size() && is_space(text[at])) lines += text[at++] == '\n';
  out += lines > 1 ? std::string(lines - 1, '\n') : std::string(" ");
}

// Reads a quoted scalar that begins at `at` and moves past it.
std::optional<std::string> quoted(std::string_view text, std::size_t& at) {
  const char mark = text[at++];
  std::string out;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '\n') {
      folded(text, at, out);
    } else if (c == mark) {
      if (mark == '"' || at + 1 >= text.size() || text[at + 1] != '\'') {
        ++at;
        return out;
      }
      out += '\'';
      at += 2;
    } else if (c == '\\' && mark == '"' && at + 1 < text.size()) {
      ++at;
      escaped(text, at, out);
    } else {
      out += c;
      ++at;
    }
  }
  return std::nullopt;
}

// Without a comment: " #" ends a plain scalar.
std::string_view without_comment(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '#' && (i == 0 || is_space(text[i - 1]))) return trim(text.substr(0, i));
  return trim(text);
}

std::string plain(std::string_view text) {
  std::string out;
  for (const std::string_view line : split(text, '\n')) {
    const std::string_view part = without_comment(line);
    if (part.empty()) continue;
    if (!out.empty()) out += ' ';
    out += part;
  }
  return out == "~" || equals_ignoring_case(out, "null") ? std::string() : out;
}

// | keeps line ends, > makes them spaces; the lines after the first hold the text.
std::optional<std::string> block(std::string_view value) {
  const std::size_t first = std::min(value.find('\n'), value.size());
  const std::string_view head = without_comment(value.substr(0, first));
  if (head.find_first_not_of("|>+-0123456789") != std::string_view::npos) return std::nullopt;
  const std::string_view rest = value.substr(std::min(first + 1, value.size()));
  std::size_t indent = std::string_view::npos;
  for (const std::string_view line : split(rest, '\n'))
    if (!trim(line).empty()) indent = std::min(indent, line.find_first_not_of(' '));
  std::string out;
  for (const std::string_view line : split(rest, '\n')) {
    const std::string_view part = trim(line).empty() ? std::string_view() : line.substr(indent);
    const bool folds = head[0] == '>' && !part.empty();
    if (folds && !out.empty() && out.back() != '\n')
      out += ' ';
    else if (!folds && !out.empty())
      out += '\n';
    out += part;
  }
  return std::string(trim(out));
}

bool at_end(std::string_view text, std::size_t at) {
  return without_comment(text.substr(at)).empty();
}

// One item of [a, b], from `at` to before the comma or bracket.
std::optional<std::string> flow_item(std::string_view text, std::size_t& at) {
  if (text[at] == '"' || text[at] == '\'') {
    std::optional<std::string> value = quoted(text, at);
    while (at < text.size() && is_space(text[at])) ++at;
    return value;
  }
  const std::size_t end = text.find_first_of(",[]{}", at);
  if (end == std::string_view::npos || text[end] == '[' || text[end] == '{' || text[end] == '}')
    return std::nullopt;
  // "#" begins a comment here too; what people mean by it is a tag.
  const std::string_view item = trim(text.substr(at, end - at));
  at = end;
  return item.find('\n') == std::string_view::npos && item.starts_with('#') ? std::string(item)
                                                                            : plain(item);
}

std::optional<std::vector<std::string>> flow_list(std::string_view text) {
  std::vector<std::string> out;
  std::size_t at = 1;
  for (;;) {
    while (at < text.size() && (is_space(text[at]) || text[at] == ',')) ++at;
    if (at >= text.size()) return std::nullopt;
    if (text[at] == ']') break;
    std::optional<std::string> item = flow_item(text, at);
    if (!item || at >= text.size() || (text[at] != ',' && text[at] != ']')) return std::nullopt;
    if (!item->empty()) out.push_back(std::move(*item));
    if (out.size() > limits::front_matter_items) return out;
  }
  if (!at_end(text, at + 1)) return std::nullopt;
  return out;
}

bool is_item(std::string_view line) {
  return line == "-" || line.starts_with("- ") || line.starts_with("-\t");
}

std::optional<std::vector<std::string>> dash_list(std::string_view text) {
  std::vector<std::string> out;
  for (const std::string_view line : split(text, '\n')) {
    const std::string_view part = trim(line);
    if (part.empty() || part.front() == '#') continue;
    if (!is_item(part)) return std::nullopt;
    const std::string_view value = trim(part.substr(1));
    if (is_item(value) || !key_of(value).empty()) return std::nullopt;
    std::optional<std::string> item = scalar_of(value);
    if (!item) return std::nullopt;
    if (!item->empty()) out.push_back(std::move(*item));
    if (out.size() > limits::front_matter_items) break;
  }
  return out;
}

bool looks_like_something_else(std::string_view value) {
  constexpr std::array<std::string_view, 9> kWords = {"true", "false", "yes", "no",  "on",
                                                      "off",  "null",  "~",   ".nan"};
  for (const std::string_view word : kWords)
    if (equals_ignoring_case(value, word)) return true;
  // Numbers; times are written as they are.
  return value.find_first_not_of("0123456789.+-_eExXoO") == std::string_view::npos &&
         value.find_first_of("0123456789") != std::string_view::npos &&
         std::count(value.begin(), value.end(), '-') < 2;
}

}  // namespace

std::string key_of(std::string_view line) {
  while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
  if (line.empty()) return {};
  if (line[0] == '"' || line[0] == '\'') {
    std::size_t at = 0;
    const std::optional<std::string> key = quoted(line, at);
    const bool colon = key && at < line.size() && line[at] == ':' &&
                       (at + 1 == line.size() || is_space(line[at + 1]));
    return colon && key->size() <= kKeyBytes ? std::string(trim(*key)) : std::string();
  }
  if (is_space(line[0]) || std::string_view("#[]{},&*!|>%@`-?:").find(line[0]) != line.npos)
    return {};
  for (std::size_t i = 1; i < line.size() && i <= kKeyBytes; ++i) {
    if (line[i] == '#' && is_space(line[i - 1])) return {};
    if (line[i] == ':' && (i + 1 == line.size() || is_space(line[i + 1])))
      return std::string(trim(line.substr(0, i)));
  }
  return {};
}

std::string key_text(std::string_view key) {
  std::string plain(key);
  if (key_of(plain + ":") == plain) return plain;
  return "\"" + replace_all(replace_all(plain, "\\", "\\\\"), "\"", "\\\"") + "\"";
}

bool continues(std::string_view line) {
  return line.empty() || is_space(line[0]) || is_item(trim(line));
}

bool is_remark(std::string_view line) {
  const std::string_view text = trim(line);
  return text.empty() || text[0] == '#';
}

std::string_view value_part(std::string_view source) {
  std::size_t at = 0;
  if (!source.empty() && (source[0] == '"' || source[0] == '\'')) (void)quoted(source, at);
  for (; at < source.size(); ++at)
    if (source[at] == ':' && (at + 1 == source.size() || is_space(source[at + 1])))
      return source.substr(at + 1);
  return {};
}

std::optional<std::string> scalar_of(std::string_view value) {
  const std::string_view text = trim(value);
  if (text.empty()) return std::string();
  if (text[0] == '|' || text[0] == '>') {
    // The lines must keep their indentation.
    return block(value.substr(static_cast<std::size_t>(text.data() - value.data())));
  }
  if (text[0] == '[' || text[0] == '{' || is_item(text)) return std::nullopt;
  if (text[0] == '"' || text[0] == '\'') {
    std::size_t at = 0;
    std::optional<std::string> out = quoted(text, at);
    if (out && at_end(text, at)) return out;
    return std::nullopt;
  }
  // Lines below `key:` that are properties themselves make it a map.
  const bool below = value.find('\n') < static_cast<std::size_t>(text.data() - value.data());
  std::size_t number = 0;
  for (const std::string_view line : split(text, '\n'))
    if ((number++ > 0 || below) && !key_of(trim(line)).empty()) return std::nullopt;
  return plain(text);
}

std::optional<std::vector<std::string>> list_of(std::string_view value) {
  const std::string_view text = trim(value);
  if (text.empty() || text[0] == '#') {
    const std::string_view rest = text.substr(std::min(text.find('\n'), text.size()));
    if (trim(rest).empty()) return std::vector<std::string>();
    return list_of(rest);
  }
  if (text[0] == '[') return flow_list(text);
  if (is_item(text.substr(0, text.find('\n')))) return dash_list(text);
  std::optional<std::string> one = scalar_of(value);
  if (!one) return std::nullopt;
  return one->empty() ? std::vector<std::string>() : std::vector<std::string>{std::move(*one)};
}

std::string scalar_text(std::string_view value) {
  constexpr std::string_view kFirst = "-?:,[]{}#&*!|>'\"%@`~ ";
  bool simple = !value.empty() && kFirst.find(value[0]) == std::string_view::npos &&
                value.back() != ' ' && value.back() != ':' && !looks_like_something_else(value);
  for (std::size_t i = 0; i < value.size() && simple; ++i) {
    const auto c = static_cast<unsigned char>(value[i]);
    if (c < 0x20 || c == 0x7f || c == ',' || c == '[' || c == ']' || c == '{' || c == '}' ||
        (c == ':' && i + 1 < value.size() && is_space(value[i + 1])) ||
        (c == '#' && is_space(value[i - 1])))
      simple = false;
  }
  if (simple) return std::string(value);
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\')
      out += std::string("\\") + c;
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      out += c;
  }
  return out + "\"";
}

}  // namespace keel::memory::yaml
