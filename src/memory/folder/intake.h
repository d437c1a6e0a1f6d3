// What every import has in common: pages go in by batches, each with its own outcome; what was not
// taken is reported with its file and line and stops nothing else. A dry run checks everything and
// writes nothing.
//
// One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "memory/markdown/front_matter.h"
#include "memory/memory.h"

namespace keel::memory {

struct ImportOptions {
  // Of the pages: import, or owner where the owner says that the texts are his. A file that names
  // a less trusted one is believed.
  std::string origin = "import";
  bool dry_run = false;
};

struct ImportReport {
  std::string source;  // "Markdown folder", "export of keel", "ChatGPT export" ...
  std::int64_t files = 0;
  std::int64_t added = 0;                     // in a dry run: would be
  std::int64_t restored = 0;                  // of these, with all their revisions
  std::int64_t changed = 0;                   // pages that are here, whose file was edited
  std::int64_t known = 0;                     // here already, with the same content
  std::int64_t skipped = 0;                   // not taken; each is a problem
  std::map<std::string, std::int64_t> kinds;  // of the pages added
  std::vector<std::string> titles;            // of the first of them
  std::vector<Problem> problems;              // at most limits::folder_problems
  std::int64_t more_problems = 0;

  void add(Problem problem);
};
Json report_json(const ImportReport& report);

class Intake {
 public:
  Intake(Memory& memory, const ImportOptions& options, ImportReport& report)
      : memory_(memory), options_(options), report_(report) {}

  // A page without an id gets one that follows from `file` and its text, so that importing the same
  // twice adds nothing.
  Status take(NewPage page, const std::string& file, int line = 0);
  Status finish();

 private:
  struct Place {
    std::string file;
    int line = 0;
  };
  bool prepare(NewPage& page, const Place& place);  // false: it was taken already
  void count(const NewPage& page);
  void refused(const Error& error, const Place& place);

  Memory& memory_;
  const ImportOptions& options_;
  ImportReport& report_;
  std::vector<NewPage> pages_;
  std::vector<Place> places_;
  std::map<std::string, std::string> ids_;  // and the file that had it first
};

// A folder of Markdown files, or one file, that keel did not write: every file is a page. Links are
// not followed. Errors are those of the folder as a whole and of the database.
Status import_notes(const std::string& path, Intake& intake, ImportReport& report);

// An id that the same seed and time always give.
std::string ulid_from(std::string_view seed, WallMs ms);

}  // namespace keel::memory
