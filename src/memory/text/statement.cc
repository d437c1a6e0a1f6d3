#include "memory/text/statement.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "base/limits.h"
#include "base/text.h"
#include "memory/text/sentences.h"
#include "memory/text/words.h"

namespace keel::memory {
namespace {

using Set = std::unordered_set<std::string_view>;

// The words of a sentence, case folded, without accents; apostrophes separate ("I'm" is "i", "m").
class Line {
 public:
  explicit Line(std::string_view sentence)
      : text_(sentence), words_(words_of(sentence, Use::query)) {}

  std::size_t size() const { return words_.size() - first_; }
  std::string_view at(std::size_t i) const {
    return first_ + i < words_.size() ? std::string_view(words_[first_ + i].surface)
                                      : std::string_view();
  }
  bool starts(std::initializer_list<std::string_view> words) const {
    std::size_t i = 0;
    for (const std::string_view word : words) {
      if (at(i++) != word) return false;
    }
    return true;
  }
  bool has(const Set& set) const {
    for (std::size_t i = 0; i < size(); ++i) {
      if (set.contains(at(i))) return true;
    }
    return false;
  }
  void skip(std::size_t words) { first_ = std::min(first_ + words, words_.size()); }
  // The text from the current first word on.
  std::string_view rest() const {
    return first_ < words_.size() ? text_.substr(words_[first_].begin) : std::string_view();
  }
  // What stands between the current first word and the one before.
  std::string_view gap_before() const {
    const std::size_t from = first_ == 0 ? 0 : words_[first_ - 1].end;
    return text_.substr(from, words_[first_].begin - from);
  }
  const Word& word(std::size_t i) const { return words_[first_ + i]; }
  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
  std::vector<Word> words_;
  std::size_t first_ = 0;
};

const Set kLeadIns = {"well", "so",     "and",  "but", "also",  "oh",     "hi",       "hello",
                      "hey",  "ok",     "okay", "yes", "no",    "please", "btw",      "actually",
                      "fyi",  "thanks", "und",  "ja",  "bitte", "hallo",  "ubrigens", "aber"};
// A message that starts with one of these is work to be done on its text.
const Set kTextWork = {"translate",  "summarise", "summarize", "rewrite",    "rephrase",
                       "proofread",  "correct",   "fix",       "improve",    "shorten",
                       "classify",   "extract",   "ubersetze", "korrigiere", "verbessere",
                       "paraphrase", "analyse",   "analyze",   "edit",       "convert"};
const Set kTimes = {"monday",     "tuesday",  "wednesday", "thursday", "friday",   "saturday",
                    "sunday",     "tomorrow", "tonight",   "january",  "february", "march",
                    "april",      "may",      "june",      "july",     "august",   "september",
                    "october",    "november", "december",  "montag",   "dienstag", "mittwoch",
                    "donnerstag", "freitag",  "samstag",   "sonntag",  "morgen",   "januar",
                    "februar",    "marz",     "mai",       "juni",     "juli",     "oktober",
                    "dezember",   "weekend",  "wochenende"};
const Set kPassing = {  // after "I am": over by tomorrow
    "sorry",    "sure",  "not",    "fine",   "ok",        "okay",     "good",    "great",
    "well",     "back",  "here",   "ready",  "busy",      "tired",    "hungry",  "thirsty",
    "bored",    "sick",  "late",   "lost",   "stuck",     "confused", "curious", "happy",
    "sad",      "glad",  "afraid", "done",   "just",      "so",       "very",    "really",
    "too",      "in",    "at",     "on",     "about",     "still",    "also",    "currently",
    "now",      "able",  "asked",  "told",   "surprised", "worried",  "angry",   "excited",
    "grateful", "there", "home",   "off",    "mude",      "krank",    "hungrig", "fertig",
    "nicht",    "da",    "hier",   "gerade", "sicher",    "froh",     "zu"};
const Set kLastingIng = {"living",   "working",  "studying", "learning",
                         "training", "building", "king"};
const Set kTalk = {"question",      "point",    "problem", "guess",    "idea",   "goodness",
                   "god",           "bad",      "opinion", "request",  "task",   "feeling",
                   "look",          "issue",    "bug",     "headache", "file",   "error",
                   "understanding", "favor",    "favour",  "message",  "answer", "last",
                   "next",          "previous", "frage",   "problem",  "idee"};
const Set kCopulas = {"is",      "are",    "was",   "were",     "has",    "have",
                      "lives",   "works",  "likes", "loves",    "hates",  "turns",
                      "died",    "plays",  "goes",  "speaks",   "needs",  "prefers",
                      "studies", "called", "ist",   "sind",     "heisst", "heissen",
                      "hat",     "haben",  "wohnt", "arbeitet", "mag"};
const Set kFactVerbs = {"live",  "lived",   "work", "worked",  "study",  "own",     "speak",
                        "play",  "drive",   "grew", "moved",   "teach",  "collect", "married",
                        "wohne", "arbeite", "lebe", "spreche", "spiele", "studiere"};
const Set kLikings = {"like",  "love",   "prefer", "hate",  "dislike", "enjoy",
                      "adore", "detest", "mag",    "liebe", "hasse",   "bevorzuge"};
const Set kNotLiked = {"that", "it",   "this", "you", "your", "how",
                       "what", "them", "das",  "es",  "dich"};
const Set kDeterminers = {"a",     "an",   "two",  "three", "four",  "five",  "six",
                          "seven", "my",   "no",   "some",  "many",  "type",  "diabetes",
                          "2",     "3",    "4",    "5",     "6",     "ein",   "eine",
                          "einen", "zwei", "drei", "kein",  "keine", "keinen"};
const Set kWishVerbs = {"call",    "use",    "send",    "tell",    "write",   "show", "ask",
                        "wake",    "remind", "mention", "contact", "assume",  "say",  "speak",
                        "address", "answer", "reply",   "start",   "end",     "book", "buy",
                        "open",    "delete", "share",   "store",   "suggest", "ever", "be",
                        "include", "add",    "keep",    "check",   "begin",   "talk", "give",
                        "make",    "sign",   "quote",   "explain", "offer"};
const Set kPlans = {"will",   "ll",       "must",   "need",    "fly",        "leave",     "travel",
                    "meet",   "meeting",  "flying", "leaving", "travelling", "traveling", "going",
                    "have",   "promised", "muss",   "werde",   "fliege",     "fahre",     "treffen",
                    "treffe", "habe",     "see",    "start",   "move"};

bool has_time(const Line& line) {
  if (line.has(kTimes)) return true;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const std::string_view next = line.at(i + 1);
    const bool number = !next.empty() && next[0] >= '0' && next[0] <= '9';
    if ((line.at(i) == "at" || line.at(i) == "on" || line.at(i) == "um" || line.at(i) == "am") &&
        number)
      return true;
    if ((line.at(i) == "next" || line.at(i).starts_with("nachste")) &&
        (next == "week" || next == "month" || next == "year" || next == "woche" ||
         next == "monat" || next == "jahr"))
      return true;
  }
  return false;
}

enum class Kind { none, fact, preference, wish, commitment };

Kind kind_of_my(const Line& line) {
  if (kTalk.contains(line.at(1))) return Kind::none;
  for (std::size_t i = 2; i < std::min<std::size_t>(line.size(), 7); ++i) {
    if (!kCopulas.contains(line.at(i)) || i + 1 >= line.size()) continue;
    if (line.at(1).starts_with("favo") || line.at(1).starts_with("lieblings"))
      return Kind::preference;
    return has_time(line) && line.at(1) != "birthday" && line.at(1) != "name" ? Kind::commitment
                                                                              : Kind::fact;
  }
  return Kind::none;
}

Kind kind_of_being(const Line& line, std::size_t after) {
  const std::string_view word = line.at(after);
  if (word.empty() || kPassing.contains(word)) return Kind::none;
  if (word.ends_with("ing") && !kLastingIng.contains(word)) return Kind::none;
  return Kind::fact;
}

// "I ..." and "we ...".
Kind kind_of_i(const Line& line) {
  const std::string_view verb = line.at(1);
  std::size_t plan = 1;
  if (verb == "am" || verb == "m" || verb == "are" || verb == "re") plan = 2;
  if (kPlans.contains(line.at(plan)) && has_time(line)) return Kind::commitment;
  if (line.at(0) == "we" || line.at(0) == "wir") return Kind::none;
  if (verb == "am" || verb == "m" || verb == "bin") return kind_of_being(line, 2);
  if (verb == "heisse") return Kind::fact;
  if (verb == "was" && (line.at(2) == "born" || line.at(2) == "married")) return Kind::fact;
  if (verb == "come" && line.at(2) == "from") return Kind::fact;
  if (kFactVerbs.contains(verb)) return line.size() > 2 ? Kind::fact : Kind::none;
  if (kLikings.contains(verb))
    return line.size() > 2 && !kNotLiked.contains(line.at(2)) ? Kind::preference : Kind::none;
  if (verb == "don" && (kLikings.contains(line.at(3)) || line.at(3) == "eat" ||
                        line.at(3) == "drink" || line.at(3) == "want"))
    return line.size() > 4 && !kNotLiked.contains(line.at(4)) ? Kind::preference : Kind::none;
  if (verb == "can" && line.at(3) == "stand") return Kind::preference;
  if (verb == "always" || verb == "never" || verb == "esse" || verb == "trinke")
    return Kind::preference;
  const bool has_got = verb == "ve" && line.at(2) == "got";
  if (verb == "have" || verb == "habe" || has_got) {
    const std::size_t next = has_got ? 3 : 2;
    if (!kDeterminers.contains(line.at(next)) || line.at(next + 1).empty()) return Kind::none;
    return kTalk.contains(line.at(next + 1)) ? Kind::none : Kind::fact;
  }
  return Kind::none;
}

Kind kind_of(const Line& line) {
  const std::string_view first = line.at(0);
  if (line.starts({"from", "now", "on"}) || line.starts({"in", "future"}) ||
      line.starts({"in", "the", "future"}) || line.starts({"ab", "jetzt"}) ||
      line.starts({"ab", "sofort"}) || line.starts({"von", "jetzt", "an"}) ||
      line.starts({"in", "zukunft"}))
    return line.size() > 3 ? Kind::wish : Kind::none;
  if (first == "my" || first == "mein" || first == "meine") return kind_of_my(line);
  if (first == "i" || first == "ich" || first == "we" || first == "wir") return kind_of_i(line);
  if (line.starts({"call", "me"}) || line.starts({"nenn", "mich"})) {
    static const Set kNotNames = {"back", "later", "when", "a",     "an",   "tomorrow",
                                  "if",   "at",    "on",   "maybe", "crazy"};
    return line.size() >= 3 && line.size() <= 6 && !kNotNames.contains(line.at(2))
               ? Kind::preference
               : Kind::none;
  }
  if (first == "always" || first == "never")
    return kWishVerbs.contains(line.at(1)) ? Kind::preference : Kind::none;
  if (line.starts({"don", "t"}) || line.starts({"do", "not"}))
    return kWishVerbs.contains(line.at(2)) && line.size() > 3 ? Kind::preference : Kind::none;
  return Kind::none;
}

// Skips "remember that" and its kin. What follows is worth keeping whatever its form.
bool skip_remember(Line& line) {
  static const std::initializer_list<std::string_view> kPhrases[] = {
      {"remember"},           {"keep", "in", "mind"},  {"make", "a", "note"},
      {"don", "t", "forget"}, {"do", "not", "forget"}, {"note", "that"},
      {"merk", "dir"},        {"merke", "dir"},        {"denk", "daran"},
      {"vergiss", "nicht"}};
  static const Set kNotContent = {"when", "how",  "what", "who", "why", "where", "me",  "us",
                                  "the",  "last", "this", "it",  "to",  "wie",   "wann"};
  for (const auto& phrase : kPhrases) {
    if (!line.starts(phrase)) continue;
    Line after = line;
    after.skip(phrase.size());
    // "remember that ..." and "remember: ..." say plainly that what follows is the content.
    bool plain = *phrase.begin() == "note" ||
                 (after.size() > 0 && after.gap_before().find(':') != std::string_view::npos);
    for (; after.size() > 0; after.skip(1)) {
      const std::string_view word = after.at(0);
      if (word == "that" || word == "dass")
        plain = true;
      else if (word != "please" && word != "bitte")
        break;
    }
    if (after.size() < 2 || (!plain && kNotContent.contains(after.at(0)))) return false;
    line = after;
    return true;
  }
  return false;
}

void skip_lead_ins(Line& line) {
  for (bool more = true; more;) {
    more = false;
    if (line.starts({"by", "the", "way"}))
      line.skip(3), more = true;
    else if (line.starts({"just", "so", "you", "know"}))
      line.skip(4), more = true;
    else if (line.starts({"for", "your", "information"}))
      line.skip(3), more = true;
    else if (kLeadIns.contains(line.at(0)))
      line.skip(1), more = true;
  }
}

// First letter upper case (where it is ASCII), no stop at the end.
std::string as_content(std::string_view content) {
  std::string text(trim(content));
  while (!text.empty() && (text.back() == '.' || text.back() == '!' || text.back() == ' '))
    text.pop_back();
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

OwnerStatement statement_from(Kind kind, std::string_view content, std::string_view sentence) {
  OwnerStatement statement;
  statement.kind = kind == Kind::commitment                         ? "commitment"
                   : kind == Kind::preference || kind == Kind::wish ? "preference"
                                                                    : "fact";
  statement.content = as_content(content);
  statement.sentence = sentence;
  statement.from_now_on = kind == Kind::wish;
  return statement;
}

struct Value {
  std::string text;
  bool whole = true;  // the sentence ends with it
};

// Up to "and", "but" ... or a comma: the value ends there, the sentence may go on.
Value value_from(const Line& line, std::size_t from) {
  static const Set kEnds = {"and", "but",  "which", "who", "because", "since",
                            "und", "aber", "weil",  "not", "now"};
  Value value;
  std::size_t i = from;
  for (; i < line.size() && !kEnds.contains(line.at(i)); ++i) {
    if (i > from) {
      const std::size_t before = line.word(i - 1).end;
      const std::string_view gap = line.text().substr(before, line.word(i).begin - before);
      if (gap.find_first_of(",;(") != std::string_view::npos) break;
      value.text += ' ';
    }
    value.text += line.at(i);
    if (i - from >= 8) return {};
  }
  value.whole = i == line.size();
  return value;
}

std::string words_between(const Line& line, std::size_t from, std::size_t to) {
  std::string text;
  for (std::size_t i = from; i < to; ++i) {
    if (i > from) text += ' ';
    text += line.at(i) == "favorite" ? "favourite" : line.at(i);
  }
  return text;
}

std::optional<Attribute> make_attribute(std::string name, Value value) {
  if (name.empty() || value.text.empty()) return std::nullopt;
  return Attribute{"owner", std::move(name), std::move(value.text), value.whole};
}

// "my X ..." with X at `x`.
std::optional<Attribute> attribute_of_possession(const Line& line, std::size_t x) {
  static const Set kSingle = {"email",         "phone",    "phone number",  "telephone number",
                              "mobile number", "e mail",   "email address", "e mail address",
                              "address",       "postcode", "zip code",      "time zone",
                              "timezone"};
  for (std::size_t i = x + 1; i < std::min(line.size(), x + 6); ++i) {
    const std::string_view word = line.at(i);
    const std::string thing = words_between(line, x, i);
    if (word == "heisst") return make_attribute(thing + " name", value_from(line, i + 1));
    if (word != "is" && word != "are" && word != "was" && word != "ist") continue;
    if (word == "was") return std::nullopt;
    const std::string_view next = line.at(i + 1);
    if (next == "called" || next == "named")
      return make_attribute(thing + " name", value_from(line, i + 2));
    if (thing == "name") return make_attribute("name", value_from(line, i + 1));
    if (thing.ends_with(" s name"))
      return make_attribute(thing.substr(0, thing.size() - 7) + " name", value_from(line, i + 1));
    if (thing.starts_with("favourite ") || kSingle.contains(thing))
      return make_attribute(thing, value_from(line, i + 1));
    const Value value = value_from(line, i + 1);
    if (thing == "birthday" && value.text.find_first_of("0123456789") != std::string::npos)
      return make_attribute(thing, value);
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Attribute> attribute_of(std::string_view text) {
  const std::string_view plain = trim(without_frame(text));
  if (plain.size() > limits::memory_sentence_bytes) return std::nullopt;
  const std::vector<std::string_view> sentences = sentences_of(plain);
  if (sentences.size() != 1 || asks(sentences[0])) return std::nullopt;
  const Line line(sentences[0]);
  if (line.starts({"my"}) || line.starts({"mein"}) || line.starts({"meine"}))
    return attribute_of_possession(line, 1);
  if (line.starts({"owner", "s"}) || line.starts({"user", "s"}))
    return attribute_of_possession(line, 2);
  if (line.starts({"the", "owner", "s"}) || line.starts({"the", "user", "s"}))
    return attribute_of_possession(line, 3);
  if (line.starts({"the", "name", "of", "my"})) {
    for (std::size_t i = 5; i < std::min<std::size_t>(line.size(), 9); ++i) {
      if (line.at(i) == "is")
        return make_attribute(words_between(line, 4, i) + " name", value_from(line, i + 1));
    }
  }
  if (line.starts({"call", "me"}) || line.starts({"nenn", "mich"}) ||
      line.starts({"ich", "heisse"}))
    return make_attribute("name", value_from(line, 2));
  if (line.starts({"i", "am", "called"}) || line.starts({"i", "m", "called"}))
    return make_attribute("name", value_from(line, 3));
  return std::nullopt;
}

bool is_text_work(std::string_view owner_text) {
  const std::string clean = to_valid_utf8(utf8_prefix(owner_text, limits::memory_query_bytes));
  const std::vector<std::string_view> sentences = sentences_of(clean);
  if (sentences.empty()) return false;
  Line line(sentences.front());
  skip_lead_ins(line);
  return kTextWork.contains(line.at(0));
}

std::string content_of_sentence(std::string_view sentence) {
  Line line(sentence);
  skip_lead_ins(line);
  skip_remember(line);
  return as_content(line.size() > 0 ? line.rest() : sentence);
}

std::vector<OwnerStatement> statements_of(std::string_view owner_text) {
  std::vector<OwnerStatement> found;
  const std::string clean = to_valid_utf8(utf8_prefix(owner_text, limits::memory_query_bytes));
  bool first = true;
  for (const std::string_view sentence : sentences_of(clean)) {
    Line line(sentence);
    skip_lead_ins(line);
    if (first && kTextWork.contains(line.at(0))) return {};
    first = false;
    const bool quoted = line.size() > 0 && line.word(0).begin > 0 &&
                        sentence.substr(0, line.word(0).begin).find_first_of("\"\xe2\xc2") !=
                            std::string_view::npos;
    const bool to_remember = skip_remember(line);
    // What follows a colon at the end of a line is material to work on, unless it is to be
    // remembered.
    if (sentence.ends_with(':') && !line.starts({"remember"})) break;
    if (quoted || asks(sentence) || sentence.size() > limits::memory_sentence_bytes ||
        line.size() < 2)
      continue;
    const Kind kind = kind_of(line);
    if (kind == Kind::none && !to_remember) continue;
    if (!to_remember && line.size() < 3) continue;
    found.push_back(statement_from(kind, line.rest(), sentence));
    if (found.size() == limits::memory_turn_pages) break;
  }
  return found;
}

}  // namespace keel::memory
