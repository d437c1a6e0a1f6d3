#include "memory/folder/leftovers.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/hash.h"
#include "base/id.h"
#include "base/limits.h"
#include "memory/markdown/notes.h"
#include "memory/markdown/page_file.h"
#include "memory/markdown/tree.h"
#include "memory/revisions.h"

namespace keel::memory {
namespace {

// A name beside `path` that nobody has.
std::string free_name(const std::string& root, const std::string& path) {
  const std::string stem = path.substr(0, path.rfind('.'));
  for (int i = 1;; ++i) {
    std::string name = stem + " (recovered " + std::to_string(i) + ").md";
    const auto there = stamp_of(root, name);
    if (there && !*there) return name;
    if (!there || i > 1000) return stem + " (recovered " + random_hex(4) + ").md";
  }
}

// Whether two texts differ in nothing but an id.
bool same_but_id(const std::string& one, const std::string& other) {
  std::vector<Problem> unused;
  std::optional<NewPage> a = note_of(one, "x.md", 0, unused, Reading::edit);
  std::optional<NewPage> b = note_of(other, "x.md", 0, unused, Reading::edit);
  if (!a || !b) return false;
  a->id.clear();
  b->id.clear();
  return *a == *b;
}

Status put_back(Memory& memory, const std::string& root, const Leftover& left,
                const std::string& text, std::vector<Problem>& problems) {
  const std::string from = root + "/" + left.path, to = root + "/" + left.of;
  const Result<std::string> there = read_in(root, left.of, limits::folder_file_bytes);
  const bool nothing = !there && there.error().code == Code::not_found;
  if (nothing || (there && is_form_of(memory, *there, left.of))) {
    // What keel wrote is written again by the next pass, merged with this.
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
  } else if (there && same_but_id(*there, text)) {
    ::unlink(from.c_str());
    return {};
  }
  const std::string name = free_name(root, left.of);
  if (::rename(from.c_str(), (root + "/" + name).c_str()) == 0)
    problems.push_back(
        {name, 0, "was saved when keel was interrupted; compare it with " + left.of, false});
  return {};
}

}  // namespace

bool is_form_of(Memory& memory, std::string_view text, const std::string& path) {
  std::vector<Problem> unused;
  const std::optional<NewPage> file = note_of(std::string(text), path, 0, unused, Reading::edit);
  if (!file || file->id.empty()) return false;
  const Result<std::vector<Revision>> revisions = memory.revisions(file->id);
  if (!revisions) return false;
  return std::any_of(revisions->begin(), revisions->end(), [&](const Revision& one) {
    const Result<NewPage> form = content_of(one);
    return form && says_the_same(*file, *form);
  });
}

Status clear_leftovers(Memory& memory, const std::string& root,
                       const std::vector<Leftover>& leftovers, const SyncRows& rows,
                       std::vector<Problem>& problems) {
  for (const Leftover& left : leftovers) {
    const Result<std::string> text = read_in(root, left.path, limits::folder_file_bytes);
    const auto row = rows.find(left.of);
    const bool known = text && row != rows.end() && sha256_hex(*text) == row->second.hash;
    if (!left.may_be_theirs || known || (text && is_form_of(memory, *text, left.of)))
      ::unlink((root + "/" + left.path).c_str());
    else if (text)
      TRY(put_back(memory, root, left, *text, problems));
  }
  return {};
}

}  // namespace keel::memory
