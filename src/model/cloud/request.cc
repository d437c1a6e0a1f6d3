#include "model/cloud/request.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/hash.h"
#include "base/limits.h"
#include "model/cloud/prices.h"
#include "msg/raw.h"

namespace keel::model {
namespace {

void mark(msg::Item& item) {
  for (auto block = item.blocks.rbegin(); block != item.blocks.rend(); ++block) {
    const bool marked = std::visit(
        [](auto& b) {
          using Kind = std::decay_t<decltype(b)>;
          // Thoughts take no mark.
          if constexpr (std::is_same_v<Kind, msg::Thinking> || std::is_same_v<Kind, msg::Opaque>) {
            return false;
          } else {
            b.extras.push_back(
                {msg::Dialect::anthropic, "cache_control", R"({"type":"ephemeral"})"});
            return true;
          }
        },
        *block);
    if (marked) return;
  }
}

}  // namespace

msg::Conversation conversation_for(const Request& request, const std::string& model) {
  if (request.outside) {
    msg::Conversation own = request.outside->conversation;
    own.params.model = model;
    own.params.stream = true;
    own.params.stream_usage = true;
    return own;
  }
  msg::Conversation c;
  c.items = request.items;
  c.tools = request.tools;
  msg::Params& p = c.params;
  p.model = model;
  p.max_tokens = request.max_tokens;
  p.stops = request.stops;
  // Greedy is keel's own default for small models; cloud models are left to theirs, and some refuse
  // to be told.
  if (request.sampling.temperature > 0) p.temperature = request.sampling.temperature;
  using Kind = msg::ToolChoice::Kind;
  if (request.tool_choice == ToolChoice::none && !c.tools.empty()) {
    p.tool_choice.kind = Kind::none;
  } else if (request.tool_choice == ToolChoice::required) {
    p.tool_choice.kind = request.tool.empty() ? Kind::any : Kind::named;
    p.tool_choice.name = request.tool;
  }
  // The same for all requests of a conversation, and says nothing about it.
  if (!request.conversation.empty()) {
    p.affinity = "keel-" + sha256_hex(request.conversation).substr(0, limits::cloud_affinity_bytes);
  }
  p.stream = true;
  p.stream_usage = true;
  return c;
}

void mark_for_cache(msg::Conversation& conversation) {
  std::vector<msg::Item>& items = conversation.items;
  if (items.empty()) return;
  std::size_t head = 0;
  while (head < items.size() && items[head].role == msg::Role::system) ++head;
  if (head > 0) mark(items[head - 1]);
  if (head < items.size()) mark(items.back());
  for (std::size_t i = items.size() - 1; i-- > head;) {
    if (items[i].role != msg::Role::user) continue;
    mark(items[i]);
    return;
  }
}

Usage usage_of(const msg::TokenUsage& usage, const Prices& prices) {
  Usage out;
  out.prompt_tokens = usage.prompt();
  out.cached_tokens = usage.cache_read;
  out.evaluated_tokens = usage.prompt() - usage.cache_read;
  out.completion_tokens = usage.output;
  out.cost_usd = cost_usd(usage, prices);
  return out;
}

StopReason stop_reason_of(msg::Stop stop) {
  switch (stop) {
    case msg::Stop::tool_calls:
      return StopReason::tool_calls;
    case msg::Stop::max_tokens:
    case msg::Stop::context_full:
      return StopReason::max_tokens;
    case msg::Stop::stop_sequence:
      return StopReason::stop_text;
    case msg::Stop::cancelled:
      return StopReason::cancelled;
    default:
      return StopReason::end;
  }
}

Result<std::string> counting_body(std::string body) {
  constexpr std::array<std::string_view, 10> of_the_answer = {
      "max_tokens", "stream",         "temperature", "top_p",        "top_k",
      "metadata",   "stop_sequences", "container",   "service_tier", "inference_geo"};
  const msg::Doc doc = TRY(msg::Doc::parse(std::move(body), "the request"));
  msg::Writer out;
  out.object();
  for (const msg::Value member : doc.root()) {
    const std::string key = member.key();
    const bool left =
        std::find(of_the_answer.begin(), of_the_answer.end(), key) == of_the_answer.end();
    if (left) out.member(key, member.raw());
  }
  return out.end_object().take();
}

}  // namespace keel::model
