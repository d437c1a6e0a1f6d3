// How a turn begins (recall, route, the first prompt) and how it ends (reply, failure, pages).
#include <algorithm>
#include <utility>

#include "agent/turn.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "log/log.h"
#include "memory/memory.h"
#include "memory/writing/day_page.h"
#include "memory/writing/ledger.h"
#include "model/route/needs.h"

namespace keel::agent {
namespace {

constexpr int undelivered_shown = 4;

bool is_in_text(const memory::Hit& hit) {
  return std::any_of(hit.contributions.begin(), hit.contributions.end(),
                     [](const memory::Contribution& part) { return part.field == "body"; });
}

}  // namespace

Status Turn::open() {
  recall();
  TRY(route());
  const std::string hash = sha256_hex(identity_);
  const Note note = make_note(hash);
  const bool frozen = !conversation_.system.empty();
  if (!frozen) {
    conversation_.system = system_text(identity_);
    pending_.prefix = store::Prefix{conversation_.system, hash, tools_.json()};
  } else {
    if (!note.new_identity.empty()) pending_.announced = hash;
    if (conversation_.tools.empty()) {
      pending_.prefix =
          store::Prefix{conversation_.system, conversation_.identity_hash, tools_.json()};
    }
  }
  const std::string told = tools_.announcement();
  if (!told.empty()) pending_.tools_told = tools_.json();
  policy::Label label;
  for (const NotePage& page : note.pages) {
    label.confidentiality =
        std::max(label.confidentiality, page.is_private ? policy::Confidentiality::secret
                                                        : policy::Confidentiality::personal);
  }
  if (is_private_conversation()) label.confidentiality = policy::Confidentiality::secret;
  append(user_item(row_.text, note, told), label);
  add_step("context", {{"items", window_.entries().size()},
                       {"window_start", conversation_.window_start},
                       {"refrozen", !frozen}});
  pending_.state = store::TurnState::running;
  TRY(flush());
  row_.state = store::TurnState::running;
  opened_ = true;
  tell_undelivered();
  for (std::string& notice : notices_) say(std::move(notice));
  return {};
}

// Memory that cannot be searched makes the answer poorer, not impossible.
void Turn::recall() {
  memory::Query query;
  query.text = row_.text;
  query.trigger = "turn";
  query.turn = row_.id;
  query.session = row_.conversation;
  query.limit = limits::recall_pages;
  query.trusted_only = true;
  Result<memory::Retrieval> found = parts_.memory.search(query);
  if (!found) {
    log::warn("agent", "turn {}: no recall: {}", row_.id, found.error().text());
    tell("Memory could not be searched: " + found.error().message);
    found = memory::Retrieval{};
  }
  record_.retrieval = found->id;
  for (const memory::Hit& hit : found->hits) {
    NotePage page{hit.page_id, hit.title, hit.snippet, false};
    if (const Result<memory::Page> whole = parts_.memory.get(hit.page_id)) {
      if (whole->body.size() <= limits::recall_page_bytes) page.text = whole->body;
      // A day that was asked for as such, not by a word of it.
      else if (whole->kind == "journal" && !is_in_text(hit))
        page.text = memory::digest_of_day(whole->body, limits::day_digest_bytes);
      page.is_private = memory::has_tag(*whole, parts_.router.route().private_names);
    }
    page.text = shorten(page.text, limits::recall_page_bytes);
    note_pages_.push_back(std::move(page));
    Json terms = Json::array();
    for (const memory::Contribution& part : hit.contributions) {
      terms.push_back({{"term", part.term}, {"field", part.field}, {"value", part.value}});
    }
    record_.pages.push_back({hit.page_id, hit.title, hit.score, std::move(terms)});
  }
}

// Those that the chosen model may see.
void Turn::show_pages() {
  if (choice_.withholds) {
    std::erase_if(note_pages_, [&](const NotePage& page) {
      if (!page.is_private) return false;
      std::erase_if(record_.pages, [&](const RecalledPage& one) { return one.id == page.id; });
      return true;
    });
  }
  std::vector<std::string> shown;
  for (const NotePage& page : note_pages_) shown.push_back(page.id);
  if (!shown.empty()) {
    if (Status marked = parts_.memory.mark_injected(record_.retrieval, shown); !marked) {
      log::warn("agent", "turn {}: pages not marked as shown: {}", row_.id, marked.error().text());
    }
  }
  pending_.steps.push_back({"recall", record_.recall_step()});
  emit(Recalled{record_.retrieval, record_.pages});
}

bool Turn::is_private_conversation() const {
  const std::vector<std::string>& names = parts_.router.route().private_names;
  return std::find(names.begin(), names.end(), row_.conversation) != names.end();
}

// What this answer needs, the words that stand in the window already included.
model::Needs Turn::needs() const {
  model::Request request;
  request.items = window_.items(conversation_.system, "");
  request.tools = parts_.tools.specs();
  request.max_tokens = limits::turn_call_tokens;
  if (!opened_) request.items.push_back(msg::text_item(msg::Role::user, row_.text));
  request.ends_with_note = ends_with_note(request.items.back());
  model::Needs needs = model::needs_of(request);
  for (const NotePage& page : note_pages_) {
    needs.prompt_bytes += static_cast<std::int64_t>(page.text.size());
  }
  // Before the first turn the frozen beginning is not made yet.
  if (conversation_.system.empty()) {
    needs.prompt_bytes += static_cast<std::int64_t>(system_text(identity_).size());
  }
  needs.wish = row_.wish;
  needs.channel = row_.channel;
  needs.conversation = row_.conversation;
  needs.failed = failed_;
  const bool page = std::any_of(note_pages_.begin(), note_pages_.end(),
                                [](const NotePage& one) { return one.is_private; });
  if (is_private_conversation() || window_.is_secret(row_.id)) {
    needs.privacy = model::Privacy::whole;
  } else if (page || window_.label().confidentiality == policy::Confidentiality::secret) {
    needs.privacy = model::Privacy::pages;
  }
  return needs;
}

// The decision is a row with the next transaction; nobody is asked before that is on the disk.
Status Turn::route() {
  go_on_with(TRY(parts_.router.choose(needs(), row_.id)));
  return {};
}

void Turn::go_on_with(model::Choice choice) {
  choice_ = std::move(choice);
  record_.model = choice_.name;
  record_.rule = choice_.rule;
  record_.reason = choice_.reason;
  if (!opened_) show_pages();
  pending_.model = choice_.name;
  add_step("route", model::to_json(choice_.decision));
  emit(Routed{choice_.name, choice_.rule, choice_.reason});
}

// Another model goes on with the turn as it stands in its rows, so no tool runs again. False if
// there is none, or if the error says nothing about the model.
Result<bool> Turn::fall_back(const Error& error) {
  const bool too_long = error.code == Code::limit;
  if (!too_long && !model::is_models_fault(error)) return false;
  if (flush_failed_ || std::ssize(failed_) >= limits::route_fallbacks) return false;
  const model::Choice before = choice_;
  failed_.push_back({choice_.name, error.message});
  Result<model::Choice> next = parts_.router.choose(needs(), row_.id);
  if (!next) return false;
  if (too_long && before.model->info().context > 0 && next->model->info().context > 0 &&
      next->model->info().context <= before.model->info().context) {
    return false;
  }
  add_step("fallback", {{"model", before.name}, {"why", error.message}});
  go_on_with(std::move(*next));
  say((text_shown_ ? before.name + " broke off (" + error.message +
                         "). What it had begun to say "
                         "does not count; "
                   : before.name + " did not answer (" + error.message + "). ") +
      choice_.name + " goes on.");
  TRY(flush());
  return true;
}

// A model elsewhere is shown what tools find only if it was chosen for private content.
bool Turn::may_show_private() const {
  return !choice_.elsewhere || (!choice_.withholds && choice_.decision.needs.contains("private"));
}

// Which pages leave the machine with the next request.
std::vector<std::string> Turn::pages_in_prompt() {
  std::vector<std::string> pages;
  std::string last;
  for (const Window::Entry& entry : window_.entries()) {
    if (entry.turn == last) continue;
    last = entry.turn;
    if (choice_.withholds && last != row_.id && !window_.is_before_secret(last)) continue;
    const Result<std::vector<memory::Retrieval>> retrievals = parts_.memory.why(last);
    if (!retrievals) continue;
    for (const memory::Retrieval& retrieval : *retrievals) {
      for (const memory::Hit& hit : retrieval.hits) {
        const bool known = std::find(pages.begin(), pages.end(), hit.page_id) != pages.end();
        if (hit.injected && !known) pages.push_back(hit.page_id);
      }
    }
  }
  return pages;
}

Note Turn::make_note(const std::string& identity_hash) {
  Note note;
  // Also when a crash delayed the turn, "today" is the owner's today. Told once a day: a note costs
  // its tokens, and a small model looks for tools because of it.
  note.day = day_text(row_.received_ms, row_.channel);
  if (window_.has_told(note.day)) note.day.clear();
  note.pages = std::move(note_pages_);
  if (!conversation_.system.empty() && conversation_.identity_hash != identity_hash) {
    note.new_identity = identity_;
  }
  return note;
}

// Answers that were finished after a crash, when nobody was there to see them.
void Turn::tell_undelivered() {
  if (!attended_ || !is_shown_by_caller(row_.channel)) return;
  Result<std::vector<store::OutboxRow>> rows =
      journal_.pending(row_.channel, row_.conversation, undelivered_shown);
  if (!rows) return;
  for (const store::OutboxRow& row : *rows) {
    if (row.turn == row_.id) continue;
    delivered_rows_.push_back(row.id);
    if (row.text.empty()) continue;
    say((row.kind == "reply" ? "Answered while you were away: " : "Failed while you were away: ") +
        row.text);
  }
}

Status Turn::finish(std::string reply) {
  record_.reply = std::move(reply);
  record_.stopped = asked_to_stop_.stop_requested();
  if (record_.stopped) add_step("stop", {{"reason", "owner"}});
  if (!record_.stopped && stopping()) {
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(limits::turn_time);
    say("The turn was ended after " + std::to_string(minutes.count()) + " minutes.");
    add_step("stop", {{"reason", "time"}});
    record_.stopped = true;
  }
  record_.total_ms = ms_between(start_, parts_.clock.steady());
  Json result = record_.to_json();
  pending_.outbox = store::Change::Outbox{"reply", record_.reply};
  pending_.result = dump_json(result);
  pending_.state = store::TurnState::replied;
  TRY(flush());
  row_.state = store::TurnState::replied;
  result_ = std::move(result);
  emit(Replied{*result_});
  return {};
}

// After the reply, so that it delays nothing. What fails here is done again by the next start.
void Turn::persist() {
  if (!record_.pages.empty()) {
    if (Status marked = parts_.memory.mark_cited(record_.retrieval, record_.reply); !marked)
      log::warn("agent", "turn {}: {}", row_.id, marked.error().text());
  }
  pending_.delivered = attended_ && is_shown_by_caller(row_.channel);
  pending_.delivered_rows = std::move(delivered_rows_);
  const Result<int> made = make_pages();
  if (made) {
    if (*made > 0) add_step("persist", {{"pages", *made}});
    pending_.state = store::TurnState::done;
  } else {
    log::warn("agent", "turn {}: no page was made of it: {}", row_.id, made.error().text());
    add_step("persist", {{"error", made.error().message}});
    // Tried again a few times, not at every start for ever.
    if (row_.attempts >= limits::turn_attempts) pending_.state = store::TurnState::done;
  }
  if (Status flushed = flush(); !flushed) {
    log::warn("agent", "turn {} stays open: {}", row_.id, flushed.error().text());
  }
}

// Pages by the rules of memory, unless the model has remembered something itself. An equal page is
// merged, so doing it twice does no harm.
Result<int> Turn::make_pages() {
  const bool remembered =
      std::any_of(record_.calls.begin(), record_.calls.end(), [&](const store::CallRow& call) {
        const tool::Tool* tool = parts_.tools.find(call.name);
        return !call.is_error && tool != nullptr && tool->sink() == policy::Sink::memory_write;
      });
  if (parts_.writes) TRY(note_exchange(remembered));
  if (remembered) return 0;
  int made = 0;
  for (memory::NewPage& page : memory::significant(row_.text, row_.id)) {
    page.session = row_.conversation;
    if (is_private_conversation()) page.tags.push_back(row_.conversation);
    TRY(parts_.memory.add(page));
    ++made;
  }
  return made;
}

// What the scribe is to write down later (writing/scribe.h).
Status Turn::note_exchange(bool remembered) {
  const policy::Label label = window_.label();
  memory::Exchange exchange;
  exchange.turn = row_.id;
  exchange.session = row_.conversation;
  exchange.at_ms = row_.received_ms;
  exchange.tainted = label.integrity >= policy::Integrity::paired;
  exchange.extract = !remembered;
  // As private as what was said in their company.
  const std::vector<std::string>& names = parts_.router.route().private_names;
  if (is_private_conversation())
    exchange.tags = {row_.conversation};
  else if (label.confidentiality == policy::Confidentiality::secret && !names.empty())
    exchange.tags = {names.front()};
  return memory::Ledger(parts_.database, parts_.clock).note(exchange);
}

Result<Json> Turn::give_up(const Error& error) {
  attended_ = false;
  emit(TurnStarted{row_.conversation, row_.id});
  TRY(load());
  return tl::unexpected<Error>(fail_turn(error));
}

Error Turn::fail_turn(const Error& error) {
  store::Change change;
  change.turn = row_.id;
  change.conversation = row_.conversation;
  if (row_.state == store::TurnState::replied) return error;  // the reply stands
  change.state = store::TurnState::failed;
  change.error = error;
  change.outbox = store::Change::Outbox{"failure", error.text()};
  close_items(error, change);
  log::warn("agent", "turn {} failed: {}", row_.id, error.text());
  if (Result<std::int64_t> applied = journal_.apply(change); !applied) {
    log::error("agent", "turn {} stays open: {}", row_.id, applied.error().text());
    emit(Failed{error});
    return error;
  }
  emit(Failed{error});
  if (!attended_ || !is_shown_by_caller(row_.channel)) return error;
  store::Change delivered;
  delivered.turn = row_.id;
  delivered.conversation = row_.conversation;
  delivered.delivered = true;
  delivered.delivered_rows = std::move(delivered_rows_);
  if (Result<std::int64_t> applied = journal_.apply(delivered); !applied) {
    log::warn("agent", "turn {}: {}", row_.id, applied.error().text());
  }
  return error;
}

// The next prompt must hold neither a message without an answer nor a call without a result.
void Turn::close_items(const Error& error, store::Change& change) {
  std::vector<msg::ToolCall> open;
  bool answered = false, told_identity = false, told_tools = false;
  for (const Window::Entry& entry : window_.entries()) {
    // What was not committed yet is not in the journal and must not be referred to.
    if (entry.turn != row_.id || entry.position < 0) continue;
    told_identity = told_identity || tells_identity(entry.item);
    told_tools = told_tools || tells_tools(entry.item);
    if (entry.item.role == msg::Role::assistant) {
      answered = true;
      open = msg::tool_calls(entry.item);
    }
    for (const msg::Block& block : entry.item.blocks) {
      const auto* result = std::get_if<msg::ToolResult>(&block);
      if (result == nullptr) continue;
      std::erase_if(open, [&](const msg::ToolCall& call) { return call.id == result->call_id; });
    }
  }
  if (!answered) {
    change.hide_items = true;
    // What they told is to be told again.
    if (told_identity) change.announced = "";
    if (told_tools) change.tools_told = "";
    return;
  }
  const auto add = [&](const msg::Item& item) {
    change.items.push_back({dump_json(msg::to_json(item))});
  };
  for (const msg::ToolCall& call : open) {
    add({msg::Role::tool,
         {msg::ToolResult{call.id, call.name, "outcome unknown: the turn failed", true}}});
  }
  add(msg::text_item(msg::Role::assistant,
                     "[This turn ended without an answer: " + printable(error.message) + "]"));
}

}  // namespace keel::agent
