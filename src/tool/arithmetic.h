// Arithmetic expressions as people and models write them: + - * / % ^ ( ), sqrt abs round floor
// ceil min max, pi and e, "17% of 2,340", "200 + 10%" (a share of what stands before it, as on a
// pocket calculator), thousands separators in groups of three, and × ÷ − ·. Units and words are
// refused by name.
//
// Pure function; any thread. Limits: limits::calculator_bytes, limits::calculator_depth.
#pragma once

#include <string_view>

#include "base/result.h"
#include "tool/number.h"

namespace keel::tool {

Result<Number> evaluate(std::string_view expression);

}  // namespace keel::tool
