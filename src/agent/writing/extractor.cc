#include "agent/writing/extractor.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "memory/writing/extraction.h"
#include "model/route/needs.h"

namespace keel::agent {
namespace {

// Names of conversations have no control characters, so this is nobody else's.
constexpr std::string_view kConversation =
    "\x1f"
    "extract";

bool is_named_by_rule(const model::Router& router, const std::string& rule) {
  const std::vector<config::RouteRule>& rules = router.route().rules;
  return std::any_of(rules.begin(), rules.end(), [&](const config::RouteRule& one) {
    return rule == "rule:" + one.name && std::find(one.channels.begin(), one.channels.end(),
                                                   memory_channel) != one.channels.end();
  });
}

}  // namespace

Result<std::optional<model::Choice>> extracting_model(model::Router& router,
                                                      const std::string& conversation,
                                                      bool is_private) {
  model::Needs needs;
  needs.channel = memory_channel;
  needs.conversation = conversation;
  needs.max_tokens = limits::extract_tokens;
  needs.prompt_bytes = model::bytes_of(memory::extraction_items(""), {memory::extraction_tool()});
  if (is_private) needs.privacy = model::Privacy::whole;
  Result<model::Choice> choice = router.choose(needs);
  if (!choice && choice.error().code == Code::unavailable) return std::nullopt;
  if (!choice) return pass(choice.error());
  const model::Info info = choice->model->info();
  const bool free = !info.elsewhere || (info.prices && info.prices->free());
  if (!free && !is_named_by_rule(router, choice->rule)) return std::nullopt;
  return std::optional<model::Choice>(std::move(*choice));
}

Result<Extraction> extract(model::Router& router, const model::Choice& choice,
                           const std::string& owner_text, const std::string& turn,
                           model::Priority priority, std::stop_token stop) {
  model::Request request;
  request.conversation = kConversation;
  request.turn = turn;
  request.items = memory::extraction_items(owner_text);
  request.tools = {memory::extraction_tool()};
  request.tool_choice = model::ToolChoice::required;
  request.tool = request.tools.front().name;
  request.max_tokens = limits::extract_tokens;
  request.priority = priority;
  const model::Response answer = TRY(router.ask(choice, request, {}, std::move(stop)));
  if (answer.stop == model::StopReason::cancelled)
    return fail(Code::cancelled, "stopped while the model looked for what to keep");
  const std::vector<msg::ToolCall> calls = msg::tool_calls(answer.item);
  if (calls.empty())
    return fail(Code::unavailable, "the model answered in another form than it was asked to");
  Extraction found{choice.name, {}, answer.usage, answer.timings};
  // An answer that was cut inside the call holds nothing that can be read.
  if (calls.front().complete)
    found.pages = memory::pages_found(calls.front().arguments, owner_text);
  return found;
}

}  // namespace keel::agent
