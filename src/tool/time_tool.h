// time {zone?}: date, weekday and time of the machine's zone or of a named one ("Asia/Tokyo", or
// just "Tokyo").
#pragma once

#include <memory>

#include "tool/tool.h"

namespace keel::tool {

std::unique_ptr<Tool> make_time_tool();

}  // namespace keel::tool
