// A page's text in the form that Notion keeps it in, and back. Notion takes Markdown apart into
// blocks and puts it together again: what comes back says the same in other bytes. So a text is
// looked at as units (a paragraph, a heading, a list, a quote, a code block), each with one
// canonical form that survives the round trip, and units that nobody changed keep the bytes of the
// owner's own page.
//
// Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace keel::memory::notion {

struct Unit {
  std::string raw;        // as it stands in the page
  std::string before;     // the line ends between the unit before and this one
  std::string canonical;  // as Notion gives it back
};

std::vector<Unit> units_of(std::string_view body);
std::vector<std::string> canonical_units(std::string_view body);
// Canonical units with an empty line between them: what is sent.
std::string to_notion(std::string_view body);
std::string join_units(const std::vector<std::string>& canonical);
// One unit as Notion wrote it, without the escapes that plain text does not need.
std::string from_notion(std::string_view unit);

// What is known of a page's text in Notion: for each unit of the local text the hash of the bytes
// it has there where they are not the canonical ones ("" where they are). Empty: all canonical.
using Marks = std::vector<std::string>;
std::string marks_text(const Marks& marks);
Marks marks_from(std::string_view text);

struct Reading {
  std::string body;   // what Notion's text says, in the bytes of `local` where nothing was changed
  Marks marks;        // for `local`; of use only if `same`
  bool same = false;  // it says what `local` says
};
// `fresh`: for each unit of `local` whether Notion's form of it was never seen: then it may differ
// in everything but letters and digits. Empty: none is fresh.
Reading read_markdown(std::string_view markdown, std::string_view local, const Marks& marks,
                      const std::vector<bool>& fresh);

// The one change that makes `after` out of `before` (canonical units): a text that stands exactly
// once in `before`, and what takes its place. `old_text` is empty where `before` holds nothing.
struct Change {
  std::string old_text;
  std::string new_text;
  std::size_t first = 0;  // units of `before` that are replaced: [first, last)
  std::size_t last = 0;
};
Change change_between(const std::vector<std::string>& before,
                      const std::vector<std::string>& after);

}  // namespace keel::memory::notion
