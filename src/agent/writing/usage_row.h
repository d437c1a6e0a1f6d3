// One use of a model as the journal keeps it. Pure.
#pragma once

#include <string>
#include <utility>

#include "model/model.h"
#include "store/journal.h"

namespace keel::agent {

// Without turn and conversation, which the journal's change may give.
inline store::UsageRow usage_row(std::string model, const model::Usage& usage,
                                 const model::Timings& timings) {
  store::UsageRow row;
  row.model = std::move(model);
  row.prompt_tokens = usage.prompt_tokens;
  row.cached_tokens = usage.cached_tokens;
  row.evaluated_tokens = usage.evaluated_tokens;
  row.completion_tokens = usage.completion_tokens;
  row.cost_usd = usage.cost_usd;
  row.ttft_ms = timings.ttft_ms;
  row.total_ms = timings.total_ms;
  row.decode_tps = timings.decode_tps;
  return row;
}

}  // namespace keel::agent
