#include "model/model.h"

namespace keel::model {

std::string_view stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::end:
      return "end";
    case StopReason::tool_calls:
      return "tool_calls";
    case StopReason::max_tokens:
      return "max_tokens";
    case StopReason::stop_text:
      return "stop_text";
    case StopReason::cancelled:
      return "cancelled";
  }
  return "end";
}

Usage& Usage::operator+=(const Usage& other) {
  prompt_tokens += other.prompt_tokens;
  cached_tokens += other.cached_tokens;
  evaluated_tokens += other.evaluated_tokens;
  completion_tokens += other.completion_tokens;
  cost_usd += other.cost_usd;
  return *this;
}

Result<std::int64_t> Model::count(const Request&) {
  return fail(Code::unsupported, "the model " + info().name + " cannot count tokens");
}

}  // namespace keel::model
