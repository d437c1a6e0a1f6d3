#include <algorithm>
#include <set>
#include <utility>

#include "agent/turn.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"

namespace keel::agent {
namespace {

// The same call whatever the spaces in its arguments.
std::string hash_of(const msg::ToolCall& call) {
  Result<Json> arguments = parse_json(call.arguments, "arguments");
  return sha256_hex(call.name + "\n" + (arguments ? dump_json(*arguments) : call.arguments));
}

std::string summary_of(const std::string& text) {
  const std::string_view trimmed = trim(text);
  return shorten(trimmed.substr(0, trimmed.find('\n')), limits::tool_summary_bytes);
}

}  // namespace

// In order. The RESULT of one goes into the transaction of the next one's INTENT; between them only
// checks run.
Status Turn::run_calls(const std::vector<msg::ToolCall>& calls) {
  for (const msg::ToolCall& call : calls) TRY(run_call(call));
  return flush();
}

Status Turn::run_call(const msg::ToolCall& call) {
  emit(ToolStarted{call.id, call.name, call.arguments});
  store::CallRow row;
  row.call_id = call.id;
  row.name = call.name;
  row.arguments = call.arguments;
  row.args_hash = hash_of(call);
  const tool::Tool* tool = parts_.tools.find(call.name);
  row.effect = tool == nullptr ? "none" : std::string(tool::effect_name(tool->effect()));

  const SteadyTime start = parts_.clock.steady();
  tool::Outcome outcome = TRY(outcome_of(call, row));
  row.ms = ms_between(start, parts_.clock.steady());
  outcome.text = shorten(to_valid_utf8(outcome.text), limits::tool_result_bytes);
  row.has_result = true;
  row.is_error = outcome.is_error;
  row.outcome = outcome.text;
  row.integrity = policy::integrity_name(outcome.integrity);
  row.confidentiality = policy::confidentiality_name(outcome.confidentiality);

  emit(ToolFinished{call.id, call.name, call.arguments, !outcome.is_error, row.ms,
                    summary_of(outcome.text)});
  append({msg::Role::tool, {msg::ToolResult{call.id, call.name, outcome.text, outcome.is_error}}},
         {outcome.integrity, outcome.confidentiality});
  record_.calls.push_back(row);
  pending_.results.push_back(std::move(row));
  return {};
}

Result<tool::Outcome> Turn::outcome_of(const msg::ToolCall& call, store::CallRow& row) {
  const auto before = intents_.find(call.id);
  if (before != intents_.end() && before->second.effect == "unsafe") {
    return tool::Outcome{
        "outcome unknown: keel was interrupted while this call ran, so it may or "
        "may not have had its effect. It was not run again. Tell the owner.",
        true};
  }
  if (stopping()) return tool::Outcome{"not done: the turn was stopped", true};
  // A call that a crash interrupted was counted in when it was made first.
  if (before == intents_.end()) {
    if (std::optional<std::string> refusal = refusal_of(row)) {
      return tool::Outcome{std::move(*refusal), true};
    }
  }
  return invoke(call, row);
}

std::optional<std::string> Turn::refusal_of(const store::CallRow& row) {
  if (std::ssize(record_.calls) >= limits::turn_tool_calls) {
    if (!last_step_) {
      say("The limit of " + std::to_string(limits::turn_tool_calls) +
          " tool calls in a turn was reached.");
      add_step("limit", {{"reason", "tool calls"}});
    }
    last_step_ = true;
    return "not done: too many tool calls in this turn; answer with what there is";
  }
  if (++repeats_[row.args_hash] < limits::turn_repeats) return std::nullopt;
  if (!told_of_repeat_) {
    told_of_repeat_ = true;
    add_step("repeat", {{"reason", row.name}});
    return "not done: you made this very call " + std::to_string(limits::turn_repeats - 1) +
           " times in this turn already. Use its result above, or answer the owner.";
  }
  if (!last_step_) {
    say("The model kept repeating the same call of " + row.name + "; it was told to answer.");
    add_step("limit", {{"reason", "repeats"}});
  }
  last_step_ = true;
  return "not done: the same call again; answer the owner now";
}

Result<tool::Outcome> Turn::invoke(const msg::ToolCall& call, store::CallRow& row) {
  tool::Context context{.clock = parts_.clock,
                        .memory = parts_.memory,
                        .net = parts_.net,
                        .folders = parts_.folders,
                        .conversation = row_.conversation,
                        .turn = row_.id,
                        .owner_text = row_.text,
                        .known_urls = known_urls(),
                        .private_tags = parts_.router.route().private_names,
                        .shows_private = may_show_private(),
                        .stop = stop_.get_token()};
  // The INTENT row, and with it the output that holds the call: on the disk before the effect.
  const auto checked = [&]() -> Status {
    pending_.intents.push_back(row);
    return flush();
  };
  Result<tool::Outcome> outcome =
      parts_.tools.invoke({call.name, call.arguments, window_.label()}, context, checked);
  if (outcome || flush_failed_) return outcome;
  if (outcome.error().code == Code::cancelled) {
    return tool::Outcome{"not finished: the turn was stopped", true};
  }
  return tool::Outcome{outcome.error().text(), true};
}

// Of the last output of this turn; what a crash left to be done.
std::vector<msg::ToolCall> Turn::calls_without_result() const {
  std::set<std::string> answered;
  for (auto entry = window_.entries().rbegin(); entry != window_.entries().rend(); ++entry) {
    if (entry->turn != row_.id) break;
    if (entry->item.role == msg::Role::tool) {
      for (const msg::Block& block : entry->item.blocks) {
        if (const auto* result = std::get_if<msg::ToolResult>(&block)) {
          answered.insert(result->call_id);
        }
      }
      continue;
    }
    std::vector<msg::ToolCall> calls = msg::tool_calls(entry->item);
    std::erase_if(calls, [&](const msg::ToolCall& call) { return answered.contains(call.id); });
    return calls;
  }
  return {};
}

// What the owner wrote and what tools showed; never what the model put together.
std::vector<std::string> Turn::known_urls() {
  std::vector<std::string> urls;
  if (Result<std::vector<std::string>> texts = journal_.owner_texts(row_.conversation)) {
    for (const std::string& text : *texts) {
      for (std::string& url : urls_in(text)) urls.push_back(std::move(url));
    }
  }
  for (std::string& url : window_.result_urls()) urls.push_back(std::move(url));
  // The newest are the ones that are meant.
  if (urls.size() > limits::known_urls) {
    urls.erase(urls.begin(), urls.end() - static_cast<std::ptrdiff_t>(limits::known_urls));
  }
  return urls;
}

}  // namespace keel::agent
