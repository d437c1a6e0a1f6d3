// What a model is shown: a frozen system text, then the conversation's items exactly as they were
// rendered when they came, the newest user's item with a note at its end where there is
// something new to tell (date, channel, memory pages). Nothing here is rendered twice, so two
// prompts of a conversation share every byte up to what is new (docs/formats/journal.md,
// "Conversation items").
//
// Values and pure functions but for Window::load; one owner each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "msg/conversation.h"
#include "msg/fault.h"
#include "policy/policy.h"
#include "store/journal.h"

namespace keel::agent {

// The identity's text, then the rules: plain sentences, under 200 tokens, that a small model
// follows.
std::string system_text(std::string_view identity);

struct NotePage {
  std::string id;
  std::string title;
  std::string text;
  bool is_private = false;  // does not leave the machine without a rule
};
// What a note says of the day and the channel. The clock time is left out on purpose: the item is
// read again in later turns, where it would be wrong; the date is what "tomorrow" needs, and the
// tool `time` knows the rest.
std::string day_text(WallMs now_ms, std::string_view channel);

struct Note {
  std::string day;  // day_text(), empty where the conversation was told already
  std::vector<NotePage> pages;
  std::string new_identity;  // empty unless it changed since the prefix was frozen
  bool empty() const { return day.empty() && pages.empty() && new_identity.empty(); }
};
// Empty for an empty note.
std::string note_text(const Note& note);

// The owner's words and, in blocks of their own behind them, what is told of changed tools
// (tool_list.h) and the note, if there are such.
msg::Item user_item(std::string owner_text, const Note& note, std::string tools_told = {});
bool ends_with_note(const msg::Item& item);
// Whether its note says who the agent is from now on.
bool tells_identity(const msg::Item& item);

// http and https addresses as they stand in a text, without punctuation at their ends.
std::vector<std::string> urls_in(std::string_view text);

// What stands for the turns before the window: what the owner said, in the owner's own words, a
// line each, and what the model wrote of the rest. Its label is the join of theirs.
struct Summary {
  std::string text;
  policy::Label label;
  store::SummaryRow row() const;
};

class Window {
 public:
  struct Entry {
    std::int64_t position = -1;  // -1: not in the journal yet
    std::string turn;
    msg::Item item;
    policy::Label label;
    std::size_t bytes = 0;
  };

  static Result<Window> load(store::Journal& journal, const store::ConversationRow& conversation);

  // Keeps the item and gives the form in which the journal takes it.
  store::Change::Item append(std::string_view turn, msg::Item item, policy::Label label = {});
  // The items without a position got theirs, from `first` on.
  void placed(std::int64_t first);

  const std::vector<Entry>& entries() const { return entries_; }
  // System first; thoughts of other models are left out. The summary, if there is one, stands in a
  // block of its own before the first user's words.
  std::vector<msg::Item> items(const std::string& system, std::string_view model) const;
  // The same for somebody who may see nothing secret: without every turn from the first one on that
  // holds something, but for `turn`, and without a summary that was made of such.
  std::vector<msg::Item> open_items(const std::string& system, std::string_view model,
                                    std::string_view turn) const;
  policy::Label label() const;
  // Whether something of this turn is secret.
  bool is_secret(std::string_view turn) const;
  // Whether this turn ended before anything secret came.
  bool is_before_secret(std::string_view turn) const;
  // Whether `day` is what the latest note that spoke of the day said.
  bool has_told(std::string_view day) const;
  std::vector<std::string> result_urls() const;

  struct Dropped {
    int turns = 0;
    std::int64_t window_start = 0;
  };
  // Leaves out the oldest turns, down to about half of what fits, but never `turn`. Nothing if only
  // `turn` is left, or if `turn` alone is clearly too long and cannot be cut.
  std::optional<Dropped> drop_oldest(std::string_view turn, std::optional<msg::PromptSize> size);
  // The turns before the newest ones that make up `keep` (0 to 1) of the window, at least the
  // newest; nothing if fewer than two turns are older.
  std::optional<Dropped> older_turns(double keep) const;
  // What will stand for them; `gist` is what the model wrote. A summary that they began with goes
  // on in it; the oldest words go first where it gets too long.
  Summary summed_up(const Dropped& older, std::string_view gist) const;
  // The summary takes their place.
  void replace_older(const Dropped& older, Summary summary);
  // Cuts the longest tool result of `turn` to half; nothing if there is none worth it.
  std::optional<store::Change::Cut> cut_longest_result(std::string_view turn);

 private:
  std::size_t bytes_of(std::string_view turn) const;
  std::vector<msg::Item> shown(const std::string& system, std::string_view model,
                               const std::vector<const Entry*>& entries, bool summary) const;
  Entry* longest_result(std::string_view turn);
  std::vector<Entry> entries_;
  std::optional<Summary> summary_;
};

}  // namespace keel::agent
