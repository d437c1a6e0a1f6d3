#include "gateway/api/request_map.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/limits.h"
#include "msg/dialect/local.h"
#include "msg/repair.h"

namespace keel::api {
namespace {

constexpr std::size_t kKeyDigits = 24;
constexpr std::int64_t kMost = 1 << 30;

// A thought with our signature under it is this model's own; local_form shows no others.
void claim_thoughts(std::vector<msg::Item>& items, const MapOptions& options) {
  for (msg::Item& item : items) {
    for (msg::Block& block : item.blocks) {
      auto* thinking = std::get_if<msg::Thinking>(&block);
      if (thinking == nullptr) continue;
      const bool ours = thinking->signature.starts_with(msg::keel_signature) &&
                        same_secret(thinking->signature,
                                    sign_thinking(options.secret, options.model, thinking->text));
      thinking->origin = ours ? options.model : "";
    }
  }
}

// As keel's own conversations have them: each result is an item.
std::vector<msg::Item> split_results(std::vector<msg::Item> items) {
  std::vector<msg::Item> out;
  for (msg::Item& item : items) {
    if (item.role != msg::Role::tool) {
      out.push_back(std::move(item));
      continue;
    }
    for (msg::Block& block : item.blocks) out.push_back({msg::Role::tool, {std::move(block)}});
  }
  return out;
}

void map_tools(std::vector<msg::Tool> tools, Mapped& mapped) {
  for (msg::Tool& tool : tools) {
    if (tool.kind == msg::ToolKind::custom) mapped.custom.insert(tool.name);
    mapped.request.tools.push_back(
        msg::Tool{std::move(tool.name), std::move(tool.description), std::move(tool.schema)});
  }
}

void map_choice(const msg::ToolChoice& choice, model::Request& request) {
  using Kind = msg::ToolChoice::Kind;
  const auto has = [&](const std::string& name) {
    return std::any_of(request.tools.begin(), request.tools.end(),
                       [&](const msg::Tool& tool) { return tool.name == name; });
  };
  if (request.tools.empty()) return;
  if (choice.kind == Kind::none) request.tool_choice = model::ToolChoice::none;
  if (choice.kind == Kind::any) request.tool_choice = model::ToolChoice::required;
  if (choice.kind == Kind::named && has(choice.name)) {
    request.tool_choice = model::ToolChoice::required;
    request.tool = choice.name;
  }
}

void map_params(const msg::Params& params, model::Request& request) {
  request.max_tokens = answer_tokens(params);
  request.stops = params.stops;
  model::Sampling& sampling = request.sampling;
  if (params.temperature) sampling.temperature = std::clamp(*params.temperature, 0.0, 2.0);
  if (params.top_p) sampling.top_p = std::clamp(*params.top_p, 0.0, 1.0);
  if (params.top_k) {
    sampling.top_k = static_cast<int>(std::clamp<std::int64_t>(*params.top_k, 0, kMost));
  }
  if (params.seed) sampling.seed = static_cast<std::uint32_t>(*params.seed);
}

// One client's session may hold several conversations (an agent and its helpers): their first
// question tells them apart.
std::string conversation_key(const std::vector<msg::Item>& items, const msg::Params& params,
                             const MapOptions& options) {
  std::string first;
  for (const msg::Item& item : items) {
    if (item.role != msg::Role::user) continue;
    first = msg::plain_text(item);
    break;
  }
  const std::string session = !options.session.empty()   ? options.session
                              : !params.affinity.empty() ? params.affinity
                                                         : params.user;
  return "api:" + sha256_hex(session + '\0' + first).substr(0, kKeyDigits);
}

}  // namespace

int answer_tokens(const msg::Params& params) {
  return static_cast<int>(std::clamp<std::int64_t>(
      params.max_tokens.value_or(limits::answer_default_tokens), 1, kMost));
}

std::string sign_thinking(const std::string& secret, const std::string& model,
                          const std::string& text) {
  const std::string inner = sha256_hex(secret + '\0' + model + '\0' + text);
  return std::string(msg::keel_signature) + sha256_hex(secret + '\0' + inner);
}

Mapped map_request(msg::Conversation conversation, const MapOptions& options) {
  claim_thoughts(conversation.items, options);
  msg::LocalTraits traits;
  traits.model = options.model;
  traits.keep_thinking = true;
  traits.vision = options.vision;
  msg::LocalForm form = msg::local_form(std::move(conversation), traits);
  msg::name_results(form.items);
  Mapped mapped;
  mapped.losses = std::move(form.losses);
  mapped.names = std::move(form.names);
  mapped.request.conversation = conversation_key(form.items, form.params, options);
  mapped.request.items = split_results(std::move(form.items));
  mapped.request.priority = model::Priority::client;
  map_tools(std::move(form.tools), mapped);
  map_choice(form.params.tool_choice, mapped.request);
  map_params(form.params, mapped.request);
  return mapped;
}

}  // namespace keel::api
