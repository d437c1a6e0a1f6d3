// The identity: persona pages and the owner's pinned preferences as the text at the head of every
// prompt. It must be the same bytes for the same pages, because the engine keeps what it has read
// of it, and because a change of model must change nothing here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "memory/memory.h"
#include "store/statement.h"

namespace keel::memory {

// The persona pages of a new agent: Name, Character, Standing wishes.
std::vector<NewPage> first_identity(std::string_view agent_name);

// `agent_name` is used only where there is no page "Name".
// Pages with one of the tags are left out.
Result<std::string> render_identity(store::Connection& connection, std::string_view agent_name,
                                    const std::vector<std::string>& without_tags = {});

}  // namespace keel::memory
