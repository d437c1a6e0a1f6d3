// One turn, from whatever its rows say to its end: recall, context, route, then model and tools in
// turns, the reply, the pages made of it. Each step is committed before it counts
// (docs/formats/journal.md, "Order of writes"), and each is an event (event.h). Used once, by the
// thread that holds the conversation's lane.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/context/context.h"
#include "agent/context/tool_list.h"
#include "agent/record.h"
#include "model/route/router.h"
#include "store/journal.h"
#include "tool/registry.h"

namespace keel::agent {

// The caller of such a turn shows the reply himself; other channels take it from the outbox.
bool is_shown_by_caller(std::string_view channel);

class Turn {
 public:
  Turn(const AgentParts& parts, store::Journal& journal, store::TurnRow row, const EventSink& sink,
       std::stop_token stop);

  // Said once the turn has begun, as Notice events.
  void tell(std::string notice) { notices_.push_back(std::move(notice)); }
  // The reply goes to somebody who is there now; false while recovering.
  void set_attended(bool attended) { attended_ = attended; }

  // The result object, or the error with which the turn failed (then recorded), or the one that
  // kept it from going on (then the turn stays open).
  Result<Json> run();
  // After run(): the model that answered, and how much of its context prompt and answer took.
  const std::string& model() const { return choice_.name; }
  std::int64_t context_tokens() const;
  // Records that the turn failed, without running anything of it; returns the error.
  Result<Json> give_up(const Error& error);

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;

  // turn.cc: the loop.
  Result<Json> advance();
  Status load();
  Status resume();
  Status step();
  Result<model::Response> generate(bool last);
  void on_model_event(const model::StreamEvent& event);
  Status take(model::Response response, bool last);
  Status nudge(msg::Item item);
  msg::Item cleaned(msg::Item item, bool keep_calls);
  void note_model_call(const model::Response& response, std::size_t calls, bool last);
  Status shrink(const Error& error);
  bool stopping() const { return stop_.stop_requested(); }
  bool out_of_time() const;
  void emit(const Event& event) const;
  void say(std::string notice);
  void add_step(std::string kind, const Json& data);
  void append(msg::Item item, policy::Label label = {});
  Status flush();

  // turn_edges.cc: from the message to the first prompt.
  Status open();
  void recall();
  void show_pages();
  Note make_note(const std::string& identity_hash);
  void tell_undelivered();

  // turn_edges.cc: who answers.
  Status route();
  void go_on_with(model::Choice choice);
  model::Needs needs() const;
  bool is_private_conversation() const;
  bool may_show_private() const;
  Result<bool> fall_back(const Error& error);
  std::vector<std::string> pages_in_prompt();

  // turn_calls.cc: tools.
  Status run_calls(const std::vector<msg::ToolCall>& calls);
  Status run_call(const msg::ToolCall& call);
  Result<tool::Outcome> outcome_of(const msg::ToolCall& call, store::CallRow& row);
  Result<tool::Outcome> invoke(const msg::ToolCall& call, store::CallRow& row);
  std::optional<std::string> refusal_of(const store::CallRow& row);
  std::vector<msg::ToolCall> calls_without_result() const;
  std::vector<std::string> known_urls();

  // turn_edges.cc: reply, failure, pages.
  Status finish(std::string reply);
  void persist();
  Result<int> make_pages();
  Status note_exchange(bool remembered);
  Error fail_turn(const Error& error);
  void close_items(const Error& error, store::Change& change);

  const AgentParts& parts_;
  store::Journal& journal_;
  store::TurnRow row_;
  const EventSink& sink_;
  std::stop_source stop_;  // by the caller or by the time limit
  std::stop_callback<std::function<void()>> forward_stop_;
  const std::stop_token asked_to_stop_;
  const SteadyTime start_;

  store::ConversationRow conversation_;
  std::string identity_;
  ToolList tools_;
  Window window_;
  std::vector<NotePage> note_pages_;
  model::Choice choice_;
  std::vector<model::Failed> failed_;  // models that did not answer in this turn
  bool opened_ = false;                // the message stands in the window
  store::Change pending_;              // goes into the next transaction
  Record record_;
  std::vector<std::string> notices_;
  std::vector<std::string> delivered_rows_;
  std::optional<Json> result_;

  int steps_ = 0;
  bool attended_ = true;
  bool last_step_ = false;  // the next model call may not call tools
  bool nudged_ = false;
  bool told_of_repeat_ = false;
  bool thinking_shown_ = false;
  bool text_shown_ = false;  // of the model call that is under way
  bool flush_failed_ = false;
  std::map<std::string, int> repeats_;             // by the hash of name and arguments
  std::map<std::string, store::CallRow> intents_;  // of a crash: INTENT without RESULT, by call id
  std::vector<std::string> spoken_;                // texts of this turn's outputs
};

}  // namespace keel::agent
