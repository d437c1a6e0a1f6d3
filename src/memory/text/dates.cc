#include "memory/text/dates.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "base/text.h"

namespace keel::memory {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 12> kLongMonths = {
    "january", "february", "march",     "april",   "may",      "june",
    "july",    "august",   "september", "october", "november", "december"};
constexpr int kFirstYear = 1000;
constexpr int kLastYear = 9999;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Numbers and words, without what stands between them.
std::vector<std::string> pieces_of(std::string_view text) {
  std::vector<std::string> pieces;
  for (std::size_t i = 0; i < text.size();) {
    const auto same = is_digit(text[i]) ? is_digit : is_letter(text[i]) ? is_letter : nullptr;
    if (same == nullptr) {
      ++i;
      continue;
    }
    const std::size_t from = i;
    while (i < text.size() && same(text[i])) ++i;
    pieces.push_back(ascii_lower(text.substr(from, i - from)));
  }
  return pieces;
}

// 1 to 12; 0 if it is none.
int month_of(std::string_view word) {
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (word == kMonths[i] || word == kLongMonths[i] || (i == 8 && word == "sept"))
      return static_cast<int>(i) + 1;
  }
  return 0;
}

int number_of(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

bool leap(int year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int days_in(int year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return kDays[static_cast<std::size_t>(month) - 1] + (month == 2 && leap(year) ? 1 : 0);
}

// Zero stands for what is not known.
std::optional<std::string> iso(int year, int month, int day) {
  if (year < kFirstYear || year > kLastYear) return std::nullopt;
  if (month == 0) return day == 0 ? std::optional(fmt::format("{:04}", year)) : std::nullopt;
  if (month < 1 || month > 12 || day < 0 || day > days_in(year, month)) return std::nullopt;
  if (day == 0) return fmt::format("{:04}-{:02}", year, month);
  return fmt::format("{:04}-{:02}-{:02}", year, month, day);
}

// "2023", "2023-5", "2023-05-08", with or without a time after it.
std::optional<std::string> numeric(std::string_view text) {
  std::array<int, 3> parts = {};
  std::size_t at = 0;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const std::size_t from = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    if (at == from || (part == 0 && at - from != 4) || (part > 0 && at - from > 2))
      return std::nullopt;
    parts[part] = number_of(text.substr(from, at - from));
    if (part > 0 && parts[part] == 0) return std::nullopt;
    if (at == text.size()) return iso(parts[0], parts[1], parts[2]);
    if (part < 2 && text[at] != '-' && text[at] != '/' && text[at] != '.') return std::nullopt;
    if (part < 2) ++at;
  }
  if (text[at] != 'T' && text[at] != 't' && text[at] != ' ') return std::nullopt;
  return iso(parts[0], parts[1], parts[2]);
}

bool is_filler(std::string_view word) {
  return word == "am" || word == "pm" || word == "on" || word == "of" || word == "at" ||
         word == "the" || word == "st" || word == "nd" || word == "rd" || word == "th";
}

// With the month as a word; a time of day before it or after it is passed over.
std::optional<std::string> spelled(std::string_view text) {
  int year = 0, month = 0, day = 0;
  const std::size_t colon = text.find(':');
  std::size_t skip_from = std::string_view::npos, skip_to = 0;
  if (colon != std::string_view::npos) {
    skip_from = colon;
    while (skip_from > 0 && is_digit(text[skip_from - 1])) --skip_from;
    skip_to = colon + 1;
    while (skip_to < text.size() && (is_digit(text[skip_to]) || text[skip_to] == ':')) ++skip_to;
  }
  const std::string kept =
      skip_from == std::string_view::npos
          ? std::string(text)
          : std::string(text.substr(0, skip_from)) + " " + std::string(text.substr(skip_to));
  for (const std::string& piece : pieces_of(kept)) {
    if (is_digit(piece[0])) {
      if (piece.size() == 4 && year == 0)
        year = number_of(piece);
      else if (piece.size() <= 2 && day == 0 && number_of(piece) > 0)
        day = number_of(piece);
      else
        return std::nullopt;
    } else if (const int found = month_of(piece); found != 0 && month == 0) {
      month = found;
    } else if (!is_filler(piece)) {
      return std::nullopt;
    }
  }
  if (month == 0 || year == 0) return std::nullopt;
  return iso(year, month, day);
}

}  // namespace

std::optional<std::string> day_of(std::string_view text) {
  constexpr std::size_t kMostBytes = 64;
  text = trim(text);
  if (text.empty() || text.size() > kMostBytes) return std::nullopt;
  if (auto found = numeric(text)) return found;
  return spelled(text);
}

}  // namespace keel::memory
