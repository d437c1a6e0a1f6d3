// A page as a Markdown file and back. docs/formats/memory-folder.md, "Front matter".
//
// Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "memory/markdown/front_matter.h"
#include "memory/memory.h"
#include "memory/merge/merge.h"

namespace keel::memory {

// What a file says without saying it, for pages that do not come from keel.
struct FileContext {
  std::string path;       // from the folder; its name is the title of a file without one
  WallMs changed_ms = 0;  // the time of a page whose file names none
  bool edit = false;      // times that the file does not name are 0
};

// The page that a file holds. Keys that keel does not know go into `extra`; a value that is not
// understood is reported with its line, and goes there too. `origin` is what the file says; the
// caller decides whether to believe it. `id` is empty if the file has none that keel could use.
NewPage page_of(const Document& document, const FileContext& context,
                std::vector<Problem>& problems);

// The key under which a file says the page's id: "id", or "keel_id" beside an id of another sort.
std::string_view id_key(const FrontMatter& front);
// The properties of a page that has no file yet.
FrontMatter front_of(const Page& page);
// Brings the properties of a file up to date: what says the same already stays as it is written.
void update_front(FrontMatter& front, const Page& page);

// "Boat & harbour" of kind fact: "pages/fact/boat-harbour--4X2PNQ7A.md".
std::string path_of(const Page& page);

// Whether a page is what its file says. What the file leaves open (its times, its origin, a title)
// may be anything.
bool says_the_same(const NewPage& file, const NewPage& page);

// What two sides made of the same page, put together; `ours` is the file, whose text stands where
// both changed the same. Fields of `theirs` where ours are as the base has them; no time of change.
struct MergedPage {
  NewPage page;
  std::vector<Conflict> conflicts;
};
MergedPage merge_pages(const NewPage& base, const NewPage& ours, const NewPage& theirs);

}  // namespace keel::memory
