#include "agent/compaction.h"

#include <utility>

#include "agent/context/context.h"
#include "agent/context/tool_list.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "log/log.h"
#include "memory/memory.h"
#include "model/route/router.h"
#include "store/journal.h"
#include "tool/registry.h"

namespace keel::agent {
namespace {

constexpr std::string_view request_text =
    "[Note from keel, not the owner's words. This conversation is getting long. Write down in at "
    "most 120 words what has to be known to go on with it: what was answered, what was decided, "
    "what "
    "was found out, with names, dates and amounts, and what is still to do. Plain sentences about "
    "the matter, no advice, no greeting and no comment.]";

// Names of conversations have no control characters, so these are nobody else's.
std::string summary_key(const std::string& conversation) {
  return conversation + "\x1fsummary";
}
std::string next_key(const std::string& conversation) {
  return conversation + "\x1fnext";
}

}  // namespace

Compaction::Compaction(const AgentParts& parts, store::Journal& journal, BetweenTurns between_turns)
    : parts_(parts),
      journal_(journal),
      between_turns_(std::move(between_turns)),
      jobs_(limits::compactions_waiting),
      worker_(rt::start_thread("keel-compact", [this](std::stop_token stop) {
        while (const std::optional<Job> job = jobs_.pop(stop)) {
          const Status done = compact(*job, stop);
          if (!done && !stop.stop_requested())
            log::warn("agent", "conversation {} was not made shorter: {}", job->conversation,
                      done.error().text());
        }
      })) {}

Compaction::~Compaction() = default;

void Compaction::consider(const std::string& conversation, const std::string& turn,
                          const std::string& model, std::int64_t tokens) {
  const Result<model::Model*> found = parts_.router.find(model);
  if (!found) return;
  const model::Info info = (*found)->info();
  // Not with models that cost money: nobody asked for this answer.
  if (info.kind != "local" && info.kind != "script") return;
  if (info.context <= 0 ||
      static_cast<double>(tokens) < limits::compact_above * static_cast<double>(info.context))
    return;
  (void)jobs_.push({conversation, turn, model});  // full: the next turn asks again
}

Status Compaction::compact(const Job& job, std::stop_token stop) {
  model::Model& model = *TRY(parts_.router.find(job.model));
  const store::ConversationRow row = TRY(journal_.conversation(job.conversation));
  Window window = TRY(Window::load(journal_, row));
  const std::optional<Window::Dropped> older = window.older_turns(limits::compact_keep);
  if (!older) return {};

  model::Request request;
  request.conversation = summary_key(job.conversation);
  request.items = window.items(row.system, job.model);
  request.items.push_back(msg::text_item(msg::Role::user, std::string(request_text)));
  // The same beginning as the turns, evaluated already.
  const ToolList tools(row, parts_.tools.specs());
  request.tools = tools.now();
  request.shown_tools = tools.shown();
  request.tool_choice = model::ToolChoice::none;
  request.max_tokens = limits::summary_tokens;
  request.priority = model::Priority::background;
  const model::Response answer = TRY(model.generate(request, {}, stop));
  const std::string text(trim(to_valid_utf8(msg::plain_text(answer.item))));
  if (answer.stop == model::StopReason::cancelled) return {};
  if (text.empty()) return fail(Code::unavailable, "the model wrote no summary");

  // The prefix has to be read again anyway, so what changed of the identity goes into it.
  const std::string identity = TRY(identity_of(parts_));
  const std::string system = system_text(identity);
  const Summary summary = window.summed_up(*older, text);
  window.replace_older(*older, summary);
  model::Request next;
  next.conversation = next_key(job.conversation);
  next.items = window.items(system, job.model);
  next.tools = tools.now();
  next.priority = model::Priority::background;
  TRY(model.prepare(next, {}, stop));

  Status applied;
  between_turns_(job.conversation, stop, [&] {
    const auto now = journal_.conversation(job.conversation);
    if (!now || now->window_start >= older->window_start) return;  // it was cut meanwhile
    store::Change change;
    change.turn = job.turn;
    change.conversation = job.conversation;
    change.window_start = older->window_start;
    change.summary = summary.row();
    change.prefix = store::Prefix{system, sha256_hex(identity), tools.json()};
    change.steps.push_back({"compact", dump_json({{"turns", older->turns},
                                                  {"window_start", older->window_start},
                                                  {"summary_bytes", summary.text.size()}})});
    const auto written = journal_.apply(change);
    if (!written) applied = pass(written.error());
  });
  TRY(std::move(applied));
  // The turns that came while it was made are read ahead too.
  const store::ConversationRow shorter = TRY(journal_.conversation(job.conversation));
  next.items = TRY(Window::load(journal_, shorter)).items(system, job.model);
  return model.prepare(next, {}, stop);
}

}  // namespace keel::agent
