#include "agent/agent.h"

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "agent/compaction.h"
#include "agent/context/tool_list.h"
#include "agent/turn.h"
#include "agent/writing/scribe.h"
#include "base/limits.h"
#include "base/text.h"
#include "log/log.h"
#include "memory/memory.h"
#include "memory/render.h"
#include "model/route/router.h"
#include "store/journal.h"

namespace keel::agent {

// One lane for each conversation: turns pass in the order they came, different lanes side by side.
// Any thread.
class Lanes {
 public:
  // A place in a lane; leaves it when destroyed.
  class Place {
   public:
    Place(Lanes& lanes, std::string lane);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    // Until all earlier places have left; false if stopped before.
    bool wait(std::stop_token stop);
    // This turn has a caller in this process, from now until the place is left.
    void carries(const std::string& turn);

   private:
    Lanes& lanes_;
    const std::string lane_;
    std::uint64_t ticket_ = 0;
    std::string turn_;
  };

  bool is_carried(const std::string& turn) const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any left_;
  std::uint64_t next_ = 1;
  std::map<std::string, std::deque<std::uint64_t>> lanes_;
  std::multiset<std::string> carried_;
};

Lanes::Place::Place(Lanes& lanes, std::string lane) : lanes_(lanes), lane_(std::move(lane)) {
  std::lock_guard lock(lanes_.mutex_);
  ticket_ = lanes_.next_++;
  lanes_.lanes_[lane_].push_back(ticket_);
}

Lanes::Place::~Place() {
  {
    std::lock_guard lock(lanes_.mutex_);
    std::deque<std::uint64_t>& lane = lanes_.lanes_[lane_];
    std::erase(lane, ticket_);
    if (lane.empty()) lanes_.lanes_.erase(lane_);
    const auto carried = lanes_.carried_.find(turn_);
    if (carried != lanes_.carried_.end()) lanes_.carried_.erase(carried);
  }
  lanes_.left_.notify_all();
}

bool Lanes::Place::wait(std::stop_token stop) {
  std::unique_lock lock(lanes_.mutex_);
  return lanes_.left_.wait(lock, stop, [&] { return lanes_.lanes_[lane_].front() == ticket_; });
}

void Lanes::Place::carries(const std::string& turn) {
  std::lock_guard lock(lanes_.mutex_);
  turn_ = turn;
  lanes_.carried_.insert(turn);
}

bool Lanes::is_carried(const std::string& turn) const {
  std::lock_guard lock(mutex_);
  return carried_.contains(turn);
}

namespace {

Status check_name(std::string_view what, std::string_view name, std::size_t bytes) {
  if (name.empty() || name.size() > bytes || has_control(name) || !is_valid_utf8(name)) {
    return fail(Code::invalid_argument,
                "'" + printable(name) + "' cannot be the name of a " + std::string(what),
                "Use 1 to " + std::to_string(bytes) + " bytes without control characters.");
  }
  return {};
}

Status check_request(const TurnRequest& request) {
  TRY(check_name("conversation", request.conversation, limits::conversation_name_bytes));
  TRY(check_name("channel", request.channel, limits::conversation_name_bytes));
  if (request.external_id.size() > limits::external_id_bytes) {
    return fail(Code::limit, "the message's id has " + std::to_string(request.external_id.size()) +
                                 " bytes, more than " + std::to_string(limits::external_id_bytes));
  }
  if (request.text.size() > limits::message_bytes) {
    return fail(Code::limit,
                "the message has " + std::to_string(request.text.size()) + " bytes, more than " +
                    std::to_string(limits::message_bytes),
                "Send it in parts, or put it into a file of an allowed folder.");
  }
  if (trim(request.text).empty()) {
    return fail(Code::invalid_argument, "the message is empty", "Write something.");
  }
  return {};
}

// Tells the scribe that a turn of the conversation runs.
class Running {
 public:
  Running(Scribe* scribe, std::string conversation)
      : scribe_(scribe), conversation_(std::move(conversation)) {
    if (scribe_ != nullptr) scribe_->begin();
  }
  ~Running() {
    if (scribe_ != nullptr) scribe_->end(conversation_);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Scribe* const scribe_;
  const std::string conversation_;
};

Json retrieval_json(const memory::Retrieval& retrieval) {
  Json out = memory::search_json(retrieval);
  out["trigger"] = retrieval.trigger;
  out["at"] = iso_time(retrieval.at_ms);
  Json injected = Json::array();
  for (const memory::Hit& hit : retrieval.hits) {
    if (hit.injected) injected.push_back(hit.page_id);
  }
  out["injected"] = std::move(injected);
  return out;
}

}  // namespace

struct Agent::State {
  explicit State(AgentParts p) : parts(std::move(p)), journal(parts.database, parts.clock) {
    if (parts.writes) {
      scribe = std::make_unique<Scribe>(
          ScribeParts{parts.clock, parts.database, journal, parts.router, parts.name});
    }
    if (!parts.compacts) return;
    compaction =
        std::make_unique<Compaction>(parts, journal,
                                     [this](const std::string& conversation, std::stop_token stop,
                                            const std::function<void()>& body) {
                                       Lanes::Place place(lanes, conversation);
                                       if (!place.wait(std::move(stop))) return false;
                                       body();
                                       return true;
                                     });
  }

  Result<Json> replay(const store::TurnRow& row, const EventSink& sink);
  Result<Json> end_unstarted(const store::TurnRow& row, const EventSink& sink);
  Status finish_older(const store::TurnRow& row, std::stop_token stop);
  Result<Json> take_up(store::TurnRow row, const EventSink& sink, std::stop_token stop,
                       bool attended);

  AgentParts parts;
  store::Journal journal;
  Lanes lanes;
  std::unique_ptr<Scribe> scribe;
  std::unique_ptr<Compaction> compaction;  // the last, so that it ends first
};

// A message that came before: its end as it was stored.
Result<Json> Agent::State::replay(const store::TurnRow& row, const EventSink& sink) {
  if (sink) sink(TurnStarted{row.conversation, row.id});
  if (row.state == store::TurnState::failed) {
    const Error error = row.error.value_or(Error{Code::internal, "the turn failed", "", {}});
    if (sink) sink(Failed{error});
    return tl::unexpected<Error>(error);
  }
  Json result = TRY(parse_json(row.result, "the stored result"));
  if (sink) sink(Replied{result});
  return result;
}

// Stopped while it waited for an earlier turn: nothing was said to any model.
Result<Json> Agent::State::end_unstarted(const store::TurnRow& row, const EventSink& sink) {
  Record record;
  record.conversation = row.conversation;
  record.turn = row.id;
  record.stopped = true;
  Json result = record.to_json();
  store::Change change;
  change.turn = row.id;
  change.conversation = row.conversation;
  change.state = store::TurnState::done;
  change.result = dump_json(result);
  change.outbox = store::Change::Outbox{"reply", ""};
  change.delivered = true;
  change.steps.push_back({"stop", R"({"reason":"owner, before it began"})"});
  TRY(journal.apply(change));
  if (sink) {
    sink(TurnStarted{row.conversation, row.id});
    sink(Replied{result});
  }
  return result;
}

// A turn that a crash, or a full disk, left open.
Result<Json> Agent::State::take_up(store::TurnRow row, const EventSink& sink, std::stop_token stop,
                                   bool attended) {
  store::Change change;
  change.turn = row.id;
  change.conversation = row.conversation;
  if (row.attempts >= limits::turn_attempts && row.state != store::TurnState::replied) {
    const Error error{Code::internal,
                      "this message was given up after " + std::to_string(row.attempts) +
                          " attempts that each ended keel",
                      "Send it again in another way; keel.log says what happened.",
                      {}};
    return Turn(parts, journal, std::move(row), sink, stop).give_up(error);
  }
  change.begins_attempt = true;
  change.steps.push_back({"recover", dump_json({{"attempt", row.attempts + 1},
                                                {"state", store::turn_state_name(row.state)}})});
  TRY(journal.apply(change));
  ++row.attempts;
  Turn turn(parts, journal, std::move(row), sink, std::move(stop));
  turn.set_attended(attended);
  return turn.run();
}

// An error of the database may have left an earlier turn of the conversation open while keel went
// on. Its items must be complete before new ones come after them.
Status Agent::State::finish_older(const store::TurnRow& row, std::stop_token stop) {
  for (store::TurnRow& open : TRY(journal.open_turns())) {
    if (open.number >= row.number) break;
    if (open.conversation != row.conversation || lanes.is_carried(open.id)) continue;
    const std::string id = open.id;
    Result<Json> done = take_up(std::move(open), {}, stop, false);
    if (!done) log::warn("agent", "turn {}: {}", id, done.error().text());
  }
  return {};
}

Agent::Agent(AgentParts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Agent::~Agent() = default;

Result<std::string> identity_of(const AgentParts& parts) {
  return parts.memory.identity_text(parts.name, parts.router.route().private_names);
}

Result<Json> Agent::run(const TurnRequest& request, const EventSink& sink, std::stop_token stop) {
  State& state = *state_;
  TRY(check_request(request));
  if (!request.model.empty()) TRY(state.parts.router.find(request.model));
  const bool valid = is_valid_utf8(request.text) && request.text.find('\0') == std::string::npos;
  const std::string text = valid ? request.text : to_valid_utf8(request.text);

  auto place = std::make_unique<Lanes::Place>(state.lanes, request.conversation);
  store::NewMessage message{.channel = request.channel,
                            .account = "",
                            .conversation = request.conversation,
                            .external_id = to_valid_utf8(request.external_id),
                            .text = text,
                            .wish = request.model};
  const store::Accepted accepted = TRY(state.journal.accept(message));
  if (accepted.conversation != request.conversation) {
    place.reset();
    place = std::make_unique<Lanes::Place>(state.lanes, accepted.conversation);
  }
  place->carries(accepted.turn);
  const bool in_turn = place->wait(stop);
  store::TurnRow row = TRY(state.journal.turn(accepted.turn));
  const bool ended = row.state == store::TurnState::done || row.state == store::TurnState::failed;
  if (ended) return state.replay(row, sink);
  if (!in_turn) {
    if (accepted.fresh) return state.end_unstarted(row, sink);
    return fail(Code::cancelled, "stopped while an earlier delivery of this message is answered");
  }
  const Running running(state.scribe.get(), accepted.conversation);
  TRY(state.finish_older(row, stop));
  if (!accepted.fresh) return state.take_up(std::move(row), sink, stop, true);
  Turn turn(state.parts, state.journal, std::move(row), sink, stop);
  if (!valid) turn.tell("The message had bytes that are not valid UTF-8; they were replaced.");
  Result<Json> result = turn.run();
  if (result && state.compaction) {
    state.compaction->consider(accepted.conversation, accepted.turn, turn.model(),
                               turn.context_tokens());
  }
  return result;
}

Result<Recovered> Agent::recover(const EventSink& sink, std::stop_token stop) {
  Recovered recovered;
  for (store::TurnRow& open : TRY(state_->journal.open_turns())) {
    if (stop.stop_requested()) break;
    Lanes::Place place(state_->lanes, open.conversation);
    place.carries(open.id);
    if (!place.wait(stop)) break;
    const store::TurnRow row = TRY(state_->journal.turn(open.id));
    if (row.state == store::TurnState::done || row.state == store::TurnState::failed) continue;
    const Result<Json> done = state_->take_up(row, sink, stop, false);
    if (done) {
      ++recovered.finished;
      continue;
    }
    const store::TurnRow after = TRY(state_->journal.turn(open.id));
    if (after.state != store::TurnState::failed)
      return pass(done.error());  // it could not be recorded
    ++recovered.failed;
  }
  return recovered;
}

Result<Json> Agent::why(const std::string& turn) {
  memory::Memory& memory = state_->parts.memory;
  const std::string id = turn.empty() ? TRY(memory.latest_turn()) : turn;
  if (id.empty()) {
    return fail(Code::not_found, "there is no turn yet", "Ask something first.");
  }
  const std::vector<memory::Retrieval> retrievals = TRY(memory.why(id));
  Json out = {{"turn", id}};
  if (Result<store::TurnRow> row = state_->journal.turn(id)) {
    Record record;
    TRY(record.read_steps(TRY(state_->journal.steps(id))));
    out["conversation"] = row->conversation;
    out["model"] = record.model;
    out["route"] = {{"rule", record.rule}, {"reason", record.reason}};
  } else if (retrievals.empty()) {
    return pass(row.error());
  }
  out["retrievals"] = Json::array();
  for (const memory::Retrieval& retrieval : retrievals) {
    out["retrievals"].push_back(retrieval_json(retrieval));
  }
  out["text"] = memory::why_text(retrievals);
  return out;
}

Result<Json> Agent::status() {
  const std::string current = state_->parts.router.current();
  Json models = Json::array();
  for (const model::Info& info : state_->parts.router.infos()) {
    models.push_back({{"name", info.name},
                      {"kind", info.kind},
                      {"description", info.description},
                      {"current", info.name == current}});
  }
  return Json{{"agent", state_->parts.name},
              {"model", current},
              {"models", std::move(models)},
              {"daemon", false}};
}

Status Agent::use_model(const std::string& name) {
  return state_->parts.router.use(name);
}

Status Agent::prepare(const std::string& conversation, const EventSink& sink,
                      std::stop_token stop) {
  State& state = *state_;
  model::Needs needs;
  needs.conversation = conversation;
  needs.channel = "terminal";
  const model::Choice choice = TRY(state.parts.router.choose(needs));
  if (choice.elsewhere) return {};
  const store::ConversationRow row = TRY(state.journal.conversation(conversation));
  const std::string system =
      row.system.empty() ? system_text(TRY(identity_of(state.parts))) : row.system;
  model::Request next;
  next.conversation = conversation;
  next.items = TRY(Window::load(state.journal, row)).items(system, choice.name);
  const ToolList tools(row, state.parts.tools.specs());
  next.tools = tools.now();
  next.shown_tools = tools.shown();
  const model::Sink progress = [&](const model::StreamEvent& event) {
    const auto* step = std::get_if<model::Progress>(&event);
    if (step != nullptr && sink) sink(Progress{step->phase, step->done, step->total});
  };
  return choice.model->prepare(next, progress, stop);
}

}  // namespace keel::agent
