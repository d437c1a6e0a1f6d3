// What every dialect's server demands of a conversation, established before it is written: each
// call has one result right after it and each result its call, ids are used once, no block is
// empty, and what was cut off is no call. Interrupted turns leave all of these broken.
#pragma once

#include "msg/params.h"

namespace keel::msg {

// Changes only what would be refused; each change has a Loss. A conversation that needs none is
// left exactly as it was.
void repair(std::vector<Item>& items, Losses& losses);

// Gives each tool result the name of the tool that was called.
void name_results(std::vector<Item>& items);

}  // namespace keel::msg
