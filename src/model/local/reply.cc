#include "model/local/reply.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace keel::local {
namespace {

constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";
constexpr std::size_t kNameBytes = 80;  // a longer name cannot be a tool's
constexpr std::size_t kSpaceBytes =
    64;  // more white space inside a call's start is not looked through
constexpr std::size_t kSentenceBytes = 400;  // of which an announcement is looked for
constexpr std::array<std::string_view, 9> kIntents = {"i'll ",       "i will ",  "i would ",
                                                      "i need to ",  "let me ",  "let's ",
                                                      "we need to ", "we will ", "i am going to "};
constexpr std::array<std::string_view, 3> kNameKeys = {"name", "function", "tool"};
constexpr std::array<std::string_view, 3> kArgumentKeys = {"arguments", "parameters", "args"};

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

// How many bytes at the end of `text` are a proper prefix of `marker`.
std::size_t prefix_at_end(std::string_view text, std::string_view marker) {
  const std::size_t most = std::min(text.size(), marker.size() - 1);
  for (std::size_t n = most; n > 0; --n) {
    if (text.substr(text.size() - n) == marker.substr(0, n)) return n;
  }
  return 0;
}

enum class Match { no, partial, full };

// Walks over text that may not be complete yet: every step says whether it matched, failed or ran
// out.
class Cursor {
 public:
  enum class State { good, ran_out, failed };
  Cursor(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  void literal(std::string_view expected) {
    for (const char c : expected) {
      if (!need()) return;
      if (text_[at_] != c) return fail();
      ++at_;
    }
  }
  void spaces() {
    const std::size_t from = at_;
    while (state_ == State::good && at_ < text_.size() && is_space(text_[at_])) {
      if (++at_ - from > kSpaceBytes) return fail();
    }
  }
  // What small models write before a call they begin: brackets that belong to nothing.
  void brackets() {
    for (int i = 0; i < 3 && state_ == State::good; ++i) {
      std::size_t next = at_ + 1;
      if (at_ >= text_.size() || (text_[at_] != '{' && text_[at_] != '[')) return;
      while (next < text_.size() && is_space(text_[next])) ++next;
      if (next >= text_.size()) {
        state_ = State::ran_out;
        return;
      }
      if (text_[next] != '{' && text_[next] != '[' && text_[next] != '<' && text_[next] != '`')
        return;
      at_ = next;
    }
  }
  void letters() {
    while (state_ == State::good && at_ < text_.size() && text_[at_] >= 'a' && text_[at_] <= 'z')
      ++at_;
  }
  std::string_view quoted() {
    literal("\"");
    const std::size_t from = at_;
    while (need()) {
      if (text_[at_] == '"') return text_.substr(from, at_++ - from);
      if (text_[at_] == '\\' || text_[at_] == '\n' || at_ - from > kNameBytes) {
        fail();
        break;
      }
      ++at_;
    }
    return {};
  }
  char peek() { return need() ? text_[at_] : '\0'; }
  State state() const { return state_; }
  Match match() const {
    if (state_ == State::failed) return Match::no;
    return state_ == State::good ? Match::full : Match::partial;
  }

 private:
  bool need() {
    if (state_ == State::good && at_ >= text_.size()) state_ = State::ran_out;
    return state_ == State::good;
  }
  void fail() {
    if (state_ == State::good) state_ = State::failed;
  }
  std::string_view text_;
  std::size_t at_;
  State state_ = State::good;
};

template <class List>
bool contains(const List& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// A call without its tag: an optional ``` fence, then {"name": "<tool>". At the very start of the
// answer an unknown name counts too if arguments follow it; elsewhere only a registered one,
// because text may well contain JSON.
Match match_bare_call(std::string_view raw, std::size_t at, bool first,
                      const std::vector<std::string>& tool_names) {
  Cursor cursor(raw, at);
  if (first) cursor.brackets();
  if (cursor.peek() == '`') {
    cursor.literal("```");
    cursor.letters();
    cursor.spaces();
  }
  if (first) cursor.brackets();
  if (first && cursor.peek() == '<') {
    cursor.literal(kCallOpen);
    return cursor.match();
  }
  cursor.literal("{");
  cursor.spaces();
  const std::string_view key = cursor.quoted();
  if (cursor.state() == Cursor::State::good && !contains(kNameKeys, key)) return Match::no;
  cursor.spaces();
  cursor.literal(":");
  cursor.spaces();
  const std::string_view name = cursor.quoted();
  if (cursor.state() == Cursor::State::good && !contains(tool_names, name)) {
    if (!first) return Match::no;
    cursor.spaces();
    cursor.literal(",");
    cursor.spaces();
    const std::string_view next = cursor.quoted();
    if (cursor.state() == Cursor::State::good && !contains(kArgumentKeys, next)) return Match::no;
  }
  return cursor.match();
}

}  // namespace

std::string announced_tool(std::string_view text, const std::vector<std::string>& tool_names) {
  if (text.size() > kSentenceBytes) text.remove_prefix(text.size() - kSentenceBytes);
  std::string_view sentence = trim(text);
  for (std::size_t i = sentence.size(); i-- > 1;) {
    const bool end = std::string_view(".:!?\n").find(sentence[i - 1]) != std::string_view::npos;
    if (!end || !is_space(sentence[i])) continue;
    sentence.remove_prefix(i);
    break;
  }
  const std::string lower = ascii_lower(sentence);
  std::size_t intent = std::string::npos;
  for (const std::string_view phrase : kIntents) intent = std::min(intent, lower.find(phrase));
  if (intent == std::string::npos) return {};
  for (const std::string& name : tool_names) {
    for (const std::string& mark : {std::string("`"), std::string("\"")}) {
      if (lower.find(mark + name + mark, intent) != std::string::npos) return name;
    }
    for (const std::string_view kind : {" function", " tool"}) {
      if (lower.find(" " + name + std::string(kind), intent) != std::string::npos) return name;
    }
  }
  return {};
}

std::string call_markup(const std::string& name, const std::string& arguments) {
  std::string out(kCallHead);
  out += name;
  out += kCallMiddle;
  out += arguments;
  out += kCallTail;
  return out;
}

ReplyReader::ReplyReader(ReplyOptions options)
    : options_(std::move(options)), thinking_now_(options_.starts_thinking) {}

bool ReplyReader::only_space_before(std::size_t at) const {
  for (std::size_t i = answer_from_; i < at; ++i) {
    if (!is_space(raw_[i])) return false;
  }
  return true;
}

void ReplyReader::pass_text(ReplyStep& step, std::size_t end) {
  if (end <= done_) return;
  const std::string_view fresh = std::string_view(raw_).substr(done_, end - done_);
  step.text += fresh;
  text_ += fresh;
  done_ = end;
}

void ReplyReader::scan_thinking(ReplyStep& step, bool at_end) {
  const std::string_view rest = std::string_view(raw_).substr(done_);
  const std::size_t close = rest.find(kThinkClose);
  std::size_t take = close;
  if (close == std::string_view::npos) {
    take = rest.size() -
           (at_end ? 0 : std::max(prefix_at_end(rest, kThinkClose), utf8_incomplete_suffix(rest)));
  }
  step.thinking += rest.substr(0, take);
  thinking_ += rest.substr(0, take);
  done_ += take;
  if (close == std::string_view::npos) return;
  done_ += kThinkClose.size();
  thinking_now_ = false;
  thinking_over_ = true;
  answer_from_ = done_;
  scan(step, at_end);
}

void ReplyReader::scan(ReplyStep& step, bool at_end) {
  if (thinking_now_) return scan_thinking(step, at_end);
  if (thinking_over_ && done_ == answer_from_) {
    // The blank line between the thinking and the answer belongs to the template.
    while (done_ < raw_.size() && is_space(raw_[done_])) answer_from_ = ++done_;
  }
  for (std::size_t i = done_; i < raw_.size(); ++i) {
    const char c = raw_[i];
    if (c != '<' && c != '{' && c != '`' && c != '[') continue;
    const std::string_view rest = std::string_view(raw_).substr(i);
    if (c == '<' && !thinking_over_ && only_space_before(i)) {
      if (rest.substr(0, kThinkOpen.size()) == kThinkOpen) {
        done_ = i + kThinkOpen.size();
        thinking_now_ = true;
        return scan_thinking(step, at_end);
      }
      if (!at_end && kThinkOpen.substr(0, rest.size()) == rest) return;
    }
    if (options_.tool_names.empty()) continue;
    Match match = Match::no;
    if (c == '<') {
      if (rest.substr(0, kCallOpen.size()) == kCallOpen)
        match = Match::full;
      else if (kCallOpen.substr(0, rest.size()) == rest)
        match = Match::partial;
    } else {
      match = match_bare_call(raw_, i, only_space_before(i), options_.tool_names);
    }
    if (match == Match::no) continue;
    if (match == Match::partial && at_end) continue;
    pass_text(step, i);
    step.call_found = match == Match::full;
    step.call_at = i;
    return;
  }
  // White space before thinking is not text, and more of it is not needed to tell.
  if (!at_end && !thinking_over_ && only_space_before(raw_.size())) return;
  const std::string_view rest = std::string_view(raw_).substr(done_);
  pass_text(step, raw_.size() - (at_end ? 0 : utf8_incomplete_suffix(rest)));
}

void ReplyReader::scan_call(ReplyStep& step) {
  if (name_told_) return;
  const std::size_t end = raw_.find('"', call_from_);
  if (end == std::string::npos) return;
  step.tool_name = raw_.substr(call_from_, end - call_from_);
  name_told_ = true;
}

bool ReplyReader::call_complete() const {
  return in_call_ && raw_.size() >= call_from_ + kCallTail.size() &&
         raw_.compare(raw_.size() - kCallTail.size(), kCallTail.size(), kCallTail) == 0;
}

ReplyStep ReplyReader::feed(std::string_view piece) {
  ReplyStep step;
  raw_ += piece;
  if (in_call_) {
    scan_call(step);
  } else {
    scan(step, false);
  }
  return step;
}

ReplyStep ReplyReader::begin_call(std::size_t at, std::string_view separator) {
  ReplyStep step;
  raw_.resize(at);
  raw_ += separator;
  pass_text(step, raw_.size());
  raw_ += kCallHead;
  call_from_ = raw_.size();
  in_call_ = true;
  name_told_ = false;
  return step;
}

void ReplyReader::drop_call(std::size_t at) {
  raw_.resize(at);
  done_ = std::min(done_, at);
  in_call_ = false;
}

bool ReplyReader::cut(std::size_t at) {
  if (at < done_) return false;
  raw_.resize(at);
  return true;
}

ReplyStep ReplyReader::finish() {
  ReplyStep step;
  if (!in_call_) scan(step, true);
  return step;
}

msg::Item ReplyReader::item() const {
  msg::Item item{msg::Role::assistant, {}};
  if (!trim(thinking_).empty())
    item.blocks.push_back(msg::Thinking{std::string(trim(thinking_)), ""});
  if (!text_.empty()) item.blocks.push_back(msg::Text{text_});
  if (!in_call_) return item;
  const std::string_view body = std::string_view(raw_).substr(call_from_);
  const std::size_t middle = body.find(kCallMiddle);
  msg::ToolCall call{"", std::string(body.substr(0, std::min(middle, body.find('"')))), "", false};
  if (middle != std::string_view::npos) {
    const std::string_view rest = body.substr(middle + kCallMiddle.size());
    // Inside the arguments a line break is always escaped, so the tail cannot be part of them.
    const std::size_t tail = rest.find(kCallTail);
    call.complete = tail != std::string_view::npos;
    call.arguments = to_valid_utf8(rest.substr(0, tail));
  }
  item.blocks.push_back(std::move(call));
  return item;
}

}  // namespace keel::local
