#include "memory/text/words.h"

#include <utf8proc.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/limits.h"
#include "base/text.h"
#include "memory/text/porter.h"

namespace keel::memory {
namespace {

bool is_ascii_word(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_word_character(char32_t c) {
  if (c < 0x80) return is_ascii_word(static_cast<unsigned char>(c));
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

bool is_han(char32_t c) {
  return (c >= 0x3400 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
         (c >= 0x20000 && c <= 0x3ffff);
}

// Scripts written without spaces, or whose endings grow onto the word: compared by pairs of
// characters.
bool is_paired(char32_t c) {
  return is_han(c) || (c >= 0x3040 && c <= 0x30ff) || (c >= 0x31f0 && c <= 0x31ff) ||
         (c >= 0xac00 && c <= 0xd7a3);
}

// "é" to "e": only where the base letter is Latin, so that no other script loses what its marks
// mean.
char32_t without_accent(char32_t c) {
  if (c < 0xc0 || c > 0x1eff) return c;
  utf8proc_int32_t parts[8];
  int boundary = 0;
  const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts, 8,
                                         UTF8PROC_DECOMPOSE, &boundary);
  if (n < 2 || n > 8 || parts[0] >= 0x250) return c;
  const bool marks =
      std::all_of(parts + 1, parts + n, [](auto p) { return p >= 0x300 && p <= 0x36f; });
  return marks ? static_cast<char32_t>(parts[0]) : c;
}

struct Run {
  std::size_t begin;
  std::size_t end;
  bool ascii;
};

// The next run of word characters at or after `offset`; begin == end when there is none.
Run next_run(std::string_view text, std::size_t offset) {
  std::size_t at = offset;
  std::size_t begin = text.size();
  bool ascii = true;
  while (at < text.size()) {
    const std::size_t here = at;
    const auto byte = static_cast<unsigned char>(text[at]);
    char32_t c = byte;
    if (byte < 0x80)
      ++at;
    else
      c = next_code_point(text, at);
    if (is_word_character(c)) {
      if (begin == text.size()) begin = here;
      if (c >= 0x80) ascii = false;
    } else if (begin != text.size()) {
      return {begin, here, ascii};
    }
  }
  return {begin, text.size(), ascii};
}

void emit(std::vector<Word>& out, std::string surface, const Run& run) {
  if (surface.empty()) return;
  surface.resize(utf8_prefix(surface, limits::memory_word_bytes).size());
  out.push_back({porter_stem(surface), std::move(surface), run.begin, run.end});
}

void emit_paired(std::vector<Word>& out, const std::u32string& characters, Use use,
                 const Run& run) {
  const auto text_of = [&](std::size_t from, std::size_t count) {
    std::string text;
    for (std::size_t i = from; i < from + count; ++i) append_utf8(text, characters[i]);
    return text;
  };
  const std::size_t n = characters.size();
  for (std::size_t i = 0; i < n; ++i) {
    if (n == 1 || (use == Use::index && is_han(characters[i]))) emit(out, text_of(i, 1), run);
    if (i + 1 < n) emit(out, text_of(i, 2), run);
  }
}

// Folding may make several words of one run ("½" becomes "1⁄2"), and scripts may meet without a
// space.
void emit_folded(std::vector<Word>& out, std::string_view raw, Use use, const Run& run) {
  const std::string folded = fold_case(raw);
  std::string word;
  std::u32string paired;
  const auto flush_word = [&] {
    emit(out, std::move(word), run);
    word.clear();
  };
  const auto flush_paired = [&] {
    emit_paired(out, paired, use, run);
    paired.clear();
  };
  std::size_t at = 0;
  while (at < folded.size()) {
    const char32_t c = next_code_point(folded, at);
    if (is_paired(c)) {
      flush_word();
      paired += c;
    } else if (is_word_character(c)) {
      flush_paired();
      // A combining accent after a Latin letter is dropped as well as a composed one is taken
      // apart.
      if (c >= 0x300 && c <= 0x36f) continue;
      append_utf8(word, without_accent(c));
    } else {
      flush_word();
      flush_paired();
    }
  }
  flush_word();
  flush_paired();
}

const std::unordered_set<std::string_view>& stop_words() {
  static const std::unordered_set<std::string_view> set = {
      "a", "about", "after", "again", "all", "also", "am", "an", "and", "any", "are", "as", "at",
      "be", "because", "been", "before", "being", "but", "by", "can", "could", "d", "did", "didn",
      "do", "does", "doesn", "doing", "for", "from", "had", "has", "hasn", "have", "haven",
      "having", "he", "her", "here", "hers", "him", "his", "how", "i", "if", "in", "into", "is",
      "isn", "it", "its", "just", "ll", "m", "me", "mine", "more", "most", "my", "myself", "no",
      "nor", "not", "of", "off", "on", "once", "only", "or", "other", "our", "ours", "out", "over",
      "own", "re", "s", "same", "she", "should", "so", "some", "such", "t", "than", "that", "the",
      "their", "theirs", "them", "then", "there", "these", "they", "this", "those", "through", "to",
      "too", "under", "until", "up", "ve", "very", "was", "wasn", "we", "were", "weren", "what",
      "when", "where", "which", "while", "who", "whom", "whose", "why", "will", "with", "won",
      "would", "wouldn", "you", "your", "yours", "yourself", "please", "hello", "hi", "hey", "ok",
      "okay", "yes", "thanks", "thank", "said", "http", "https", "www", "com", "org",
      // German, without the words that mean something in English ("die", "war", "hat", "man").
      "aber", "als", "auch", "auf", "aus", "bei", "bin", "bist", "bitte", "da", "das", "dass",
      "dein", "deine", "dem", "den", "der", "des", "dich", "dir", "du", "ein", "eine", "einem",
      "einen", "einer", "er", "es", "fur", "hallo", "habe", "ich", "ihr", "im", "ist", "ja", "kann",
      "kannst", "mein", "meine", "meinem", "meinen", "meiner", "mich", "mir", "mit", "nach",
      "nicht", "oder", "sein", "sich", "sie", "sind", "uber", "und", "uns", "unser", "vom", "von",
      "warum", "wann", "wer", "wie", "wir", "wo", "zu", "zum", "zur",
      // Pairs of characters that carry grammar only.
      "我的", "你的", "什么", "怎么", "是什", "了吗", "です", "ます", "した", "てい", "ませ"};
  return set;
}

// By stem.
const std::unordered_set<std::string_view>& clock_words() {
  static const std::unordered_set<std::string_view> set = {
      "time",      "clock",   "date",    "dai",     "todai", "tonight", "tomorrow",
      "yesterdai", "now",     "hour",    "minut",   "week",  "month",   "year",
      "uhr",       "heut",    "morgen",  "gestern", "jetzt", "spat",    "tag",
      "wochentag", "weekdai", "current", "utc"};
  return set;
}

const std::unordered_set<std::string_view>& weak_words() {
  static const std::unordered_set<std::string_view> set = {
      "call",    "name",   "tell",    "sai",    "ask",     "talk",    "speak",    "show",   "write",
      "read",    "list",   "explain", "give",   "get",     "got",     "take",     "put",    "make",
      "made",    "go",     "come",    "see",    "look",    "find",    "know",     "think",  "want",
      "need",    "like",   "us",      "try",    "help",    "let",     "keep",     "start",  "stop",
      "open",    "close",  "fetch",   "page",   "file",    "search",  "question", "answer", "word",
      "sentenc", "exampl", "idea",    "reason", "problem", "thing",   "stuff",    "wai",    "kind",
      "sort",    "type",   "part",    "lot",    "bit",     "much",    "mani",     "good",   "bad",
      "great",   "nice",   "new",     "old",    "big",     "small",   "littl",    "long",   "short",
      "first",   "last",   "next",    "well",   "realli",  "mayb",    "don",      "someth", "anyth",
      "everyth", "noth",   "someon",  "anyon",  "rememb",  "forget",  "remind",   "memori", "owner",
      "user",    "text",   "line",    "number", "calcul",  "percent", "plu",      "minu",   "mean",
      "happen",  "actual", "heisst",  "heiss",  "heissen", "gibt",    "machen",   "sagen",  "sag",
      "weiss",   "wissen", "etwa"};
  return set;
}

using Forms = std::unordered_map<std::string, std::vector<std::string>>;

// Families of words that Porter does not join. Written as words; kept by stem.
constexpr std::string_view kIrregular[] = {"go went gone",
                                           "buy bought",
                                           "child children",
                                           "run ran",
                                           "see saw seen",
                                           "eat ate eaten",
                                           "give gave given",
                                           "take took taken",
                                           "come came",
                                           "become became",
                                           "begin began begun",
                                           "break broke broken",
                                           "bring brought",
                                           "build built",
                                           "catch caught",
                                           "choose chose chosen",
                                           "drink drank drunk",
                                           "drive drove driven",
                                           "fall fell fallen",
                                           "feel felt",
                                           "fight fought",
                                           "find found",
                                           "fly flew flown",
                                           "forget forgot forgotten",
                                           "get got gotten",
                                           "grow grew grown",
                                           "hear heard",
                                           "hide hid hidden",
                                           "hold held",
                                           "keep kept",
                                           "know knew known",
                                           "lead led",
                                           "leave left",
                                           "lend lent",
                                           "lose lost",
                                           "make made",
                                           "mean meant",
                                           "meet met",
                                           "pay paid",
                                           "ride rode ridden",
                                           "ring rang rung",
                                           "rise rose risen",
                                           "say said",
                                           "sell sold",
                                           "send sent",
                                           "sing sang sung",
                                           "sit sat",
                                           "sleep slept",
                                           "speak spoke spoken",
                                           "spend spent",
                                           "stand stood",
                                           "steal stole stolen",
                                           "swim swam swum",
                                           "teach taught",
                                           "tell told",
                                           "think thought",
                                           "throw threw thrown",
                                           "understand understood",
                                           "wake woke woken",
                                           "wear wore worn",
                                           "win won",
                                           "write wrote written",
                                           "man men",
                                           "woman women",
                                           "person people",
                                           "foot feet",
                                           "tooth teeth",
                                           "mouse mice",
                                           "goose geese",
                                           "knife knives",
                                           "wife wives",
                                           "half halves",
                                           "shelf shelves",
                                           "name called",
                                           "good better best",
                                           "bad worse worst",
                                           "far further farther",
                                           "die dying died",
                                           "draw drew drawn",
                                           "shoot shot",
                                           "bite bit bitten",
                                           "blow blew blown",
                                           "freeze froze frozen",
                                           "dig dug",
                                           "bend bent",
                                           "feed fed",
                                           "hang hung",
                                           "shake shook shaken",
                                           "sink sank sunk",
                                           "sweep swept",
                                           "favourite favorite",
                                           "colour color",
                                           "neighbour neighbor",
                                           "harbour harbor",
                                           "grey gray",
                                           "theatre theater",
                                           "centre center",
                                           "licence license",
                                           "tyre tire",
                                           "organise organize",
                                           "mum mom mother",
                                           "dad father",
                                           "phone telephone",
                                           "tv television",
                                           "bike bicycle",
                                           "birthday birthdate",
                                           "allergy allergic"};

const Forms& irregular_table() {
  static const Forms table = [] {
    Forms forms;
    for (const std::string_view line : kIrregular) {
      std::vector<std::string> family;
      for (const std::string_view word : split(line, ' ')) {
        std::string stem = porter_stem(word);
        if (std::find(family.begin(), family.end(), stem) == family.end()) family.push_back(stem);
      }
      for (const std::string& one : family) {
        for (const std::string& other : family) {
          if (one != other) forms[one].push_back(other);
        }
      }
    }
    return forms;
  }();
  return table;
}

}  // namespace

std::vector<Word> words_of(std::string_view text, Use use) {
  std::vector<Word> out;
  for (Run run = next_run(text, 0); run.begin < run.end; run = next_run(text, run.end)) {
    const std::string_view raw = text.substr(run.begin, run.end - run.begin);
    if (run.ascii)
      emit(out, ascii_lower(raw.substr(0, limits::memory_word_bytes)), run);
    else
      emit_folded(out, raw, use, run);
  }
  return out;
}

WordClass class_of(const Word& word) {
  if (stop_words().contains(word.surface)) return WordClass::stop;
  if (clock_words().contains(word.stem)) return WordClass::clock;
  if (weak_words().contains(word.stem)) return WordClass::weak;
  const bool digits =
      std::all_of(word.stem.begin(), word.stem.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits && word.stem.size() < 4) return WordClass::weak;
  return WordClass::strong;
}

std::vector<std::string> irregular_forms(std::string_view stem) {
  const auto found = irregular_table().find(std::string(stem));
  return found == irregular_table().end() ? std::vector<std::string>{} : found->second;
}

}  // namespace keel::memory
