#include "memory/markdown/front_matter.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "memory/markdown/yaml.h"

namespace keel::memory {
namespace {

std::size_t end_of_line(std::string_view text, std::size_t at) {
  const std::size_t end = text.find('\n', at);
  return end == std::string_view::npos ? text.size() : end + 1;
}

bool is_rule(std::string_view line, std::string_view mark) {
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ' || line.back() == '\t'))
    line.remove_suffix(1);
  return line == mark;
}

// Line ends as \n, without a byte order mark.
std::string normal_lines(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      out += '\n';
    }
  }
  return out;
}

// Years of four digits, which can be written again.
std::optional<WallMs> in_range(WallMs ms) {
  constexpr WallMs kFirst = -62'135'596'800'000, kLast = 253'402'300'799'999;
  return ms >= kFirst && ms <= kLast ? std::optional<WallMs>(ms) : std::nullopt;
}

// Reads digits and moves past them; nothing if there are not from `least` to `most` of them.
std::optional<std::int64_t> number_at(std::string_view text, std::size_t& at, std::size_t least,
                                      std::size_t most) {
  std::size_t end = at;
  while (end < text.size() && end - at < most && text[end] >= '0' && text[end] <= '9') ++end;
  if (end - at < least) return std::nullopt;
  std::int64_t value = 0;
  std::from_chars(text.data() + at, text.data() + end, value);
  at = end;
  return value;
}

bool skip(std::string_view text, std::size_t& at, std::string_view any) {
  if (at >= text.size() || any.find(text[at]) == std::string_view::npos) return false;
  ++at;
  return true;
}

// "+02:00", "-0530", "Z" or nothing, as milliseconds to take off.
std::optional<WallMs> zone_at(std::string_view text, std::size_t& at) {
  while (skip(text, at, " ")) {
  }
  if (at == text.size() || skip(text, at, "Zz")) return 0;
  const bool west = text[at] == '-';
  if (!skip(text, at, "+-")) return std::nullopt;
  const auto hours = number_at(text, at, 2, 2);
  skip(text, at, ":");
  const auto minutes = number_at(text, at, 0, 2);
  if (!hours || *hours > 14 || !minutes || *minutes > 59) return std::nullopt;
  return (west ? -1 : 1) * (*hours * 60 + *minutes) * 60'000;
}

// "13:56", "13:56:00", "13:56:00.25": milliseconds of the day.
std::optional<WallMs> clock_at(std::string_view text, std::size_t& at) {
  const auto hour = number_at(text, at, 1, 2);
  if (!hour || !skip(text, at, ":")) return std::nullopt;
  const auto minute = number_at(text, at, 2, 2);
  if (!minute || *hour > 24 || *minute > 59) return std::nullopt;
  WallMs ms = (*hour * 60 + *minute) * 60'000;
  if (!skip(text, at, ":")) return ms;
  const auto second = number_at(text, at, 2, 2);
  if (!second || *second > 60) return std::nullopt;
  ms += *second * 1000;
  if (!skip(text, at, ".,")) return ms;
  const std::size_t begin = at;
  const auto fraction = number_at(text, at, 1, 9);
  if (!fraction) return std::nullopt;
  std::int64_t scaled = *fraction;
  for (std::size_t digits = at - begin; digits < 3; ++digits) scaled *= 10;
  for (std::size_t digits = at - begin; digits > 3; --digits) scaled /= 10;
  return ms + scaled;
}

}  // namespace

FrontMatter FrontMatter::parse(std::string_view text, int first_line,
                               std::vector<Problem>& problems) {
  FrontMatter front;
  int number = first_line;
  std::size_t keys = 0;
  for (std::size_t at = 0; at < text.size(); ++number) {
    const std::size_t end = end_of_line(text, at);
    const std::string_view line = text.substr(at, end - at);
    at = end;
    Field* open = front.fields_.empty() ? nullptr : &front.fields_.back();
    if (yaml::continues(line) && open != nullptr && !open->key.empty()) {
      open->source += line;
      continue;
    }
    const std::string key = yaml::key_of(line);
    if (key.empty()) {
      if (!yaml::is_remark(line))
        problems.push_back(
            {{}, number, "is not of the form `key: value`; it is kept as it is", false});
      front.fields_.push_back({{}, std::string(line), number});
      continue;
    }
    if (front.find(key) != nullptr)
      problems.push_back(
          {{}, number, "'" + printable(key, 40) + "' stands twice; the first counts", false});
    if (++keys > limits::front_matter_keys) {
      problems.push_back({{},
                          number,
                          fmt::format("more than {} keys; the others are kept, but not read",
                                      limits::front_matter_keys),
                          false});
      front.fields_.push_back({{}, std::string(text.substr(at - line.size())), number});
      break;
    }
    front.fields_.push_back({key, std::string(line), number});
  }
  return front;
}

const FrontMatter::Field* FrontMatter::find(std::string_view key) const {
  for (const Field& field : fields_)
    if (!field.key.empty() && equals_ignoring_case(field.key, key)) return &field;
  return nullptr;
}

std::optional<std::string> FrontMatter::scalar(std::string_view key) const {
  const Field* field = find(key);
  if (field == nullptr) return std::nullopt;
  std::optional<std::string> value = yaml::scalar_of(yaml::value_part(field->source));
  if (!value || value->empty()) return std::nullopt;
  return value;
}

std::optional<std::vector<std::string>> FrontMatter::list(std::string_view key) const {
  const Field* field = find(key);
  if (field == nullptr) return std::nullopt;
  return yaml::list_of(yaml::value_part(field->source));
}

int FrontMatter::line(std::string_view key) const {
  const Field* field = find(key);
  return field == nullptr ? 0 : field->line;
}

std::string FrontMatter::written(std::string_view key) const {
  const Field* field = find(key);
  return field == nullptr ? std::string() : field->key;
}

std::vector<std::string> FrontMatter::keys() const {
  std::vector<std::string> out;
  for (const Field& field : fields_)
    if (!field.key.empty()) out.push_back(field.key);
  return out;
}

void FrontMatter::put(std::string_view key, std::string source) {
  if (!source.empty() && source.back() != '\n') source += '\n';
  for (Field& field : fields_) {
    if (field.key.empty() || !equals_ignoring_case(field.key, key)) continue;
    field.source = std::move(source);
    return;
  }
  if (!fields_.empty() && !fields_.back().source.ends_with('\n')) fields_.back().source += '\n';
  fields_.push_back({std::string(key), std::move(source), 0});
}

void FrontMatter::set(std::string_view key, std::string_view value) {
  if (value.empty()) return erase(key);
  put(key, yaml::key_text(key) + ": " + yaml::scalar_text(value) + "\n");
}

void FrontMatter::set_list(std::string_view key, const std::vector<std::string>& values) {
  if (values.empty()) return erase(key);
  std::string source = yaml::key_text(key) + ":\n";
  for (const std::string& value : values) source += "  - " + yaml::scalar_text(value) + "\n";
  put(key, std::move(source));
}

void FrontMatter::erase(std::string_view key) {
  std::erase_if(fields_, [&](const Field& field) {
    return !field.key.empty() && equals_ignoring_case(field.key, key);
  });
}

std::string FrontMatter::source(std::string_view key) const {
  const Field* field = find(key);
  return field == nullptr ? std::string() : field->source;
}

void FrontMatter::set_source(std::string_view key, std::string_view source) {
  put(key, std::string(source));
}

std::string FrontMatter::text() const {
  std::string out;
  for (const Field& field : fields_) out += field.source;
  return out;
}

Document read_document(std::string_view raw, std::vector<Problem>& problems) {
  const std::string text = normal_lines(raw);
  Document document;
  const auto whole = [&] {
    document.front = {};
    document.body_line = 1;
    document.body = std::string(trim(text));
    return std::move(document);
  };
  const std::size_t first = end_of_line(text, 0);
  if (!is_rule(std::string_view(text).substr(0, first), "---")) return whole();
  int lines = 1;
  std::size_t at = first, end = first;
  bool closed = false;
  while (at < text.size() && at - first <= limits::front_matter_bytes && !closed) {
    end = at;
    at = end_of_line(text, at);
    const std::string_view line = std::string_view(text).substr(end, at - end);
    closed = is_rule(line, "---") || is_rule(line, "...");
    ++lines;
  }
  std::vector<Problem> found;
  if (closed)
    document.front =
        FrontMatter::parse(std::string_view(text).substr(first, end - first), 2, found);
  if (document.front.keys().empty()) {
    // A rule at the top of a text, unless it was meant to be more.
    const std::string_view next = std::string_view(text).substr(first, end_of_line(text, first));
    if (!closed && !yaml::key_of(next.substr(0, end_of_line(next, 0))).empty())
      problems.push_back(
          {{}, 1, "the front matter does not end; all of the file is taken as text", false});
    else if (closed && !found.empty())
      problems.push_back({{},
                          found.front().line,
                          "is no front matter of the form `key: value`; all of the file is taken "
                          "as text",
                          false});
    return whole();
  }
  problems.insert(problems.end(), found.begin(), found.end());
  document.body = std::string(trim(std::string_view(text).substr(at)));
  document.body_line = lines + 1;
  return document;
}

std::string document_text(const FrontMatter& front, std::string_view body) {
  std::string out;
  std::string properties = front.text();
  if (!properties.empty()) {
    if (properties.back() != '\n') properties += '\n';
    out = "---\n" + properties + "---\n\n";
  }
  out += body;
  if (!body.empty()) out += '\n';
  return out;
}

std::string with_line_ends_of(std::string_view other, std::string text) {
  if (other.find("\r\n") == std::string_view::npos) return text;
  return replace_all(std::move(text), "\n", "\r\n");
}

std::string with_property(std::string_view text, std::string_view key, std::string_view value) {
  const std::string_view mark = "\xef\xbb\xbf";
  const std::string_view begin = text.starts_with(mark) ? mark : std::string_view();
  text.remove_prefix(begin.size());
  std::vector<Problem> unused;
  const std::string line =
      with_line_ends_of(text, std::string(key) + ": " + yaml::scalar_text(value) + "\n");
  std::string out(begin);
  if (read_document(text, unused).front.empty()) {
    out += with_line_ends_of(text, "---\n") + line + with_line_ends_of(text, "---\n\n");
    return out + std::string(text);
  }
  const std::size_t first = end_of_line(text, 0);
  out += text.substr(0, first);
  out += line;
  out += text.substr(first);
  return out;
}

std::optional<WallMs> time_of(std::string_view raw) {
  const std::string_view text = trim(raw);
  std::size_t at = 0;
  if (text.find_first_not_of("0123456789") == std::string_view::npos) {
    const auto number = number_at(text, at, 9, 13);
    if (!number || at != text.size()) return std::nullopt;
    return text.size() <= 10 ? *number * 1000 : *number;
  }
  const auto year = number_at(text, at, 4, 4);
  if (!year || !skip(text, at, "-/")) return std::nullopt;
  const auto month = number_at(text, at, 1, 2);
  if (!month || !skip(text, at, "-/")) return std::nullopt;
  const auto day = number_at(text, at, 1, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  WallMs ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                  std::chrono::sys_days(date).time_since_epoch())
                  .count();
  if (at == text.size()) return in_range(ms);
  if (!skip(text, at, "Tt ")) return std::nullopt;
  while (skip(text, at, " ")) {
  }
  const auto clock = clock_at(text, at);
  if (!clock) return std::nullopt;
  const auto zone = zone_at(text, at);
  if (!zone || at != text.size()) return std::nullopt;
  return in_range(ms + *clock - *zone);
}

std::string time_text(WallMs ms) {
  const WallMs rest = ((ms % 1000) + 1000) % 1000;
  std::string text = iso_time(ms - rest);
  text.pop_back();
  return fmt::format("{}.{:03}Z", text, rest);
}

}  // namespace keel::memory
