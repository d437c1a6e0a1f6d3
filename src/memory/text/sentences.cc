#include "memory/text/sentences.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "memory/text/words.h"

namespace keel::memory {
namespace {

constexpr std::string_view kFrame = "The owner said: \"";

bool one_of(std::string_view word, std::initializer_list<std::string_view> set) {
  return std::find(set.begin(), set.end(), word) != set.end();
}

// The closing mark for a quotation that opens at `at`, or nothing.
std::string_view closing_quote(std::string_view text, std::size_t at) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kPairs = {
      {{"\"", "\""}, {"“", "”"}, {"„", "“"}, {"«", "»"}, {"»", "«"}}};
  for (const auto& [open, close] : kPairs) {
    if (text.substr(at).starts_with(open)) return close;
  }
  return {};
}

// Past the quotation that opens at `at`; `at` itself if none does or it does not end on this line.
std::size_t after_quotation(std::string_view line, std::size_t at) {
  const std::string_view close = closing_quote(line, at);
  if (close.empty()) return at;
  const std::size_t end = line.find(close, at + 1);
  return end == std::string_view::npos ? at : end + close.size();
}

std::string_view last_word(std::string_view text) {
  const std::size_t space = text.find_last_of(" \t(");
  return space == std::string_view::npos ? text : text.substr(space + 1);
}

bool is_month(std::string_view word) {
  for (const std::string_view month : {"jan", "feb", "mar", "mär", "apr", "may", "mai", "jun",
                                       "jul", "aug", "sep", "oct", "okt", "nov", "dec", "dez"}) {
    if (ascii_lower(word).starts_with(month)) return true;
  }
  return false;
}

// Whether the full stop at `at` ends a sentence or an abbreviation, an ordinal or a number.
bool ends_sentence(std::string_view line, std::size_t at) {
  if (at + 1 >= line.size()) return true;
  if (line[at + 1] != ' ' && line[at + 1] != '\t') return false;
  const std::string_view next = trim(line.substr(at + 1));
  const std::string word = ascii_lower(last_word(line.substr(0, at)));
  if (one_of(word, {"dr", "mr", "mrs", "ms", "st", "e.g", "i.e", "z.b", "vs", "no", "nr", "prof",
                    "approx"}))
    return false;
  const bool digits =
      !word.empty() && word.size() <= 2 &&
      std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
  return !(digits && is_month(next));
}

std::string_view without_bullet(std::string_view line) {
  line = trim(line);
  for (const std::string_view mark : {"- ", "* ", "+ ", "• "}) {
    if (line.starts_with(mark)) return trim(line.substr(mark.size()));
  }
  std::size_t digits = 0;
  while (digits < line.size() && line[digits] >= '0' && line[digits] <= '9') ++digits;
  if (digits > 0 && digits < 3 &&
      (line.substr(digits).starts_with(". ") || line.substr(digits).starts_with(") ")))
    return trim(line.substr(digits + 2));
  return line;
}

void split_line(std::string_view line, std::vector<std::string_view>& out) {
  std::size_t begin = 0;
  const auto take = [&](std::size_t end) {
    const std::string_view sentence = trim(line.substr(begin, end - begin));
    if (!sentence.empty()) out.push_back(sentence);
    begin = end;
  };
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t past = after_quotation(line, at);
    if (past > at) {
      at = past;
      continue;
    }
    const bool wide = line.substr(at).starts_with("。") || line.substr(at).starts_with("！") ||
                      line.substr(at).starts_with("？");
    const bool mark =
        line[at] == '!' || line[at] == '?' || (line[at] == '.' && ends_sentence(line, at));
    at += wide ? 3 : 1;
    if (!mark && !wide) continue;
    while (at < line.size() && (line[at] == '!' || line[at] == '?' || line[at] == '.')) ++at;
    take(at);
  }
  take(line.size());
}

// An address and little else.
bool is_address(std::string_view sentence) {
  std::size_t others = 0;
  bool address = false;
  for (const std::string_view part : split(sentence, ' ')) {
    if (part.find("://") != std::string_view::npos || part.starts_with("www."))
      address = true;
    else if (!trim(part).empty())
      ++others;
  }
  return address && others < 3;
}

bool is_auxiliary(std::string_view word) {
  return one_of(word, {"is",    "are",    "was",    "were", "s",    "do",   "does", "did",  "can",
                       "could", "should", "would",  "will", "has",  "have", "had",  "am",   "ist",
                       "sind",  "war",    "heisst", "hat",  "habe", "hast", "kann", "soll", "wird",
                       "bin",   "bist",   "much",   "many", "long", "old"});
}

}  // namespace

bool asks_what_was_said(std::string_view question) {
  constexpr std::size_t kReach = 3;  // words between who spoke and the verb
  const std::vector<Word> words = words_of(question.substr(0, 1024), Use::query);
  const auto word = [&](std::size_t i) {
    return i < words.size() ? std::string_view(words[i].surface) : std::string_view();
  };
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (one_of(word(i), {"conversation", "conversations", "gesprach", "gesprache"})) return true;
    if (!one_of(word(i), {"we", "you", "i", "wir", "du", "ich"})) continue;
    // "Can you tell me" and "I ask you" are about now, "did I tell you" is not.
    const bool did = i > 0 && word(i - 1) == "did";
    for (std::size_t j = i + 1; j <= i + kReach; ++j) {
      if (one_of(word(j),
                 {"talked",    "spoke",       "spoken",     "discussed", "said",      "told",
                  "mentioned", "recommended", "suggested",  "asked",     "answered",  "agreed",
                  "gesagt",    "gesprochen",  "besprochen", "erzahlt",   "empfohlen", "gefragt",
                  "erwahnt",   "geantwortet", "geredet"}))
        return true;
      if (did && one_of(word(j), {"talk", "speak", "discuss", "say", "tell", "mention", "recommend",
                                  "suggest", "ask", "answer", "agree"}))
        return true;
    }
  }
  return false;
}

std::string said_by_owner(std::string_view sentence) {
  return std::string(kFrame) + std::string(trim(sentence)) + "\"";
}

std::string_view without_frame(std::string_view body) {
  const std::string_view text = trim(body);
  if (!text.starts_with(kFrame) || !text.ends_with('"') || text.size() <= kFrame.size())
    return body;
  return text.substr(kFrame.size(), text.size() - kFrame.size() - 1);
}

std::vector<std::string_view> sentences_of(std::string_view text) {
  std::vector<std::string_view> all;
  bool code = false;
  for (const std::string_view raw : split(text, '\n')) {
    const std::string_view line = trim(raw);
    if (line.starts_with("```") || line.starts_with("~~~")) {
      code = !code;
      continue;
    }
    if (code || line.empty() || line.starts_with('>')) continue;
    split_line(without_bullet(line), all);
  }
  std::erase_if(all, is_address);
  return all;
}

bool asks(std::string_view sentence) {
  std::string_view text = trim(sentence);
  while (!text.empty() && (text.back() == '"' || text.back() == ')' || text.back() == ' '))
    text.remove_suffix(1);
  if (text.ends_with('?') || text.ends_with("？")) return true;
  const std::vector<Word> words = words_of(text.substr(0, 200), Use::query);
  if (words.size() < 2) return false;
  const std::string& first = words[0].surface;
  const std::string& second = words[1].surface;
  if (one_of(first, {"who", "what", "when", "where", "which", "why", "how", "whose", "wer", "wann",
                     "wo", "wie", "warum", "welche", "welcher", "welches"}))
    return is_auxiliary(second);
  const bool subject = one_of(second, {"i", "you", "we", "they", "he", "she", "it", "there", "my",
                                       "the", "your", "du", "ich", "mein", "meine", "es", "sie"});
  return subject && one_of(first, {"is",  "are",    "was",    "were",  "do",     "does", "did",
                                   "can", "could",  "should", "would", "will",   "has",  "have",
                                   "am",  "kannst", "hast",   "bist",  "weisst", "ist"});
}

bool is_question(std::string_view text) {
  const std::vector<std::string_view> sentences = sentences_of(without_frame(text));
  return !sentences.empty() && std::all_of(sentences.begin(), sentences.end(), asks);
}

}  // namespace keel::memory
