#include "agent/record.h"

#include "model/model.h"

namespace keel::agent {
namespace {

Json pages_json(const std::vector<RecalledPage>& pages) {
  Json array = Json::array();
  for (const RecalledPage& page : pages) array.push_back(to_json(page));
  return array;
}

Json call_json(const store::CallRow& call) {
  Result<Json> arguments = parse_json(call.arguments, "arguments");
  return {{"name", call.name},
          {"arguments", arguments ? *arguments : Json(call.arguments)},
          {"ok", !call.is_error},
          {"ms", call.ms}};
}

// Tokens after the first over the time they took, all calls together.
double decode_tps(const std::vector<store::UsageRow>& usage) {
  double tokens = 0.0;
  double seconds = 0.0;
  for (const store::UsageRow& row : usage) {
    if (row.decode_tps <= 0.0 || row.completion_tokens < 2) continue;
    tokens += static_cast<double>(row.completion_tokens - 1);
    seconds += static_cast<double>(row.completion_tokens - 1) / row.decode_tps;
  }
  return seconds > 0.0 ? tokens / seconds : 0.0;
}

}  // namespace

Status Record::read_steps(const std::vector<store::StepRow>& steps) {
  for (const store::StepRow& step : steps) {
    if (step.kind != "recall" && step.kind != "route") continue;
    const Json data = TRY(parse_json(step.json, "a stored step"));
    if (step.kind == "route") {
      model = json_string_or(data, "model", "");
      rule = json_string_or(data, "rule", "");
      reason = json_string_or(data, "reason", "");
      continue;
    }
    retrieval = json_string_or(data, "retrieval", "");
    pages.clear();
    const auto stored = data.find("pages");
    if (stored == data.end()) continue;
    for (const Json& page : *stored) pages.push_back(TRY(page_from_json(page)));
  }
  return {};
}

std::string Record::recall_step() const {
  return dump_json({{"retrieval", retrieval}, {"pages", pages_json(pages)}});
}

Json Record::to_json() const {
  Json tools = Json::array();
  for (const store::CallRow& call : calls) tools.push_back(call_json(call));
  model::Usage sum;
  for (const store::UsageRow& row : usage) {
    sum += model::Usage{row.prompt_tokens, row.cached_tokens, row.evaluated_tokens,
                        row.completion_tokens, row.cost_usd};
  }
  Json out = {{"conversation", conversation},
              {"turn", turn},
              {"reply", reply},
              {"model", model},
              {"route", {{"rule", rule}, {"reason", reason}}},
              {"tools", tools},
              {"memory", pages_json(pages)},
              {"usage",
               {{"prompt_tokens", sum.prompt_tokens},
                {"cached_tokens", sum.cached_tokens},
                {"evaluated_tokens", sum.evaluated_tokens},
                {"completion_tokens", sum.completion_tokens},
                {"cost_usd", sum.cost_usd}}},
              {"timings",
               {{"ttft_ms", ttft_ms}, {"total_ms", total_ms}, {"decode_tps", decode_tps(usage)}}}};
  if (stopped) out["stopped"] = true;
  return out;
}

}  // namespace keel::agent
