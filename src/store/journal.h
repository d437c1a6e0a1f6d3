// The journal: messages in, turns with every step, the conversation's items, tool calls as INTENT
// and RESULT, replies out, usage. It is what an interrupted turn is taken up from;
// docs/formats/journal.md documents tables and the order of writes.
//
// accept() and apply() are one transaction each and return when it is on the disk. Texts are opaque
// here: items and steps are JSON that other rooms write and read. Threads: any. Times are
// milliseconds since 1970 UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/result.h"
#include "store/database.h"

namespace keel::store {

std::vector<Migration> journal_migrations();

enum class TurnState { received, running, replied, done, failed };
std::string_view turn_state_name(TurnState state);

struct NewMessage {
  std::string channel;
  std::string account;  // of the channel that received it; may be empty
  std::string conversation;
  std::string external_id;  // the channel's id of the message; empty: it has none
  std::string text;
  std::string wish;  // the model asked for; may be empty
};
struct Accepted {
  std::string turn;
  std::string conversation;  // of the first delivery
  bool fresh = true;         // false: this message came before; the turn is the first delivery's
};

struct TurnRow {
  std::int64_t number = 0;  // in the order in which messages came, whatever the clock did
  std::string id;
  std::string conversation;
  TurnState state = TurnState::received;
  std::string channel;
  std::string text;  // of the message
  std::string wish;
  std::string model;
  int attempts = 1;
  std::optional<Error> error;  // of a failed turn; an unknown code reads as internal
  std::string result;          // JSON; empty until there is a reply
  WallMs received_ms = 0;
  WallMs ended_ms = 0;
};

// What stands for the items before window_start.
struct SummaryRow {
  std::string text;  // empty: there is none
  std::string integrity = "owner";
  std::string confidentiality = "open";
};

struct ConversationRow {
  std::string name;
  std::string system;  // empty until the first turn was rendered
  std::string identity_hash;
  std::string tools;       // JSON, as in the frozen prefix
  std::string tools_told;  // JSON, as announced last; empty: those of the prefix
  std::int64_t window_start = 0;
  SummaryRow summary;
};

struct ItemRow {
  std::int64_t position = -1;  // given by apply() to new rows
  std::string turn;
  std::string json;
  std::string integrity = "owner";
  std::string confidentiality = "open";
};

struct StepRow {
  int seq = 0;
  std::string kind;
  std::string json;
  WallMs at_ms = 0;
};

struct CallRow {
  std::string call_id;
  std::string name;
  std::string arguments;
  std::string args_hash;
  std::string effect;  // pure, idempotent, unsafe; none for a call of no known tool
  bool has_result = false;
  bool is_error = false;
  std::string outcome;
  std::string integrity = "owner";
  std::string confidentiality = "open";
  double ms = 0.0;
};

struct UsageRow {
  std::string turn;
  std::string conversation;
  std::string model;
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t evaluated_tokens = 0;
  std::int64_t completion_tokens = 0;
  double cost_usd = 0.0;
  double ttft_ms = 0.0;
  double total_ms = 0.0;
  double decode_tps = 0.0;
  WallMs at_ms = 0;
};

struct OutboxRow {
  std::string id;
  std::string turn;
  std::string conversation;
  std::string channel;
  std::string kind;  // reply, failure
  std::string text;
  WallMs created_ms = 0;
};

struct Prefix {
  std::string system;
  std::string identity_hash;
  std::string tools;  // JSON
};

// What is to change, all of it in one transaction. Empty parts change nothing.
struct Change {
  struct Step {
    std::string kind;
    std::string json;
  };
  struct Item {
    std::string json;
    std::string integrity = "owner";
    std::string confidentiality = "open";
  };
  struct Cut {
    std::int64_t position = 0;
    std::string json;
  };
  struct Outbox {
    std::string kind;
    std::string text;
  };

  std::string turn;          // always
  std::string conversation;  // of the turn, always
  std::optional<TurnState> state;
  bool begins_attempt = false;  // attempts grows by 1
  std::optional<std::string> model;
  std::vector<Item> items;  // appended
  std::vector<Cut> cuts;    // items of this turn written again, shorter
  std::vector<Step> steps;  // appended
  std::vector<CallRow> intents;
  std::vector<CallRow> results;  // with or without an INTENT row before
  std::vector<UsageRow> usage;
  std::optional<Outbox> outbox;
  std::optional<std::string> result;
  std::optional<Error> error;
  std::optional<Prefix> prefix;           // frozen text and the identity it holds
  std::optional<std::string> announced;   // hash of an identity told in a note
  std::optional<std::string> tools_told;  // JSON of the tools after an announcement
  std::optional<std::int64_t> window_start;
  std::optional<SummaryRow> summary;
  bool hide_items = false;                  // of this turn
  bool delivered = false;                   // the outbox row is sent
  std::vector<std::string> delivered_rows;  // other outbox rows that were handed over now

  bool empty() const;
};

class Journal {
 public:
  Journal(Database& database, const Clock& clock) : database_(database), clock_(clock) {}

  Result<Accepted> accept(const NewMessage& message);
  // Returns the position of the first item appended, -1 if there was none. A RESULT is written
  // once: a second one, and a second outbox row of a turn, is Code::already_exists.
  Result<std::int64_t> apply(const Change& change);

  Result<TurnRow> turn(std::string_view id);
  // Received, running and replied turns, in the order their messages came.
  Result<std::vector<TurnRow>> open_turns();
  // A conversation that has no turn yet is a row with empty fields.
  Result<ConversationRow> conversation(std::string_view name);
  // The items a model is shown, in order.
  Result<std::vector<ItemRow>> window(std::string_view conversation);
  Result<std::vector<StepRow>> steps(std::string_view turn);
  Result<std::vector<CallRow>> calls(std::string_view turn);
  Result<std::vector<UsageRow>> usage_of(std::string_view turn);
  // Texts of the messages whose turns have items in the window: the owner's own words.
  Result<std::vector<std::string>> owner_texts(std::string_view conversation);
  // Replies that were not handed over, oldest first; an empty conversation means all.
  Result<std::vector<OutboxRow>> pending(std::string_view channel, std::string_view conversation,
                                         int limit);
  Status mark_sent(std::string_view outbox_id, std::string_view message_id);

 private:
  Database& database_;
  const Clock& clock_;
};

}  // namespace keel::store
