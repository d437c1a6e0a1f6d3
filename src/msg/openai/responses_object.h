// The response object of OpenAI Responses and the items in it, as whole answers and as events show
// them.
#pragma once

#include "msg/openai/responses_answer.h"

namespace keel::msg::responses {

// One output item. `status` is "in_progress" (then without its content) or "completed".
struct OutputItem {
  BlockKind kind = BlockKind::text;
  std::string id;       // of the item
  std::string call_id;  // of a call
  std::string name;
  std::string space;
  std::string text;       // text, thought, arguments
  std::string signature;  // of a thought
  std::string data;       // of an opaque item: its JSON
};
std::string item_json(const OutputItem& item, bool done);
// "msg_ID_3": ids that follow from the answer's own.
std::string item_id(BlockKind kind, const std::string& answer_id, int index);

// `status`: "in_progress", "completed", "incomplete", "failed". `output`: items' JSON.
std::string object_json(const Answer& answer, const Style& style, std::string_view status,
                        const std::vector<std::string>& output,
                        const std::optional<ApiError>& error);
std::string_view status_of(Stop stop);

Stop stop_of(const Value& response);

}  // namespace keel::msg::responses
