#include "memory/draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/text/dates.h"
#include "memory/text/sentences.h"

namespace keel::memory {
namespace {

const std::vector<std::string> kKinds = {"fact",    "preference", "commitment", "episode",
                                         "finding", "journal",    "persona",    "skill"};
const std::vector<std::string> kOrigins = {"owner", "agent", "import", "untrusted", "system"};

Status check_name(std::string_view what, const std::string& name,
                  const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return {};
  const std::string near = nearest_name(name, known);
  return fail(
      Code::invalid_argument, fmt::format("'{}' is not a {} of a page.", printable(name, 40), what),
      near.empty() ? "Use one of: " + join(known, ", ") + "." : "Did you mean '" + near + "'?");
}

std::string clean(std::string_view text, bool& cleaned) {
  if (is_valid_utf8(text) && text.find('\0') == std::string_view::npos) return std::string(text);
  cleaned = true;
  return to_valid_utf8(text);
}

// One line without control characters.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (control || c == ' ') {
      if (!line.empty() && line.back() != ' ') line += ' ';
    } else {
      line += c;
    }
  }
  return std::string(trim(line));
}

// A list of short names: cleaned, each once, whatever its case.
struct Names {
  std::string_view one;   // "tag"
  std::string_view many;  // "tags"
  std::size_t most;
  std::size_t most_bytes;
};
Status clean_names(const Names& what, std::vector<std::string>& names, bool& cleaned) {
  if (names.size() > what.most)
    return fail(Code::limit,
                fmt::format("The page has {} {}; a page holds at most {}.", names.size(), what.many,
                            what.most),
                "Leave some out, or put them into the text.");
  std::vector<std::string> folded, kept;
  for (const std::string& raw : names) {
    if (raw.size() > what.most_bytes)
      return fail(Code::limit,
                  fmt::format("The {} '{}' has {} bytes; it holds at most {}.", what.one,
                              printable(raw, 40), raw.size(), what.most_bytes),
                  fmt::format("Shorten the {}.", what.one));
    const std::string name = one_line(clean(raw, cleaned));
    std::string key = fold_case(name);
    if (name.empty() || std::find(folded.begin(), folded.end(), key) != folded.end()) continue;
    folded.push_back(std::move(key));
    kept.push_back(name);
  }
  names = std::move(kept);
  return {};
}

Status clean_day(std::string_view name, std::string& day) {
  if (trim(day).empty()) {
    day.clear();
    return {};
  }
  std::optional<std::string> found = day_of(day);
  if (!found)
    return fail(Code::invalid_argument,
                fmt::format("'{}' is not a day ({} of a page).", printable(day, 40), name),
                "Write it as 2023-05-08, 2023-05 or 2023.");
  day = std::move(*found);
  return {};
}

std::string first_line(std::string_view body) {
  const std::string_view said = without_frame(body);
  std::string_view line = trim(said.substr(0, said.find('\n')));
  while (line.starts_with('#')) line.remove_prefix(1);
  return one_line(line);
}

Error too_long(std::size_t bytes) {
  return Error{Code::limit,
               fmt::format("The page has {} bytes; a page holds at most {}.", bytes,
                           limits::memory_body_bytes),
               "Split it into several pages, or keep the file and remember where it is.",
               {}};
}

Status clean_text(NewPage& out, bool& cleaned) {
  out.title = one_line(clean(out.title, cleaned));
  out.body = std::string(trim(clean(out.body, cleaned)));
  if (out.title.empty() && out.body.empty())
    return fail(Code::invalid_argument, "A page needs a text; this one is empty.",
                "Say what should be remembered.");
  if (out.body.empty()) out.body = out.title;
  if (out.title.empty()) out.title = shorten(first_line(out.body), limits::memory_title_bytes);
  if (out.title.size() > limits::memory_title_bytes) {
    if (out.body.find(out.title) == std::string::npos) out.body = out.title + "\n\n" + out.body;
    out.title = shorten(out.title, limits::memory_title_bytes);
  }
  if (out.body.size() > limits::memory_body_bytes)
    return tl::unexpected<Error>(too_long(out.body.size()));
  return {};
}

Status clean_rest(NewPage& out, bool& cleaned) {
  const auto line = [&](std::string& text, std::size_t bytes) {
    if (!text.empty()) text = shorten(one_line(clean(text, cleaned)), bytes);
  };
  out.source_quote = shorten(clean(out.source_quote, cleaned), limits::memory_quote_bytes);
  line(out.source_turn, limits::memory_reference_bytes);
  line(out.session, limits::memory_reference_bytes);
  line(out.speaker, limits::memory_reference_bytes);
  line(out.author_model, limits::memory_reference_bytes);
  line(out.source_uri, limits::memory_uri_bytes);
  line(out.gist, limits::memory_gist_bytes);
  line(out.lang, limits::memory_lang_bytes);
  TRY(clean_day("day", out.day));
  TRY(clean_day("valid_from", out.valid_from));
  TRY(clean_day("valid_to", out.valid_to));
  TRY(clean_names({"tag", "tags", limits::memory_tags, limits::memory_tag_bytes}, out.tags,
                  cleaned));
  TRY(clean_names({"alias", "aliases", limits::memory_aliases, limits::memory_title_bytes},
                  out.aliases, cleaned));
  if (out.importance < 0 || out.importance > limits::memory_importance)
    return fail(Code::invalid_argument, fmt::format("The importance of a page is 0 to {}, not {}.",
                                                    limits::memory_importance, out.importance));
  if (!out.extra.is_object()) out.extra = Json::object();
  if (const std::size_t bytes = dump_json(out.extra).size(); bytes > limits::memory_extra_bytes)
    return fail(Code::limit,
                fmt::format("The page's further keys take {} bytes; a page holds at most {}.",
                            bytes, limits::memory_extra_bytes),
                "Put them into the text.");
  return {};
}

}  // namespace

int trust_of(std::string_view origin) {
  if (origin == "owner" || origin == "system") return 3;
  if (origin == "agent") return 2;
  return origin == "import" ? 1 : 0;
}

Status check_kind(const std::string& kind) {
  return check_name("kind", kind, kKinds);
}

Result<Draft> make_draft(const NewPage& page) {
  TRY(check_kind(page.kind));
  TRY(check_name("origin", page.origin, kOrigins));
  if (page.title.size() + page.body.size() > limits::memory_body_bytes)
    return tl::unexpected<Error>(too_long(page.title.size() + page.body.size()));
  if (!page.id.empty() && !is_ulid(page.id))
    return fail(Code::invalid_argument,
                fmt::format("'{}' cannot be the id of a page.", printable(page.id, 40)),
                "An id is a ULID: 26 characters of 0-9 and A-Z. Leave it out and one is made.");
  // The identity is the owner's: nobody else writes persona pages, and a pin is his.
  const bool by_owner = page.origin == "owner" || page.origin == "system";
  if (page.kind == "persona" && !by_owner)
    return fail(Code::permission, "A persona page can only be written by the owner.",
                "Use `keel memory edit` on the page.");
  Draft draft{page, false};
  draft.page.pinned = page.pinned && by_owner;
  TRY(clean_text(draft.page, draft.cleaned));
  TRY(clean_rest(draft.page, draft.cleaned));
  return draft;
}

}  // namespace keel::memory
