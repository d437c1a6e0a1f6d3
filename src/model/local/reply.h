// Reads an answer while it is written, for models that write tool calls as JSON: splits it into
// text, thinking and tool calls, and notices the start of a call however the model begins it. Small
// models leave out the <tool_call> tag or write a ```json block; the engine then takes that start
// back and writes the canonical one, after which a grammar holds the model to a well-formed call of
// a registered tool (docs/decisions/0003).
//
// Text is passed on in whole code points, and never a byte of what may become markup. Pure, not
// thread-safe; offsets are bytes of the raw answer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "msg/conversation.h"

namespace keel::local {

inline constexpr std::string_view kCallOpen = "<tool_call>";
inline constexpr std::string_view kCallHead = "<tool_call>\n{\"name\": \"";
inline constexpr std::string_view kCallMiddle = "\", \"arguments\": ";
inline constexpr std::string_view kCallTail = "}\n</tool_call>";

// The markup of one call in the history: the same bytes the model wrote.
std::string call_markup(const std::string& name, const std::string& arguments);

// The tool that the last sentence of `text` says will be used ("I will call the `web_fetch`
// function"), or nothing. Small models announce a call and then end, or write the arguments as
// prose.
std::string announced_tool(std::string_view text, const std::vector<std::string>& tool_names);

struct ReplyOptions {
  std::vector<std::string> tool_names;  // empty: no calls are looked for
  bool starts_thinking = false;         // the prompt ends inside a thinking block
};

struct ReplyStep {
  std::string text;
  std::string thinking;
  std::string tool_name;  // of a call whose name is now complete
  bool call_found = false;
  std::size_t call_at = 0;  // where the markup begins
};

class ReplyReader {
 public:
  explicit ReplyReader(ReplyOptions options);

  // After call_found nothing more may be fed until begin_call().
  ReplyStep feed(std::string_view piece);
  // The raw answer is cut at `at` and goes on with `separator`, which is text, and kCallHead.
  ReplyStep begin_call(std::size_t at, std::string_view separator);
  // The call is taken back: the answer goes on as text from `at`, where the call's markup began.
  void drop_call(std::size_t at);
  // Takes the raw answer back to `at`; false if what follows was passed on already.
  bool cut(std::size_t at);
  // End of the answer: what was held back comes out.
  ReplyStep finish();

  bool in_call() const { return in_call_; }
  bool call_complete() const;
  const std::string& raw() const { return raw_; }
  const std::string& text() const { return text_; }
  // Text and thinking are what was passed on; a call that generation ended inside is not complete.
  // It has no id.
  msg::Item item() const;

 private:
  void scan(ReplyStep& step, bool at_end);
  void scan_thinking(ReplyStep& step, bool at_end);
  void scan_call(ReplyStep& step);
  void pass_text(ReplyStep& step, std::size_t end);
  bool only_space_before(std::size_t at) const;

  ReplyOptions options_;
  std::string raw_;
  std::string text_;
  std::string thinking_;
  std::size_t done_ = 0;         // raw bytes that were passed on or skipped
  std::size_t answer_from_ = 0;  // where the answer itself begins, after thinking
  bool thinking_now_ = false;
  bool thinking_over_ = false;
  bool in_call_ = false;
  std::size_t call_from_ = 0;  // the raw offset after the last kCallHead
  bool name_told_ = false;
};

}  // namespace keel::local
