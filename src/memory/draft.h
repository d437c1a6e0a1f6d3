// A page as it may go into the tables: its text cleaned, its dates in one form, everything within
// its bounds. docs/formats/memory.md, "Text that comes in". Pure, any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "memory/memory.h"

namespace keel::memory {

struct Draft {
  NewPage page;
  bool cleaned = false;  // bytes that are no text were replaced
};

// What was wrong is said with the bound and what to do.
Result<Draft> make_draft(const NewPage& page);
// Of the kind of a page, as list() and pages are given it.
Status check_kind(const std::string& kind);

// Whose word counts for more. A page never takes the place of one that is trusted more.
int trust_of(std::string_view origin);

}  // namespace keel::memory
