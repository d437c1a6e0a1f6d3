// What a conversion could not carry over, or had to change so that the other side accepts it. Every
// codec returns these beside its result; nothing is dropped without one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keel::msg {

// docs/formats/dialects.md says for each pair of dialects which of these can come up.
enum class Lost {
  role,         // developer became system, or a system note user text
  order,        // blocks stand in another order
  boundary,     // texts that were apart are one
  characters,   // text that is not valid Unicode was replaced
  empty_text,   // an empty block or message was left out
  first_turn,   // a user turn was put before an assistant's
  image,        // left out, or described in words
  document,     // left out, or its text quoted
  thinking,     // left out: another model's, or a dialect without it
  signature,    // left out: it would be refused there
  refusal,      // carried as plain text
  error_mark,   // that a tool failed is said in words
  half_call,    // a call that was cut off is not handed on as a call
  call_kind,    // a freeform or namespaced call became a function call
  call_id,      // an id was used twice and is new
  result,       // a tool result was added, dropped or turned into text
  tool,         // a tool the other side does not know was left out
  tool_choice,  // a wish on tools was weakened
  parameter,    // a parameter without a counterpart was left out or bounded
  cache_hint,   // where to cache was left out
  extra,        // a member that keel does not know was left out
  opaque,       // a block of a kind that only its own dialect knows
  nonce,        // bytes that change with each request were left out
  late_delta,   // a piece of a stream that came after its block's end
  stop_reason,  // the reason to stop has no name there
};

std::string_view lost_name(Lost what);

struct Loss {
  Lost what = Lost::extra;
  std::string where;  // "items.3.blocks.0", "tools.2", "params.top_k"
  std::string why;    // one sentence
};
using Losses = std::vector<Loss>;

bool has_loss(const Losses& losses, Lost what);

}  // namespace keel::msg
