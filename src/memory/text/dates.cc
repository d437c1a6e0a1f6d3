#include "memory/text/dates.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "base/text.h"
#include "memory/text/porter.h"

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

std::vector<std::string> day_tokens(std::string_view day) {
  constexpr std::size_t kYear = 4, kMonth = 7, kDay = 10;
  std::vector<std::string> tokens;
  if (day.size() < kYear) return tokens;
  tokens.emplace_back(day.substr(0, kYear));
  if (day.size() < kMonth) return tokens;
  const int month = number_of(day.substr(kYear + 1, 2));
  if (month < 1 || month > 12) return tokens;
  tokens.push_back(porter_stem(kLongMonths[static_cast<std::size_t>(month) - 1]));
  tokens.emplace_back(day.substr(0, kMonth));
  if (day.size() < kDay) return tokens;
  tokens.push_back(std::to_string(number_of(day.substr(kMonth + 1, 2))));
  tokens.emplace_back(day.substr(0, kDay));
  return tokens;
}

namespace {

constexpr std::array<std::string_view, 7> kWeekdays = {
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};
constexpr WallMs kDayMs = 86'400'000;

int weekday_of(std::string_view word) {
  for (std::size_t i = 0; i < kWeekdays.size(); ++i) {
    if (word == kWeekdays[i]) return static_cast<int>(i);
  }
  return -1;
}

// 0 if it is no small number.
int count_of(std::string_view word) {
  constexpr std::array<std::string_view, 12> kNumbers = {"one",  "two", "three",  "four",
                                                         "five", "six", "seven",  "eight",
                                                         "nine", "ten", "eleven", "twelve"};
  for (std::size_t i = 0; i < kNumbers.size(); ++i) {
    if (word == kNumbers[i]) return static_cast<int>(i) + 1;
  }
  if (word == "a" || word == "an") return 1;
  return !word.empty() && word.size() <= 3 && is_digit(word[0]) ? number_of(word) : 0;
}

std::string month_token(WallMs now, int months_back) {
  const std::string today = iso_day(now);
  const int at = number_of(std::string_view(today).substr(0, 4)) * 12 +
                 number_of(std::string_view(today).substr(5, 2)) - 1 - months_back;
  return fmt::format("{:04}-{:02}", at / 12, at % 12 + 1);
}

// "last X" and "N X ago".
void relative_days(const std::string& unit, int back, bool last, WallMs now,
                   std::vector<std::string>& out) {
  const auto day = [&](int days) { out.push_back(iso_day(now - days * kDayMs)); };
  if (unit == "day" || unit == "days" || unit == "night") {
    day(back);
  } else if (unit == "week" || unit == "weeks") {
    // The seven days around it; of "last week" those before today.
    const int middle = 7 * back;
    for (int i = last ? 1 : middle - 3; i <= (last ? 7 : middle + 3); ++i) day(i);
  } else if (unit == "month" || unit == "months") {
    out.push_back(month_token(now, back));
  } else if (unit == "year" || unit == "years") {
    out.push_back(month_token(now, 12 * back).substr(0, 4));
  } else if (const int weekday = weekday_of(unit); last && weekday >= 0) {
    const int today = static_cast<int>((now / kDayMs + 3) % 7);  // 1970-01-01 was a Thursday
    const int days = (today - weekday + 7) % 7;
    day(days == 0 ? 7 : days);
  } else if (const int month = month_of(unit); last && month != 0) {
    const std::string today = iso_day(now);
    const int this_month = number_of(std::string_view(today).substr(5, 2));
    const int months = (this_month - month + 12) % 12;
    out.push_back(month_token(now, months == 0 ? 12 : months));
  }
}

}  // namespace

std::vector<std::string> days_asked(std::string_view question, WallMs now) {
  constexpr std::size_t kMostWords = 64, kMostDays = 16;
  std::vector<std::string> words = pieces_of(question.substr(0, 4096));
  if (words.size() > kMostWords) words.resize(kMostWords);
  std::vector<std::string> out;
  const auto word = [&](std::size_t i) { return i < words.size() ? words[i] : std::string(); };
  for (std::size_t i = 0; i < words.size() && out.size() < kMostDays; ++i) {
    const int month = month_of(words[i]);
    if (month != 0) {
      const auto year = [](const std::string& w) { return w.size() == 4 && is_digit(w[0]); };
      const auto day = [](const std::string& w) {
        return !w.empty() && w.size() <= 2 && is_digit(w[0]) ? number_of(w) : 0;
      };
      const std::size_t ordinal = word(i + 2).size() == 2 && is_filler(word(i + 2)) ? 1 : 0;
      std::optional<std::string> found;
      if (year(word(i + 1)))  // May 2023, 8 May 2023
        found = iso(number_of(word(i + 1)), month, i > 0 ? day(words[i - 1]) : 0);
      else if (day(word(i + 1)) != 0 && year(word(i + 2 + ordinal)))  // May 8th, 2023
        found = iso(number_of(word(i + 2 + ordinal)), month, day(word(i + 1)));
      if (found) out.push_back(*found);
    }
    if (now <= 0) continue;
    if (words[i] == "yesterday" || words[i] == "gestern") relative_days("day", 1, false, now, out);
    if (words[i] == "last") relative_days(word(i + 1), 1, true, now, out);
    if (const int n = count_of(words[i]); n > 0 && word(i + 2) == "ago")
      relative_days(word(i + 1), n, false, now, out);
  }
  // Exact days as they may stand in the question.
  for (const std::string_view raw : split(question.substr(0, 4096), ' ')) {
    std::string_view token = trim(raw);
    while (!token.empty() && !is_digit(token.back())) token.remove_suffix(1);
    if (token.size() < 7 || token.find('-') == std::string_view::npos) continue;
    if (auto found = numeric(token); found && out.size() < kMostDays) out.push_back(*found);
  }
  return out;
}

bool asks_when(std::string_view question) {
  const std::vector<std::string> words = pieces_of(question.substr(0, 1024));
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i == 0 && (words[i] == "when" || words[i] == "wann")) return true;
    if (words[i] != "what" && words[i] != "which") continue;
    if (i + 1 < words.size() && (words[i + 1] == "year" || words[i + 1] == "month" ||
                                 words[i + 1] == "date" || words[i + 1] == "day"))
      return true;
  }
  return false;
}

}  // namespace keel::memory
