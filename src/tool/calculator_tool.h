// calculator {expression}: exact arithmetic for the model (tool/arithmetic.h).
#pragma once

#include <memory>

#include "tool/tool.h"

namespace keel::tool {

std::unique_ptr<Tool> make_calculator_tool();

}  // namespace keel::tool
