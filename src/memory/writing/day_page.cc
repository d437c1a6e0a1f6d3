#include "memory/writing/day_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "memory/text/words.h"

namespace keel::memory {
namespace {

constexpr std::string_view kOwner = "Owner: ";

bool is_courtesy(std::string_view word) {
  constexpr std::string_view kCourtesies[] = {
      "hello",   "hi",     "hey",   "thanks", "thank",   "please", "okay",  "ok",    "great",
      "good",    "nice",   "cool",  "fine",   "bye",     "yes",    "no",    "yeah",  "sure",
      "morning", "night",  "lot",   "very",   "much",    "danke",  "hallo", "bitte", "gut",
      "guten",   "morgen", "abend", "tag",    "tschuss", "ja",     "nein",  "super", "perfect"};
  return std::find(std::begin(kCourtesies), std::end(kCourtesies), word) != std::end(kCourtesies);
}

// White space of any kind becomes one space, so that a cut text cannot open a code block or a list
// for what comes after it.
std::string one_line(std::string_view text, std::size_t bytes) {
  std::string line;
  for (const char c : utf8_prefix(text, 4 * bytes)) {
    if (static_cast<unsigned char>(c) > ' ')
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  return shorten(trim(line), bytes);
}

struct Line {
  std::string_view time, said;
};

// The owner's lines of a body; those that he has changed beyond recognition are left out.
std::vector<Line> owners_lines(std::string_view body) {
  std::vector<Line> lines;
  for (std::string_view line : split(body, '\n')) {
    line = trim(line);
    if (!line.starts_with("**")) continue;
    line.remove_prefix(2);
    const std::size_t end = line.find("** ");
    if (end == std::string_view::npos || !line.substr(end + 3).starts_with(kOwner)) continue;
    lines.push_back({line.substr(0, end), trim(line.substr(end + 3 + kOwner.size()))});
  }
  return lines;
}

}  // namespace

bool is_worth_an_entry(const Spoken& spoken) {
  if (spoken.used_tools) return true;
  std::set<std::string> telling;
  for (const Word& word :
       words_of(utf8_prefix(spoken.owner, limits::extract_said_bytes), Use::query)) {
    if (class_of(word) == WordClass::strong && !is_courtesy(word.surface))
      telling.insert(word.stem);
  }
  return telling.size() >= 2;
}

std::string entry_of(const Spoken& spoken, std::string_view agent_name) {
  const std::string turn = fmt::format("(turn {})", spoken.turn);
  std::string entry = fmt::format("**{}** {}{}", local_minute(spoken.at_ms), kOwner,
                                  one_line(spoken.owner, limits::day_said_bytes));
  if (spoken.tainted)
    return fmt::format(
        "{}\n\n**{}:** The answer is not kept here, because text from outside stood beside it. {}",
        entry, agent_name, turn);
  const std::string reply = one_line(spoken.reply, limits::day_reply_bytes);
  if (reply.empty()) return entry + " " + turn;
  return fmt::format("{}\n\n**{}:** {} {}", entry, agent_name, reply, turn);
}

std::string day_title(WallMs at_ms, std::string_view conversation, std::int64_t part) {
  const std::string time = local_time_text(at_ms);
  const std::string day = time.substr(0, time.rfind(", "));
  return part > 1 ? fmt::format("{} ({}, part {})", day, conversation, part)
                  : fmt::format("{} ({})", day, conversation);
}

std::string digest_of_day(std::string_view body, std::size_t bytes) {
  constexpr std::size_t kLeast = 24, kTimeBytes = 8;
  std::vector<Line> lines = owners_lines(body);
  // The newest of a long day.
  const std::size_t most = std::max<std::size_t>(bytes / (kLeast + kTimeBytes), 1);
  if (lines.size() > most)
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(most));
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t left = bytes > out.size() ? bytes - out.size() : 0;
    const std::size_t each = left / (lines.size() - i);
    if (each <= kTimeBytes) break;
    out += fmt::format("{}{} {}", out.empty() ? "" : "\n", lines[i].time,
                       shorten(lines[i].said, each - kTimeBytes));
  }
  return out;
}

}  // namespace keel::memory
