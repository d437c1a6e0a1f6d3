// Dates as people and files write them, to the one form keel keeps: ISO, as exact as is known
// ("2023", "2023-05", "2023-05-08"). Pure, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace keel::memory {

// The day that a text names and nothing else: "2023-05-08", "2023-05", "2023-05-08T13:56:00Z",
// "2023/5/8", "8 May 2023", "May 8, 2023", "May 2023", "1:56 pm on 8 May, 2023". Nothing if it is
// no such text or no such day.
std::optional<std::string> day_of(std::string_view text);

}  // namespace keel::memory
