#include "agent/writing/scribe.h"

#include <optional>
#include <utility>
#include <vector>

#include "agent/writing/usage_row.h"
#include "base/json.h"
#include "log/log.h"
#include "memory/writing/day_page.h"
#include "memory/writing/extraction.h"
#include "store/journal.h"

namespace keel::agent {
namespace {

constexpr auto kTick = std::chrono::milliseconds(500);

}  // namespace

Scribe::Scribe(ScribeParts parts)
    : parts_(std::move(parts)),
      ledger_(parts_.database, parts_.clock),
      last_(std::chrono::steady_clock::now()),
      worker_(rt::start_thread("keel-scribe",
                               [this](std::stop_token stop) { run(std::move(stop)); })) {}

Scribe::~Scribe() {
  worker_.request_stop();
  worker_.join();
  if (const Result<int> written = write_days(); !written)
    log::warn("agent", "the page of the day was not written: {}", written.error().text());
}

void Scribe::begin() {
  const std::lock_guard lock(mutex_);
  ++running_;
  last_ = std::chrono::steady_clock::now();
}

void Scribe::end(const std::string& conversation) {
  const std::lock_guard lock(mutex_);
  --running_;
  last_ = ended_[conversation] = std::chrono::steady_clock::now();
  waits_ = true;
  changed_.notify_all();
}

bool Scribe::is_idle_for(std::chrono::milliseconds time) const {
  return running_ == 0 && std::chrono::steady_clock::now() - last_ >= time;
}

void Scribe::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    bool may_extract = false;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return waits_; })) return;
      changed_.wait_for(lock, stop, kTick, [] { return false; });
      if (stop.stop_requested()) return;
      may_extract = is_idle_for(parts_.extract_quiet);
    }
    if (const Status written = write_quiet_days(); !written)
      log::warn("agent", "the page of the day was not written: {}", written.error().text());
    if (!may_extract) continue;
    const Result<bool> more = extract_next(stop);
    if (!more && !stop.stop_requested())
      log::warn("agent", "nothing was looked for in what was said: {}", more.error().text());
    if (more && *more) continue;
    std::unique_lock lock(mutex_);
    // What cannot be looked at now is tried again after the next turn, or after a while.
    const bool quiet = is_idle_for(parts_.quiet + kTick);
    if (more && quiet) waits_ = false;
    if (!more) changed_.wait_for(lock, stop, limits::extract_pause, [] { return false; });
  }
}

// Those of conversations that have been quiet, that have much to write, or whose day is over.
Status Scribe::write_quiet_days() {
  const std::vector<memory::Exchange> waiting = TRY(ledger_.for_journal(limits::writing_batch));
  if (waiting.empty()) return {};
  std::map<std::string, std::size_t> counts;
  for (const memory::Exchange& exchange : waiting) ++counts[exchange.session];
  const std::string today = local_day(parts_.clock.wall_ms());
  std::vector<memory::Ledger::Entry> entries;
  for (const memory::Exchange& exchange : waiting) {
    {
      const std::lock_guard lock(mutex_);
      const auto ended = ended_.find(exchange.session);
      const Steady since = ended == ended_.end() ? last_ : ended->second;
      if (std::chrono::steady_clock::now() - since < parts_.quiet && exchange.day == today &&
          counts[exchange.session] < limits::writing_waiting)
        continue;
    }
    entries.push_back(TRY(entry_for(exchange)));
  }
  if (!entries.empty()) TRY(ledger_.write_entries(std::move(entries)));
  return {};
}

Result<int> Scribe::write_days() {
  int written = 0;
  while (true) {
    const std::vector<memory::Exchange> waiting = TRY(ledger_.for_journal(limits::writing_batch));
    if (waiting.empty()) return written;
    std::vector<memory::Ledger::Entry> entries;
    for (const memory::Exchange& exchange : waiting) entries.push_back(TRY(entry_for(exchange)));
    written += TRY(ledger_.write_entries(std::move(entries)));
  }
}

Result<memory::Ledger::Entry> Scribe::entry_for(const memory::Exchange& exchange) {
  memory::Ledger::Entry entry{exchange, {}};
  Result<store::TurnRow> row = parts_.journal.turn(exchange.turn);
  if (!row && row.error().code == Code::not_found) return entry;
  if (!row) return pass(row.error());
  memory::Spoken spoken;
  spoken.turn = exchange.turn;
  spoken.at_ms = exchange.at_ms;
  spoken.owner = row->text;
  spoken.tainted = exchange.tainted;
  if (const Result<Json> result = parse_json(row->result, "the stored result")) {
    spoken.reply = json_string_or(*result, "reply", "");
    const auto tools = result->find("tools");
    spoken.used_tools = tools != result->end() && tools->is_array() && !tools->empty();
  }
  if (memory::is_worth_an_entry(spoken)) entry.text = memory::entry_of(spoken, parts_.agent_name);
  return entry;
}

Result<bool> Scribe::extract_next(std::stop_token stop) {
  const std::vector<memory::Exchange> waiting = TRY(ledger_.for_extraction(1));
  if (waiting.empty()) return false;
  const memory::Exchange& exchange = waiting.front();
  const Result<store::TurnRow> row = parts_.journal.turn(exchange.turn);
  if (!row || !memory::may_hold_more(row->text)) {
    TRY(ledger_.pass_over(exchange.turn, row ? "nothing beyond the rules" : "no such turn"));
    return true;
  }
  const std::optional<model::Choice> choice =
      TRY(extracting_model(parts_.router, exchange.session, !exchange.tags.empty()));
  if (!choice) {
    TRY(ledger_.pass_over(exchange.turn, "no model that may be asked"));
    return true;
  }
  const Result<Extraction> found =
      extract(parts_.router, *choice, row->text, exchange.turn, model::Priority::background, stop);
  if (!found) {
    if (found.error().code == Code::cancelled) return false;
    TRY(ledger_.failed(exchange, found.error().message));
    return pass(found.error());
  }
  // Before the pages: what it cost is true also where a kill comes between.
  TRY(record(*row, *found));
  TRY(ledger_.write_found(exchange, found->pages, found->model));
  return true;
}

Status Scribe::record(const store::TurnRow& row, const Extraction& found) {
  store::Change change;
  change.turn = row.id;
  change.conversation = row.conversation;
  change.steps.push_back({"extract", dump_json({{"model", found.model},
                                                {"pages", found.pages.size()},
                                                {"ms", found.timings.total_ms}})});
  store::UsageRow usage = usage_row(found.model, found.usage, found.timings);
  usage.turn = row.id;
  usage.conversation = row.conversation;
  change.usage.push_back(std::move(usage));
  TRY(parts_.journal.apply(change));
  return {};
}

}  // namespace keel::agent
