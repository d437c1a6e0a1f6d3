// remember {text, kind?, title?}: keeps a statement as a page of memory. Where the words come from
// decides the page's origin: what the owner said is the owner's; anything else is the agent's, or
// untrusted once other people's text is in the context.
#pragma once

#include <memory>

#include "tool/tool.h"

namespace keel::tool {

std::unique_ptr<Tool> make_remember_tool();

}  // namespace keel::tool
