// A client's conversation as the local model's chat template can show it: the fourth dialect. Each
// message is mapped by itself and what is before it, never by what comes later, so that the next
// request begins with the same tokens.
#pragma once

#include "msg/params.h"

namespace keel::msg {

// What the template and the model can do.
struct LocalTraits {
  std::string model;           // whose own thoughts may be shown to it
  bool vision = false;         // images can stay
  bool system_inline = false;  // system notes are allowed after the head
  bool keep_thinking = false;  // thoughts of earlier turns are shown
  bool alternate = true;       // roles must take turns: neighbours of one role become one
};

struct LocalForm {
  std::vector<Item> items;  // at most one system item first, its texts joined
  std::vector<Tool> tools;  // functions only
  Params params;
  ToolNames names;  // of the tools in the answer
  Losses losses;
};
LocalForm local_form(Conversation conversation, const LocalTraits& traits);

}  // namespace keel::msg
