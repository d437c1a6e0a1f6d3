// The page of a day: what the owner and the agent said to each other in one conversation, an entry
// for each exchange that was about something, each with the turn it came from. Here its words: what
// gets an entry, how one reads, the day in a few lines. docs/formats/memory.md, "The page of a
// day". Pure, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace keel::memory {

struct Spoken {
  std::string turn;
  WallMs at_ms = 0;
  std::string owner;  // his words, as they came
  std::string reply;  // empty: it is not quoted
  bool used_tools = false;
  bool tainted = false;  // text from outside stood beside the reply: then it is not quoted
};

// Not greetings, thanks and single words.
bool is_worth_an_entry(const Spoken& spoken);
// A few lines of Markdown without a blank line at the end. Texts are cut and brought into one line
// each.
std::string entry_of(const Spoken& spoken, std::string_view agent_name);

// "Friday, 27 November 2026 (main)", "... (main, part 2)": the owner's day at `at_ms`.
std::string day_title(WallMs at_ms, std::string_view conversation, std::int64_t part);

// What was said on the day of this body, in at most `bytes`: the beginning of each of the owner's
// messages with its time.
std::string digest_of_day(std::string_view body, std::size_t bytes);

}  // namespace keel::memory
