// The memory budget of a model on a machine: what is loaded how, so that it fits. Shrinks before it
// refuses, says why for everything, and changes nothing itself.
//
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/budget/machine.h"
#include "model/budget/needs.h"
#include "model/budget/wired.h"

namespace keel::budget {

struct Line {
  std::string what;
  std::int64_t bytes = 0;
  std::string why;
};

struct Plan {
  int context = 0;                // tokens
  int batch = 0;                  // tokens read at once
  std::string cache;              // as in Shape
  std::int64_t parked_bytes = 0;  // for conversations beside the current one
  bool lock = false;              // weights may not be paged out
  std::string lock_why;

  std::vector<Line> lines;         // what memory goes to; they add up to need_bytes
  std::int64_t need_bytes = 0;     // in the machine's memory
  std::int64_t fixed_bytes = 0;    // of that, what the system cannot drop and read again
  std::int64_t room_bytes = 0;     // that keel can have now, the reserve taken off
  std::int64_t reserve_bytes = 0;  // left to everything else
  std::int64_t device_bytes = 0;   // needed on a device
  std::int64_t device_room_bytes = 0;

  std::vector<std::string> shrunk;  // what was made smaller, from what to what
  std::vector<std::string> advice;  // what the owner may do
  bool tight = false;               // it works, but parts are read from the disk again and again
  std::optional<Error> refusal;     // it cannot be loaded; Code::limit
  std::optional<WiredLimit> wired;  // what would let it in after all
};

Plan make_plan(const Needs& needs, const Machine& machine);

}  // namespace keel::budget
