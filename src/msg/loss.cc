#include "msg/loss.h"

#include <algorithm>

namespace keel::msg {

std::string_view lost_name(Lost what) {
  switch (what) {
    case Lost::role:
      return "role";
    case Lost::order:
      return "order";
    case Lost::boundary:
      return "boundary";
    case Lost::characters:
      return "characters";
    case Lost::empty_text:
      return "empty_text";
    case Lost::first_turn:
      return "first_turn";
    case Lost::image:
      return "image";
    case Lost::document:
      return "document";
    case Lost::thinking:
      return "thinking";
    case Lost::signature:
      return "signature";
    case Lost::refusal:
      return "refusal";
    case Lost::error_mark:
      return "error_mark";
    case Lost::half_call:
      return "half_call";
    case Lost::call_kind:
      return "call_kind";
    case Lost::call_id:
      return "call_id";
    case Lost::result:
      return "result";
    case Lost::tool:
      return "tool";
    case Lost::tool_choice:
      return "tool_choice";
    case Lost::parameter:
      return "parameter";
    case Lost::cache_hint:
      return "cache_hint";
    case Lost::extra:
      return "extra";
    case Lost::opaque:
      return "opaque";
    case Lost::nonce:
      return "nonce";
    case Lost::late_delta:
      return "late_delta";
    case Lost::stop_reason:
      return "stop_reason";
  }
  return "extra";
}

bool has_loss(const Losses& losses, Lost what) {
  return std::any_of(losses.begin(), losses.end(),
                     [what](const Loss& loss) { return loss.what == what; });
}

}  // namespace keel::msg
