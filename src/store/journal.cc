#include "store/journal.h"

#include <array>
#include <utility>

#include "base/id.h"

namespace keel::store {
namespace {

constexpr std::array states = {TurnState::received, TurnState::running, TurnState::replied,
                               TurnState::done, TurnState::failed};

TurnState state_from_name(std::string_view name) {
  for (const TurnState state : states) {
    if (turn_state_name(state) == name) return state;
  }
  return TurnState::failed;
}

constexpr std::string_view turn_columns =
    "SELECT t.id, t.conversation, t.state, i.channel, i.text, t.wish, t.model, t.attempts, "
    "t.error_code, t.error, t.error_hint, t.result, i.received_ms, t.ended_ms, t.number "
    "FROM turn t JOIN inbox i ON i.id = t.inbox ";

TurnRow read_turn(const Statement& row) {
  TurnRow turn;
  turn.id = row.text(0);
  turn.conversation = row.text(1);
  turn.state = state_from_name(row.text(2));
  turn.channel = row.text(3);
  turn.text = row.text(4);
  turn.wish = row.text(5);
  turn.model = row.text(6);
  turn.attempts = static_cast<int>(row.integer(7));
  if (!row.is_null(8)) {
    turn.error = Error{code_from_name(row.text(8)), row.text(9), row.text(10), {}};
  }
  turn.result = row.text(11);
  turn.received_ms = row.integer(12);
  turn.ended_ms = row.integer(13);
  turn.number = row.integer(14);
  return turn;
}

// apply(), part by part; all run in its one transaction.
class Applier {
 public:
  Applier(Connection& connection, const Change& change, WallMs now)
      : connection_(connection), change_(change), now_(now) {}

  Result<std::int64_t> run() {
    const std::int64_t first = TRY(append_items());
    TRY(cut_items());
    TRY(append_steps());
    TRY(write_results());  // before the next call's INTENT, so that calls count in their order
    TRY(write_intents());
    TRY(write_usage());
    TRY(change_conversation());
    TRY(change_outbox());
    TRY(change_turn());
    return first;
  }

 private:
  Result<std::int64_t> append_items() {
    if (change_.items.empty()) return -1;
    std::int64_t next = 0;
    {
      Statement last = TRY(connection_.prepare(
          "SELECT COALESCE(MAX(position), -1) FROM item WHERE conversation = ?1"));
      TRY(last.bind(1, change_.conversation).step());
      next = last.integer(0) + 1;
    }
    Statement insert = TRY(connection_.prepare(
        "INSERT INTO item(conversation, position, turn, item, integrity, confidentiality) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6)"));
    std::int64_t position = next;
    for (const Change::Item& item : change_.items) {
      insert.bind(1, change_.conversation).bind(2, position++).bind(3, change_.turn);
      insert.bind(4, item.json).bind(5, item.integrity).bind(6, item.confidentiality);
      TRY(insert.run());
    }
    return next;
  }

  Status cut_items() {
    for (const Change::Cut& cut : change_.cuts) {
      Statement update = TRY(connection_.prepare(
          "UPDATE item SET item = ?1 WHERE conversation = ?2 AND position = ?3 AND turn = ?4"));
      update.bind(1, cut.json).bind(2, change_.conversation).bind(3, cut.position);
      TRY(update.bind(4, change_.turn).run());
    }
    if (!change_.hide_items) return {};
    Statement hide = TRY(connection_.prepare("UPDATE item SET hidden = 1 WHERE turn = ?1"));
    return hide.bind(1, change_.turn).run();
  }

  Status append_steps() {
    if (change_.steps.empty()) return {};
    Statement insert = TRY(connection_.prepare(
        "INSERT INTO step(turn, seq, kind, at_ms, data) VALUES(?1, "
        "(SELECT COALESCE(MAX(seq), 0) + 1 FROM step WHERE turn = ?1), ?2, ?3, ?4)"));
    for (const Change::Step& step : change_.steps) {
      TRY(insert.bind(1, change_.turn).bind(2, step.kind).bind(3, now_).bind(4, step.json).run());
    }
    return {};
  }

  Status write_intents() {
    for (const CallRow& call : change_.intents) {
      // The same call again is a recovery that runs it a second time: the row is there.
      Statement insert = TRY(connection_.prepare(
          "INSERT INTO tool_call(turn, call_id, seq, name, arguments, args_hash, effect, state, "
          "intent_ms) VALUES(?1, ?2, (SELECT COUNT(*) FROM tool_call WHERE turn = ?1), ?3, ?4, ?5, "
          "?6, 'intent', ?7) ON CONFLICT(turn, call_id) DO UPDATE SET intent_ms = ?7 "
          "WHERE state = 'intent'"));
      insert.bind(1, change_.turn).bind(2, call.call_id).bind(3, call.name);
      insert.bind(4, call.arguments).bind(5, call.args_hash).bind(6, call.effect).bind(7, now_);
      TRY(insert.run());
      if (connection_.changes() == 0) return second_result(call);
    }
    return {};
  }

  Status write_results() {
    for (const CallRow& call : change_.results) {
      Statement insert = TRY(connection_.prepare(
          "INSERT INTO tool_call(turn, call_id, seq, name, arguments, args_hash, effect, state, "
          "is_error, outcome, integrity, confidentiality, ms, result_ms) VALUES(?1, ?2, "
          "(SELECT COUNT(*) FROM tool_call WHERE turn = ?1), ?3, ?4, ?5, ?6, 'result', ?7, ?8, ?9, "
          "?10, ?11, ?12) ON CONFLICT(turn, call_id) DO UPDATE SET state = 'result', is_error = "
          "?7, "
          "outcome = ?8, integrity = ?9, confidentiality = ?10, ms = ?11, result_ms = ?12 "
          "WHERE state = 'intent'"));
      insert.bind(1, change_.turn).bind(2, call.call_id).bind(3, call.name);
      insert.bind(4, call.arguments).bind(5, call.args_hash).bind(6, call.effect);
      insert.bind(7, call.is_error).bind(8, call.outcome).bind(9, call.integrity);
      insert.bind(10, call.confidentiality).bind(11, call.ms).bind(12, now_);
      TRY(insert.run());
      if (connection_.changes() == 0) return second_result(call);
    }
    return {};
  }

  Status second_result(const CallRow& call) {
    return fail(Code::already_exists,
                "the call " + call.call_id + " of turn " + change_.turn + " has a result already");
  }

  Status write_usage() {
    for (const UsageRow& row : change_.usage) {
      Statement insert = TRY(connection_.prepare(
          "INSERT INTO usage(turn, conversation, model, prompt_tokens, cached_tokens, "
          "evaluated_tokens, completion_tokens, cost_usd, ttft_ms, total_ms, decode_tps, at_ms) "
          "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"));
      insert.bind(1, change_.turn).bind(2, change_.conversation).bind(3, row.model);
      insert.bind(4, row.prompt_tokens).bind(5, row.cached_tokens).bind(6, row.evaluated_tokens);
      insert.bind(7, row.completion_tokens).bind(8, row.cost_usd).bind(9, row.ttft_ms);
      TRY(insert.bind(10, row.total_ms).bind(11, row.decode_tps).bind(12, now_).run());
    }
    return {};
  }

  Status change_conversation() {
    if (change_.prefix) {
      Statement update = TRY(connection_.prepare(
          "UPDATE conversation SET system = ?2, identity_hash = ?3, tools = ?4, tools_told = '' "
          "WHERE name = ?1"));
      update.bind(1, change_.conversation).bind(2, change_.prefix->system);
      TRY(update.bind(3, change_.prefix->identity_hash).bind(4, change_.prefix->tools).run());
    }
    if (change_.announced) {
      Statement update =
          TRY(connection_.prepare("UPDATE conversation SET identity_hash = ?2 WHERE name = ?1"));
      TRY(update.bind(1, change_.conversation).bind(2, *change_.announced).run());
    }
    if (change_.tools_told) {
      Statement update =
          TRY(connection_.prepare("UPDATE conversation SET tools_told = ?2 WHERE name = ?1"));
      TRY(update.bind(1, change_.conversation).bind(2, *change_.tools_told).run());
    }
    if (change_.window_start) {
      Statement update = TRY(connection_.prepare(
          "UPDATE conversation SET window_start = MAX(window_start, ?2) WHERE name = ?1"));
      TRY(update.bind(1, change_.conversation).bind(2, *change_.window_start).run());
    }
    if (change_.summary) {
      Statement update =
          TRY(connection_.prepare("UPDATE conversation SET summary = ?2, summary_integrity = ?3, "
                                  "summary_confidentiality = ?4 WHERE name = ?1"));
      update.bind(1, change_.conversation).bind(2, change_.summary->text);
      update.bind(3, change_.summary->integrity).bind(4, change_.summary->confidentiality);
      TRY(update.run());
    }
    return {};
  }

  Status change_outbox() {
    if (change_.outbox) {
      Statement insert = TRY(connection_.prepare(
          "INSERT INTO outbox(id, turn, conversation, channel, kind, text, state, created_ms) "
          "SELECT ?1, t.id, t.conversation, i.channel, ?3, ?4, 'pending', ?5 "
          "FROM turn t JOIN inbox i ON i.id = t.inbox WHERE t.id = ?2"));
      insert.bind(1, make_ulid(now_)).bind(2, change_.turn).bind(3, change_.outbox->kind);
      TRY(insert.bind(4, change_.outbox->text).bind(5, now_).run());
    }
    if (change_.delivered) {
      Statement update = TRY(connection_.prepare(
          "UPDATE outbox SET state = 'sent', sent_ms = ?2 WHERE turn = ?1 AND state = 'pending'"));
      TRY(update.bind(1, change_.turn).bind(2, now_).run());
    }
    for (const std::string& id : change_.delivered_rows) {
      Statement update = TRY(connection_.prepare(
          "UPDATE outbox SET state = 'sent', sent_ms = ?2 WHERE id = ?1 AND state = 'pending'"));
      TRY(update.bind(1, id).bind(2, now_).run());
    }
    return {};
  }

  Status change_turn() {
    if (change_.begins_attempt) {
      Statement update =
          TRY(connection_.prepare("UPDATE turn SET attempts = attempts + 1 WHERE id = ?1"));
      TRY(update.bind(1, change_.turn).run());
    }
    if (change_.model) {
      Statement update = TRY(connection_.prepare("UPDATE turn SET model = ?2 WHERE id = ?1"));
      TRY(update.bind(1, change_.turn).bind(2, *change_.model).run());
    }
    if (change_.result) {
      Statement update = TRY(connection_.prepare("UPDATE turn SET result = ?2 WHERE id = ?1"));
      TRY(update.bind(1, change_.turn).bind(2, *change_.result).run());
    }
    if (change_.error) {
      Statement update = TRY(connection_.prepare(
          "UPDATE turn SET error_code = ?2, error = ?3, error_hint = ?4 WHERE id = ?1"));
      update.bind(1, change_.turn).bind(2, code_name(change_.error->code));
      TRY(update.bind(3, change_.error->message).bind(4, change_.error->hint).run());
    }
    if (!change_.state) return {};
    const bool ends = *change_.state == TurnState::done || *change_.state == TurnState::failed;
    // A turn that has ended stays as it is.
    Statement update = TRY(connection_.prepare(
        "UPDATE turn SET state = ?2, ended_ms = CASE WHEN ?3 THEN ?4 ELSE ended_ms END "
        "WHERE id = ?1 AND state NOT IN ('done', 'failed')"));
    update.bind(1, change_.turn).bind(2, turn_state_name(*change_.state)).bind(3, ends);
    TRY(update.bind(4, now_).run());
    if (connection_.changes() == 1) return {};
    return fail(Code::internal, "turn " + change_.turn + " has ended and cannot become " +
                                    std::string(turn_state_name(*change_.state)));
  }

  Connection& connection_;
  const Change& change_;
  const WallMs now_;
};

Result<Accepted> insert_message(Connection& connection, const NewMessage& message, WallMs now) {
  if (!message.external_id.empty()) {
    Statement known = TRY(
        connection.prepare("SELECT t.id, t.conversation FROM inbox i JOIN turn t ON t.inbox = i.id "
                           "WHERE i.channel = ?1 AND i.account = ?2 AND i.external_id = ?3"));
    known.bind(1, message.channel).bind(2, message.account).bind(3, message.external_id);
    if (TRY(known.step())) return Accepted{known.text(0), known.text(1), false};
  }
  Statement conversation = TRY(connection.prepare(
      "INSERT INTO conversation(name, created_ms) VALUES(?1, ?2) ON CONFLICT(name) DO NOTHING"));
  TRY(conversation.bind(1, message.conversation).bind(2, now).run());

  const std::string inbox_id = make_ulid(now);
  Statement inbox = TRY(connection.prepare(
      "INSERT INTO inbox(id, channel, account, conversation, external_id, text, received_ms) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  inbox.bind(1, inbox_id).bind(2, message.channel).bind(3, message.account);
  inbox.bind(4, message.conversation).bind(6, message.text).bind(7, now);
  if (message.external_id.empty()) {
    inbox.bind_null(5);
  } else {
    inbox.bind(5, message.external_id);
  }
  TRY(inbox.run());

  Accepted accepted{make_ulid(now), message.conversation, true};
  Statement turn =
      TRY(connection.prepare("INSERT INTO turn(id, conversation, inbox, state, wish, started_ms) "
                             "VALUES(?1, ?2, ?3, 'received', ?4, ?5)"));
  turn.bind(1, accepted.turn).bind(2, message.conversation).bind(3, inbox_id);
  TRY(turn.bind(4, message.wish).bind(5, now).run());
  return accepted;
}

}  // namespace

std::string_view turn_state_name(TurnState state) {
  switch (state) {
    case TurnState::received:
      return "received";
    case TurnState::running:
      return "running";
    case TurnState::replied:
      return "replied";
    case TurnState::done:
      return "done";
    case TurnState::failed:
      return "failed";
  }
  return "failed";
}

bool Change::empty() const {
  return !state && !begins_attempt && !model && items.empty() && cuts.empty() && steps.empty() &&
         intents.empty() && results.empty() && usage.empty() && !outbox && !result && !error &&
         !prefix && !announced && !tools_told && !window_start && !summary && !hide_items &&
         !delivered && delivered_rows.empty();
}

Result<Accepted> Journal::accept(const NewMessage& message) {
  const WallMs now = clock_.wall_ms();
  return database_.write(
      [&](Connection& connection) { return insert_message(connection, message, now); });
}

Result<std::int64_t> Journal::apply(const Change& change) {
  const WallMs now = clock_.wall_ms();
  return database_.write(
      [&](Connection& connection) { return Applier(connection, change, now).run(); });
}

Result<TurnRow> Journal::turn(std::string_view id) {
  return database_.read([&](Connection& connection) -> Result<TurnRow> {
    Statement select = TRY(connection.prepare(std::string(turn_columns) + "WHERE t.id = ?1"));
    if (TRY(select.bind(1, id).step())) return read_turn(select);
    return fail(Code::not_found, "there is no turn " + std::string(id));
  });
}

Result<std::vector<TurnRow>> Journal::open_turns() {
  return database_.read([&](Connection& connection) -> Result<std::vector<TurnRow>> {
    Statement select = TRY(connection.prepare(
        std::string(turn_columns) +
        "WHERE t.state IN ('received', 'running', 'replied') ORDER BY t.number"));
    std::vector<TurnRow> turns;
    while (TRY(select.step())) turns.push_back(read_turn(select));
    return turns;
  });
}

Result<ConversationRow> Journal::conversation(std::string_view name) {
  return database_.read([&](Connection& connection) -> Result<ConversationRow> {
    Statement select = TRY(connection.prepare(
        "SELECT system, identity_hash, window_start, summary, summary_integrity, "
        "summary_confidentiality, tools, tools_told FROM conversation WHERE name = ?1"));
    ConversationRow row;
    row.name = std::string(name);
    if (TRY(select.bind(1, name).step())) {
      row.system = select.text(0);
      row.identity_hash = select.text(1);
      row.window_start = select.integer(2);
      row.summary = {select.text(3), select.text(4), select.text(5)};
      row.tools = select.text(6);
      row.tools_told = select.text(7);
    }
    return row;
  });
}

Result<std::vector<ItemRow>> Journal::window(std::string_view conversation) {
  return database_.read([&](Connection& connection) -> Result<std::vector<ItemRow>> {
    Statement select = TRY(connection.prepare(
        "SELECT position, turn, item, integrity, confidentiality FROM item "
        "WHERE conversation = ?1 AND hidden = 0 AND position >= "
        "(SELECT window_start FROM conversation WHERE name = ?1) ORDER BY position"));
    select.bind(1, conversation);
    std::vector<ItemRow> items;
    while (TRY(select.step())) {
      items.push_back(
          {select.integer(0), select.text(1), select.text(2), select.text(3), select.text(4)});
    }
    return items;
  });
}

Result<std::vector<StepRow>> Journal::steps(std::string_view turn) {
  return database_.read([&](Connection& connection) -> Result<std::vector<StepRow>> {
    Statement select = TRY(
        connection.prepare("SELECT seq, kind, data, at_ms FROM step WHERE turn = ?1 ORDER BY seq"));
    select.bind(1, turn);
    std::vector<StepRow> steps;
    while (TRY(select.step())) {
      steps.push_back(
          {static_cast<int>(select.integer(0)), select.text(1), select.text(2), select.integer(3)});
    }
    return steps;
  });
}

Result<std::vector<CallRow>> Journal::calls(std::string_view turn) {
  return database_.read([&](Connection& connection) -> Result<std::vector<CallRow>> {
    Statement select = TRY(connection.prepare(
        "SELECT call_id, name, arguments, args_hash, effect, state, is_error, outcome, integrity, "
        "confidentiality, ms FROM tool_call WHERE turn = ?1 ORDER BY seq"));
    select.bind(1, turn);
    std::vector<CallRow> calls;
    while (TRY(select.step())) {
      CallRow& call = calls.emplace_back();
      call.call_id = select.text(0);
      call.name = select.text(1);
      call.arguments = select.text(2);
      call.args_hash = select.text(3);
      call.effect = select.text(4);
      call.has_result = select.text(5) == "result";
      call.is_error = select.integer(6) != 0;
      call.outcome = select.text(7);
      call.integrity = select.text(8);
      call.confidentiality = select.text(9);
      call.ms = select.real(10);
    }
    return calls;
  });
}

Result<std::vector<UsageRow>> Journal::usage_of(std::string_view turn) {
  return database_.read([&](Connection& connection) -> Result<std::vector<UsageRow>> {
    Statement select = TRY(connection.prepare(
        "SELECT turn, conversation, model, prompt_tokens, cached_tokens, evaluated_tokens, "
        "completion_tokens, cost_usd, ttft_ms, total_ms, decode_tps, at_ms FROM usage "
        "WHERE turn = ?1 ORDER BY id"));
    select.bind(1, turn);
    std::vector<UsageRow> rows;
    while (TRY(select.step())) {
      rows.push_back({select.text(0), select.text(1), select.text(2), select.integer(3),
                      select.integer(4), select.integer(5), select.integer(6), select.real(7),
                      select.real(8), select.real(9), select.real(10), select.integer(11)});
    }
    return rows;
  });
}

Result<std::vector<std::string>> Journal::owner_texts(std::string_view conversation) {
  return database_.read([&](Connection& connection) -> Result<std::vector<std::string>> {
    Statement select = TRY(connection.prepare(
        "SELECT i.text FROM turn t JOIN inbox i ON i.id = t.inbox WHERE t.id IN "
        "(SELECT turn FROM item WHERE conversation = ?1 AND hidden = 0 AND position >= "
        "(SELECT window_start FROM conversation WHERE name = ?1)) ORDER BY t.number"));
    select.bind(1, conversation);
    std::vector<std::string> texts;
    while (TRY(select.step())) texts.push_back(select.text(0));
    return texts;
  });
}

Result<std::vector<OutboxRow>> Journal::pending(std::string_view channel,
                                                std::string_view conversation, int limit) {
  return database_.read([&](Connection& connection) -> Result<std::vector<OutboxRow>> {
    Statement select = TRY(connection.prepare(
        "SELECT id, turn, conversation, channel, kind, text, created_ms FROM outbox "
        "WHERE state = 'pending' AND channel = ?1 AND (?2 = '' OR conversation = ?2) "
        "ORDER BY number LIMIT ?3"));
    select.bind(1, channel).bind(2, conversation).bind(3, limit);
    std::vector<OutboxRow> rows;
    while (TRY(select.step())) {
      rows.push_back({select.text(0), select.text(1), select.text(2), select.text(3),
                      select.text(4), select.text(5), select.integer(6)});
    }
    return rows;
  });
}

Status Journal::mark_sent(std::string_view outbox_id, std::string_view message_id) {
  const WallMs now = clock_.wall_ms();
  return database_.write([&](Connection& connection) -> Status {
    Statement update = TRY(connection.prepare(
        "UPDATE outbox SET state = 'sent', sent_ms = ?2, message_id = ?3 WHERE id = ?1"));
    TRY(update.bind(1, outbox_id).bind(2, now).bind(3, message_id).run());
    if (connection.changes() == 1) return {};
    return fail(Code::not_found, "there is no outbox row " + std::string(outbox_id));
  });
}

}  // namespace keel::store
