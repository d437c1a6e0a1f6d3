#include "memory/notion/flavor.h"

#include <algorithm>
#include <cstdint>

#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"

namespace keel::memory::notion {
namespace {

constexpr std::string_view kSpecial = "\\*~`$[]<>{}|^";
constexpr std::size_t kMarkDigits = 16;

enum class Kind { text, heading, bullet, number, todo, quote, divider, code };

struct Line {
  Kind kind = Kind::text;
  std::size_t indent = 0;    // columns of white space before it; a tab counts for four
  std::string_view content;  // behind the marker
  int level = 0;             // of a heading
  bool done = false;         // of a to-do
};

bool is_list(Kind kind) {
  return kind == Kind::bullet || kind == Kind::number || kind == Kind::todo;
}

bool is_divider(std::string_view line) {
  return line.size() >= 3 &&
         (line.find_first_not_of('-') == line.npos || line.find_first_not_of('*') == line.npos);
}

// "12. " or "3) ": how many bytes it has.
std::size_t number_marker(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size() && at < 9 && line[at] >= '0' && line[at] <= '9') ++at;
  const bool marked =
      at > 0 && at + 1 < line.size() && (line[at] == '.' || line[at] == ')') && line[at + 1] == ' ';
  return marked ? at + 2 : 0;
}

Line read_line(std::string_view text) {
  Line line;
  std::size_t at = 0;
  for (; at < text.size() && (text[at] == ' ' || text[at] == '\t'); ++at)
    line.indent += text[at] == '\t' ? 4 : 1;
  text = trim(text.substr(at));
  line.content = text;
  std::size_t hashes = text.find_first_not_of('#');
  if (hashes != text.npos && hashes >= 1 && hashes <= 6 && text[hashes] == ' ') {
    line.kind = Kind::heading;
    line.level = static_cast<int>(std::min<std::size_t>(hashes, 4));
    line.content = trim(text.substr(hashes));
  } else if (is_divider(text)) {
    line.kind = Kind::divider;
    line.content = {};
  } else if (text.starts_with("- [ ]") || text.starts_with("- [x]") || text.starts_with("- [X]")) {
    line.kind = Kind::todo;
    line.done = text[3] != ' ';
    line.content = trim(text.substr(5));
  } else if (text.size() > 1 && (text[0] == '-' || text[0] == '*' || text[0] == '+') &&
             text[1] == ' ') {
    line.kind = Kind::bullet;
    line.content = trim(text.substr(2));
  } else if (const std::size_t marker = number_marker(text); marker > 0) {
    line.kind = Kind::number;
    line.content = trim(text.substr(marker));
  } else if (text.starts_with('>')) {
    line.kind = Kind::quote;
    line.content = trim(text.substr(1));
  } else if (text.starts_with("```")) {
    line.kind = Kind::code;
  }
  return line;
}

// Inline text

std::string inline_form(std::string_view text);

// Where the text between two equal marks ends: no mark and no lone backslash inside.
std::size_t closing(std::string_view text, std::size_t from, std::string_view mark) {
  for (std::size_t at = from; at < text.size(); ++at) {
    if (text[at] == '\\') {
      if (++at >= text.size()) return text.npos;
    } else if (text.substr(at).starts_with(mark)) {
      return at > from ? at : text.npos;
    } else if (text[at] == mark[0]) {
      return text.npos;
    }
  }
  return text.npos;
}

// A span of the form MARK text MARK at `at`, in canonical form; nothing if there is none.
std::string marked_span(std::string_view text, std::size_t& at, std::string_view mark) {
  if (!text.substr(at).starts_with(mark)) return {};
  const std::size_t from = at + mark.size();
  const std::size_t end = closing(text, from, mark);
  if (end == text.npos) return {};
  const std::string_view inner = text.substr(from, end - from);
  if (mark == "*" && (inner.front() == ' ' || inner.back() == ' ')) return {};
  at = end + mark.size();
  return std::string(mark) + inline_form(inner) + std::string(mark);
}

std::string code_span(std::string_view text, std::size_t& at) {
  if (text[at] != '`') return {};
  const std::size_t end = text.find('`', at + 1);
  if (end == text.npos || end == at + 1) return {};
  const std::string_view whole = text.substr(at, end + 1 - at);
  if (whole.find('\n') != whole.npos) return {};
  at = end + 1;
  return std::string(whole);
}

std::string link_span(std::string_view text, std::size_t& at) {
  if (text[at] != '[') return {};
  std::size_t end = at + 1;
  for (; end < text.size() && text[end] != ']' && text[end] != '['; ++end)
    if (text[end] == '\\') ++end;
  if (end + 1 >= text.size() || end == at + 1 || text[end] != ']' || text[end + 1] != '(')
    return {};
  const std::size_t close = text.find_first_of("() \n\t", end + 2);
  if (close == text.npos || text[close] != ')' || close == end + 2) return {};
  std::string out = "[" + inline_form(text.substr(at + 1, end - at - 1)) + "](" +
                    std::string(text.substr(end + 2, close - end - 2)) + ")";
  at = close + 1;
  return out;
}

std::string inline_form(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (kSpecial.find(c) == kSpecial.npos) {
      out += c;
      ++at;
      continue;
    }
    if (c == '\\' && at + 1 < text.size() && kSpecial.find(text[at + 1]) != kSpecial.npos) {
      out += text.substr(at, 2);
      at += 2;
      continue;
    }
    std::string span = code_span(text, at);
    if (span.empty()) span = link_span(text, at);
    for (const std::string_view mark : {"**", "~~", "*"})
      if (span.empty()) span = marked_span(text, at, mark);
    if (!span.empty()) {
      out += span;
    } else {
      out += '\\';
      out += c;
      ++at;
    }
  }
  return out;
}

// Units

std::string list_form(const std::vector<Line>& lines) {
  std::string out;
  std::vector<std::size_t> indents;  // of the levels that are open
  std::vector<int> numbers;
  for (const Line& line : lines) {
    while (indents.size() > 1 && line.indent <= indents[indents.size() - 2]) {
      indents.pop_back();
      numbers.pop_back();
    }
    if (indents.empty() || line.indent > indents.back()) {
      indents.push_back(line.indent);
      numbers.push_back(0);
    } else {
      indents.back() = line.indent;  // less deep than its neighbour, but no level of its own
    }
    if (!out.empty()) out += '\n';
    out.append(indents.size() - 1, '\t');
    if (line.kind == Kind::bullet) out += "- ";
    if (line.kind == Kind::todo) out += line.done ? "- [x] " : "- [ ] ";
    if (line.kind == Kind::number) out += std::to_string(++numbers.back()) + ". ";
    out += inline_form(line.content);
  }
  return out;
}

std::string canonical_form(const std::vector<Line>& lines) {
  const Line& first = lines.front();
  if (is_list(first.kind)) return list_form(lines);
  if (first.kind == Kind::divider) return "---";
  std::string text;
  for (const Line& line : lines) {
    if (!text.empty()) text += '\n';
    text += line.content;
  }
  text = inline_form(text);
  if (first.kind == Kind::heading)
    return std::string(static_cast<std::size_t>(first.level), '#') + " " + text;
  return first.kind == Kind::quote ? "> " + replace_all(std::move(text), "\n", "\n> ") : text;
}

std::string code_form(const std::vector<std::string_view>& lines) {
  const std::string_view language = trim(trim(lines.front()).substr(3));
  std::string out = "```" + (language.empty() ? "plain text" : std::string(language)) + "\n";
  const bool closed = lines.size() > 1 && trim(lines.back()) == "```";
  for (std::size_t i = 1; i + (closed ? 1 : 0) < lines.size(); ++i) {
    if (i > 1) out += '\n';
    out += lines[i];
  }
  return out + "\n```";
}

// Cuts a text into units, line by line.
class Cutter {
 public:
  std::vector<Unit> cut(std::string_view body) {
    for (const std::string_view line : split(body, '\n')) take(line);
    close();
    return std::move(units_);
  }

 private:
  void take(std::string_view text) {
    if (code_) {
      raw_.push_back(text);
      if (trim(text) == "```") close();
      return;
    }
    const Line line = read_line(text);
    if (trim(text).empty()) {
      ++blank_;
      return;
    }
    if (!continues(line)) close();
    for (; blank_ > 0; --blank_) {
      if (lines_.empty())
        ++gap_;
      else
        raw_.push_back({});
    }
    code_ = line.kind == Kind::code;
    raw_.push_back(text);
    lines_.push_back(line);
    if (line.kind == Kind::heading || line.kind == Kind::divider) close();
  }

  bool continues(const Line& line) const {
    if (lines_.empty()) return true;
    const Kind open = lines_.front().kind;
    if (is_list(open)) {
      const bool deeper = line.indent > lines_.front().indent && is_list(line.kind);
      return deeper || line.kind == open;
    }
    return blank_ == 0 && line.kind == open && (open == Kind::text || open == Kind::quote);
  }

  void close() {
    if (lines_.empty()) return;
    Unit unit;
    for (const std::string_view text : raw_) {
      if (!unit.raw.empty()) unit.raw += '\n';
      unit.raw += text;
    }
    if (!units_.empty()) unit.before.assign(gap_ + 1, '\n');
    unit.canonical = code_ ? code_form(raw_) : canonical_form(lines_);
    units_.push_back(std::move(unit));
    raw_.clear();
    lines_.clear();
    code_ = false;
    gap_ = 0;
  }

  std::vector<Unit> units_;
  std::vector<std::string_view> raw_;
  std::vector<Line> lines_;
  bool code_ = false;
  std::size_t blank_ = 0;
  std::size_t gap_ = 0;
};

// Reading

std::string letters_of(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
        (byte >= 'A' && byte <= 'Z') || byte >= 0x80)
      out += c;
  }
  return out;
}

std::string mark_of(std::string_view unit) {
  return sha256_hex(unit).substr(0, kMarkDigits);
}

class Matcher {
 public:
  Matcher(std::vector<std::string> theirs, std::vector<Unit> local, const Marks& marks,
          const std::vector<bool>& fresh)
      : theirs_(std::move(theirs)), local_(std::move(local)) {
    marks_ = marks.size() == local_.size() ? marks : Marks(local_.size());
    fresh_ = fresh.size() == local_.size() ? fresh : std::vector<bool>(local_.size());
    for (const std::string& unit : theirs_) {
      hashes_.push_back(mark_of(unit));
      letters_.push_back(letters_of(unit));
    }
    local_letters_.resize(local_.size());
    for (std::size_t j = 0; j < local_.size(); ++j) {
      if (fresh_[j]) local_letters_[j] = letters_of(local_[j].canonical);
    }
  }

  Reading read() {
    const std::vector<std::size_t> pair = pairs();
    Reading reading;
    reading.marks = Marks(local_.size());
    reading.same = theirs_.size() == local_.size();
    std::size_t expected = 0;  // the local unit that would follow without a change
    for (std::size_t i = 0; i < theirs_.size(); ++i) {
      const std::size_t j = pair[i];
      const bool known = j < local_.size();
      const bool follows = known && j == expected;
      if (i > 0) reading.body += follows ? local_[j].before : "\n\n";
      reading.body += known ? local_[j].raw : from_notion(theirs_[i]);
      if (known && theirs_[i] != local_[j].canonical) reading.marks[j] = hashes_[i];
      reading.same = reading.same && follows;
      expected = known ? j + 1 : local_.size();
    }
    return reading;
  }

 private:
  bool equal(std::size_t i, std::size_t j) const {
    if (marks_[j].empty() ? theirs_[i] == local_[j].canonical : hashes_[i] == marks_[j])
      return true;
    return fresh_[j] && !letters_[i].empty() && letters_[i] == local_letters_[j];
  }

  // For each of their units the local one it is, or local_.size(): the longest common sequence.
  std::vector<std::size_t> pairs() const {
    const std::size_t n = theirs_.size(), m = local_.size();
    std::vector<std::size_t> pair(n, m);
    std::size_t head = 0, tail = 0;
    while (head < n && head < m && equal(head, head)) {
      pair[head] = head;
      ++head;
    }
    while (tail < n - head && tail < m - head && equal(n - 1 - tail, m - 1 - tail)) {
      pair[n - 1 - tail] = m - 1 - tail;
      ++tail;
    }
    const std::size_t rows = n - head - tail, columns = m - head - tail;
    if (rows == 0 || columns == 0 || rows * columns > limits::notion_match_cells) return pair;
    std::vector<std::uint32_t> best((rows + 1) * (columns + 1));
    const auto at = [&](std::size_t i, std::size_t j) -> std::uint32_t& {
      return best[i * (columns + 1) + j];
    };
    for (std::size_t i = rows; i-- > 0;)
      for (std::size_t j = columns; j-- > 0;)
        at(i, j) =
            equal(head + i, head + j) ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
    for (std::size_t i = 0, j = 0; i < rows && j < columns;) {
      if (equal(head + i, head + j)) {
        pair[head + i] = head + j;
        ++i, ++j;
      } else if (at(i + 1, j) >= at(i, j + 1)) {
        ++i;
      } else {
        ++j;
      }
    }
    return pair;
  }

  std::vector<std::string> theirs_;
  std::vector<Unit> local_;
  Marks marks_;
  std::vector<bool> fresh_;
  std::vector<std::string> hashes_, letters_;  // of theirs
  std::vector<std::string> local_letters_;     // of the fresh ones
};

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

std::vector<Unit> units_of(std::string_view body) {
  return Cutter().cut(body);
}

std::vector<std::string> canonical_units(std::string_view body) {
  std::vector<std::string> out;
  for (Unit& unit : units_of(body)) out.push_back(std::move(unit.canonical));
  return out;
}

std::string join_units(const std::vector<std::string>& canonical) {
  return join(canonical, "\n\n");
}

std::string to_notion(std::string_view body) {
  return join_units(canonical_units(body));
}

std::string from_notion(std::string_view unit) {
  if (unit.starts_with("```")) return std::string(unit);
  std::string plain;
  for (std::size_t at = 0; at < unit.size(); ++at) {
    const bool escape =
        unit[at] == '\\' && at + 1 < unit.size() && kSpecial.find(unit[at + 1]) != kSpecial.npos;
    if (escape) ++at;
    plain += unit[at];
  }
  plain = replace_all(std::move(plain), "<br>", "\n");
  // Where the escape means something ("\*\*" is no bold type), it stays.
  return to_notion(plain) == unit ? plain : replace_all(std::string(unit), "<br>", "\n");
}

std::string marks_text(const Marks& marks) {
  const bool plain =
      std::all_of(marks.begin(), marks.end(), [](const std::string& mark) { return mark.empty(); });
  return plain ? std::string() : join(marks, ",");
}

Marks marks_from(std::string_view text) {
  Marks marks;
  if (text.empty()) return marks;
  for (const std::string_view part : split(text, ',')) marks.emplace_back(part);
  return marks;
}

Reading read_markdown(std::string_view markdown, std::string_view local, const Marks& marks,
                      const std::vector<bool>& fresh) {
  std::vector<std::string> theirs;
  for (Unit& unit : units_of(markdown)) theirs.push_back(std::move(unit.raw));
  return Matcher(std::move(theirs), units_of(local), marks, fresh).read();
}

Change change_between(const std::vector<std::string>& before,
                      const std::vector<std::string>& after) {
  std::size_t head = 0, tail = 0;
  const std::size_t least = std::min(before.size(), after.size());
  while (head < least && before[head] == after[head]) ++head;
  while (tail < least - head && before[before.size() - 1 - tail] == after[after.size() - 1 - tail])
    ++tail;
  const std::string whole = join_units(before);
  const auto part = [](const std::vector<std::string>& units, std::size_t from, std::size_t to) {
    return join_units({units.begin() + static_cast<std::ptrdiff_t>(from),
                       units.begin() + static_cast<std::ptrdiff_t>(to)});
  };
  for (;;) {
    Change change{part(before, head, before.size() - tail), part(after, head, after.size() - tail),
                  head, before.size() - tail};
    // A part that goes away, or a place where one is put in, takes a neighbour with it; so does a
    // text that stands in several places.
    const bool bare = change.old_text.empty() || change.new_text.empty();
    if ((head == 0 && tail == 0) || (!bare && count_of(whole, change.old_text) == 1)) return change;
    if (head > 0)
      --head;
    else
      --tail;
  }
}

}  // namespace keel::memory::notion
