// Dates as people and files write them, to the one form keel keeps: ISO, as exact as is known
// ("2023", "2023-05", "2023-05-08"). Pure, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace keel::memory {

// The day that a text names and nothing else: "2023-05-08", "2023-05", "2023-05-08T13:56:00Z",
// "2023/5/8", "8 May 2023", "May 8, 2023", "May 2023", "1:56 pm on 8 May, 2023". Nothing if it is
// no such text or no such day.
std::optional<std::string> day_of(std::string_view text);

// How a day is indexed: "2023-05-08" as its year, its month's stem, its day, and as "2023-05" and
// "2023-05-08", which no word of a text can be. Empty for an empty day.
std::vector<std::string> day_tokens(std::string_view day);
// The days a question names, as tokens of the index: "on 8 May 2023", "last May", "yesterday",
// "three days ago", "last week". What is relative is so to `now`, the asker's own clock read as if
// it were UTC, and is nothing where that is 0.
std::vector<std::string> days_asked(std::string_view question, WallMs now);
// Whether it asks for a time ("when", "what year", "wann").
bool asks_when(std::string_view question);

}  // namespace keel::memory
