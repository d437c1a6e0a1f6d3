#include "memory/folder/intake.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/draft.h"
#include "memory/markdown/notes.h"
#include "memory/markdown/tree.h"

namespace keel::memory {

void ImportReport::add(Problem problem) {
  if (problem.skipped) ++skipped;
  if (problems.size() < limits::folder_problems)
    problems.push_back(std::move(problem));
  else
    ++more_problems;
}

Json report_json(const ImportReport& report) {
  Json problems = Json::array();
  for (const Problem& one : report.problems)
    problems.push_back(
        {{"file", one.file}, {"line", one.line}, {"what", one.what}, {"skipped", one.skipped}});
  return {{"source", report.source},
          {"files", report.files},
          {"added", report.added},
          {"restored", report.restored},
          {"changed", report.changed},
          {"known", report.known},
          {"skipped", report.skipped},
          {"kinds", report.kinds},
          {"titles", report.titles},
          {"problems", std::move(problems)},
          {"more_problems", report.more_problems}};
}

std::string ulid_from(std::string_view seed, WallMs ms) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string out(26, '0');
  auto time = static_cast<std::uint64_t>(std::max<WallMs>(ms, 0)) & 0xFFFFFFFFFFFFu;
  for (std::size_t i = 10; i-- > 0; time >>= 5) out[i] = kDigits[time & 31];
  const std::string hash = sha256_hex(seed);
  for (std::size_t i = 0; i < 16; ++i) {
    // Five bits each from a byte of the hash.
    const auto digit = [&](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    const int byte = digit(hash[2 * i]) * 16 + digit(hash[2 * i + 1]);
    out[10 + i] = kDigits[static_cast<std::size_t>(byte & 31)];
  }
  return out;
}

bool Intake::prepare(NewPage& page, const Place& place) {
  if (page.origin.empty() || trust_of(page.origin) >= trust_of(options_.origin))
    page.origin = options_.origin;
  if (page.kind == "persona" && page.origin != "owner") {
    page.kind = "fact";
    page.tags.push_back("persona");
    report_.add({place.file, place.line,
                 "describes who the agent is: kept as a fact, as only --origin owner makes it a "
                 "part of the identity",
                 false});
  }
  const std::string seed = place.file + "\n" + page.title + "\n" + page.body;
  const bool made = page.id.empty();
  if (made) page.id = ulid_from(seed, page.created_ms);
  const auto [first, is_new] = ids_.try_emplace(page.id, place.file);
  if (is_new || made) return is_new;
  report_.add({place.file, place.line,
               fmt::format("has the id {}, as {} does; it gets another", page.id, first->second),
               false});
  page.id = ulid_from(seed + page.id, page.created_ms);
  ids_.try_emplace(page.id, place.file);
  return true;
}

void Intake::count(const NewPage& page) {
  ++report_.added;
  ++report_.kinds[page.kind];
  if (report_.titles.size() < 20) report_.titles.push_back(page.title);
}

void Intake::refused(const Error& error, const Place& place) {
  if (error.code == Code::already_exists) {
    ++report_.known;
    return;
  }
  report_.add({place.file, place.line, error.message, true});
}

Status Intake::take(NewPage page, const std::string& file, int line) {
  Place place{file, line};
  if (!prepare(page, place)) {
    ++report_.known;
    return {};
  }
  if (options_.dry_run) {
    if (const Result<Draft> draft = make_draft(page); !draft)
      refused(draft.error(), place);
    else if (memory_.get(page.id))
      ++report_.known;
    else
      count(page);
    return {};
  }
  pages_.push_back(std::move(page));
  places_.push_back(std::move(place));
  return pages_.size() < limits::folder_batch ? Status() : finish();
}

Status Intake::finish() {
  if (pages_.empty()) return {};
  const std::vector<Result<Added>> outcomes = TRY(memory_.add_all(pages_));
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const Result<Added>& outcome = outcomes[i];
    if (!outcome) {
      refused(outcome.error(), places_[i]);
    } else if (outcome->merged) {
      ++report_.known;
    } else {
      count(outcome->page);
      if (outcome->cleaned)
        report_.add({places_[i].file, places_[i].line,
                     "held bytes that are no text; they are "
                     "marked in the page",
                     false});
    }
  }
  pages_.clear();
  places_.clear();
  return {};
}

namespace {

// "turn 2.md" before "turn 10.md": where files do not say when they were made, their names do.
bool natural_order(const FoundFile& one, const FoundFile& other) {
  const std::string &a = one.path, &b = other.path;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      while (i < a.size() && a[i] == '0') ++i;
      while (j < b.size() && b[j] == '0') ++j;
      std::size_t m = i, n = j;
      while (m < a.size() && digit(a[m])) ++m;
      while (n < b.size() && digit(b[n])) ++n;
      if (m - i != n - j) return m - i < n - j;
      if (const int order = a.compare(i, m - i, b, j, n - j); order != 0) return order < 0;
      i = m, j = n;
    } else if (a[i] != b[j]) {
      return a[i] < b[j];
    } else {
      ++i, ++j;
    }
  }
  if (a.size() - i != b.size() - j) return a.size() - i < b.size() - j;
  return a < b;
}

}  // namespace

Status import_notes(const std::string& path, Intake& intake, ImportReport& report) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0)
    return fail(Code::not_found, "There is no " + path + ".", "Name a folder or a file.");
  std::string root = path;
  std::vector<Problem> problems;
  std::vector<FoundFile> files;
  if (S_ISDIR(info.st_mode)) {
    while (root.size() > 1 && root.back() == '/') root.pop_back();
    files = TRY(find_files(root, problems)).files;
    std::sort(files.begin(), files.end(), natural_order);
  } else {
    const std::size_t slash = path.rfind('/');
    root = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    files.push_back({slash == std::string::npos ? path : path.substr(slash + 1), {}});
  }
  for (Problem& one : problems) report.add(std::move(one));
  for (const FoundFile& file : files) {
    ++report.files;
    problems.clear();
    std::optional<NewPage> page = read_note(root, file.path, problems);
    for (Problem& one : problems) report.add(std::move(one));
    if (page) TRY(intake.take(std::move(*page), file.path, 1));
  }
  return intake.finish();
}

}  // namespace keel::memory
