// recall {query}: looks pages of memory up by keywords and shows them to the model with their ids.
#pragma once

#include <memory>

#include "tool/tool.h"

namespace keel::tool {

std::unique_ptr<Tool> make_recall_tool();

}  // namespace keel::tool
