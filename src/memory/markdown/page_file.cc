#include "memory/markdown/page_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/id.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/draft.h"
#include "memory/markdown/yaml.h"
#include "memory/merge/merge.h"
#include "memory/text/dates.h"

namespace keel::memory {
namespace {

// Keys that make up a page. Others are the owner's, and are kept as they are.
constexpr std::array<std::string_view, 28> kKnown = {
    "keel_id",      "id",       "title",   "aliases",    "tags",  "kind",    "origin",
    "importance",   "pinned",   "session", "speaker",    "day",   "created", "updated",
    "valid_from",   "valid_to", "source",  "turn",       "quote", "gist",    "lang",
    "author_model", "rev",      "hash",    "supersedes", "state", "tag",     "alias"};

bool is_known(std::string_view key) {
  return std::any_of(kKnown.begin(), kKnown.end(),
                     [&](std::string_view one) { return equals_ignoring_case(one, key); });
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

std::string_view name_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  return path.substr(0, path.rfind('.'));
}

// "boat--4X2PNQ7A" without what keel put behind it.
std::string_view stem_of(std::string_view path) {
  const std::string_view name = name_of(path);
  const std::size_t mark = name.rfind("--");
  const bool ours = mark != std::string_view::npos && mark > 0 && name.size() - mark == 10 &&
                    name.substr(mark + 2).find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ") ==
                        std::string_view::npos;
  return ours ? name.substr(0, mark) : name;
}

// The day that a daily note's name begins with. The names that keel gives are made from titles.
std::string day_in_name(std::string_view path) {
  const std::string_view name = name_of(path);
  if (stem_of(path) != name) return {};
  if (name.size() < 10 || name[4] != '-' || name[7] != '-') return {};
  if (name.size() > 10 && name[10] >= '0' && name[10] <= '9') return {};
  return time_of(name.substr(0, 10)) ? std::string(name.substr(0, 10)) : std::string();
}

std::string heading_of(std::string_view body) {
  const std::string_view line = body.substr(0, body.find('\n'));
  return line.starts_with("# ") ? std::string(trim(line.substr(2))) : std::string();
}

class Reader {
 public:
  Reader(const Document& document, const FileContext& context, std::vector<Problem>& problems)
      : front_(document.front), document_(document), context_(context), problems_(problems) {}

  NewPage run() {
    page_.body = document_.body;
    read_id();
    read_names();
    read_times();
    read_choices();
    text("session", page_.session);
    text("speaker", page_.speaker);
    text("source", page_.source_uri);
    text("turn", page_.source_turn);
    text("quote", page_.source_quote);
    text("gist", page_.gist);
    text("lang", page_.lang);
    text("author_model", page_.author_model);
    read_kind();
    read_title();
    for (const std::string& key : front_.keys())
      if (!is_known(key)) keep(key);
    return std::move(page_);
  }

 private:
  void report(std::string_view key, std::string what) {
    problems_.push_back({{}, front_.line(key), std::string(key) + ": " + std::move(what), false});
    keep(key);
  }

  // In a form that gives the same lines again.
  void keep(std::string_view key) {
    const std::string source = front_.source(key);
    const std::string name = front_.written(key);
    FrontMatter again;
    if (const auto list = front_.list(key); list) {
      again.set_list(name, *list);
      if (again.source(name) == source) {
        page_.extra[name] = *list;
        return;
      }
    }
    if (const auto one = front_.scalar(key); one) {
      again.set(name, *one);
      if (again.source(name) == source) {
        page_.extra[name] = *one;
        return;
      }
    }
    page_.extra[name] = Json{{"yaml", source}};
  }

  void text(std::string_view key, std::string& out) {
    if (!front_.has(key)) return;
    if (const auto value = front_.scalar(key))
      out = *value;
    else if (const auto list = front_.list(key); !list || !list->empty())
      report(key, "is not a text; it is kept as it is");
  }

  bool yaml_empty(std::string_view key) const {
    return trim(yaml::value_part(front_.source(key))).empty();
  }

  void read_id() {
    const auto id = front_.scalar("id");
    if (id && is_ulid(upper(*id))) {
      page_.id = upper(*id);
      return;
    }
    if (!yaml_empty("id")) keep("id");
    const auto other = front_.scalar("keel_id");
    if (other && is_ulid(upper(*other))) page_.id = upper(*other);
  }

  void names(std::string_view key, std::string_view old_key, bool tags,
             std::vector<std::string>& out) {
    const std::string_view used = front_.has(key) ? key : old_key;
    if (!front_.has(used)) return;
    const auto list = front_.list(used);
    if (!list) return report(used, "is not a list of words; it is kept as it is");
    // One scalar may hold several tags, as older notes have it.
    const bool scalar = tags && list->size() == 1 && front_.scalar(used).has_value();
    for (const std::string& one : *list) {
      std::string text = scalar ? replace_all(one, ",", " ") : one;
      for (const std::string_view part :
           scalar ? split(text, ' ') : std::vector<std::string_view>{text}) {
        std::string_view name = trim(part);
        while (tags && name.starts_with('#')) name = trim(name.substr(1));
        if (!name.empty()) out.emplace_back(name);
      }
    }
  }

  void read_names() {
    names("tags", "tag", true, page_.tags);
    names("aliases", "alias", false, page_.aliases);
  }

  void time(std::string_view key, WallMs& out) {
    const auto value = front_.scalar(key);
    if (!value) return;
    if (const auto ms = time_of(*value))
      out = *ms;
    else if (const auto day = day_of(*value); day && day->size() == 10)
      out = *time_of(*day);
    else
      report(key, "'" + printable(*value, 40) + "' is no time, such as 2023-05-08T13:56:00Z");
  }

  void day(std::string_view key, std::string& out) {
    const auto value = front_.scalar(key);
    if (!value) return;
    if (const auto day = day_of(*value))
      out = *day;
    else
      report(key, "'" + printable(*value, 40) + "' is no day, such as 2023-05-08");
  }

  void read_times() {
    time("created", page_.created_ms);
    time("updated", page_.updated_ms);
    day("day", page_.day);
    // A key that many notes have; it stays the owner's.
    if (const auto date = front_.scalar("date")) {
      const auto of_day = day_of(*date);
      if (page_.day.empty() && of_day) page_.day = *of_day;
      if (const auto ms = time_of(*date); ms && page_.created_ms == 0) page_.created_ms = *ms;
    }
    day("valid_from", page_.valid_from);
    day("valid_to", page_.valid_to);
    if (page_.day.empty()) page_.day = day_in_name(context_.path);
    if (context_.edit) return;
    if (page_.created_ms == 0 && page_.day.size() == 10) page_.created_ms = *time_of(page_.day);
    if (page_.created_ms == 0) page_.created_ms = context_.changed_ms;
  }

  void read_choices() {
    page_.origin.clear();
    text("origin", page_.origin);
    if (const auto value = front_.scalar("importance")) {
      int number = -1;
      std::from_chars(value->data(), value->data() + value->size(), number);
      if (number >= 0 && number <= limits::memory_importance)
        page_.importance = number;
      else
        report("importance", fmt::format("is a number from 0 to {}", limits::memory_importance));
    }
    if (const auto value = front_.scalar("pinned"))
      page_.pinned = equals_ignoring_case(*value, "true") || equals_ignoring_case(*value, "yes");
  }

  void read_kind() {
    if (const auto kind = front_.scalar("kind")) {
      const std::string lower = ascii_lower(*kind);
      if (check_kind(lower)) {
        page_.kind = lower;
        return;
      }
      report("kind", "'" + printable(*kind, 40) + "' is no kind of a page; it is kept as it is");
    }
    const bool said = !page_.session.empty() || !page_.speaker.empty();
    page_.kind = said ? "episode" : day_in_name(context_.path).empty() ? "fact" : "journal";
  }

  void read_title() {
    text("title", page_.title);
    if (!page_.title.empty()) return;
    page_.title = heading_of(page_.body);
    // What was said is its own title: the name of its file tells nothing.
    if (page_.title.empty() && !page_.speaker.empty()) return;
    const std::string stem(stem_of(context_.path));
    if (page_.title.empty())
      page_.title = stem;
    else if (fold_case(page_.title) != fold_case(stem) && page_.aliases.empty())
      page_.aliases.push_back(stem);  // by which other notes link to it
  }

  const FrontMatter& front_;
  const Document& document_;
  const FileContext& context_;
  std::vector<Problem>& problems_;
  NewPage page_;
};

void set_plain(FrontMatter& front, std::string_view key, const std::string& value) {
  if (value.empty())
    front.erase(key);
  else if (front.scalar(key).value_or("") != value)
    front.set_source(key, std::string(key) + ": " + value + "\n");
}

void set_text(FrontMatter& front, std::string_view key, const std::string& value) {
  if (value.empty() || front.scalar(key).value_or("") != value) front.set(key, value);
}

void set_list(FrontMatter& front, std::string_view key, const std::vector<std::string>& values) {
  if (values.empty() || front.list(key).value_or(std::vector<std::string>()) != values)
    front.set_list(key, values);
}

void set_time(FrontMatter& front, std::string_view key, WallMs ms) {
  const auto there = front.scalar(key);
  if (!there || time_of(*there) != ms)
    front.set_source(key, std::string(key) + ": " + time_text(ms) + "\n");
}

void set_extra(FrontMatter& front, const Json& extra) {
  for (const auto& [key, value] : extra.items()) {
    if (front.has(key)) continue;
    if (value.is_object() && value.contains("yaml") && value["yaml"].is_string())
      front.set_source(key, value["yaml"].get<std::string>());
    else if (value.is_array())
      front.set_list(key, value.get<std::vector<std::string>>());
    else if (value.is_string())
      front.set(key, value.get<std::string>());
  }
}

bool all_strings(const Json& value) {
  return !value.is_array() ||
         std::all_of(value.begin(), value.end(), [](const Json& one) { return one.is_string(); });
}

}  // namespace

NewPage page_of(const Document& document, const FileContext& context,
                std::vector<Problem>& problems) {
  return Reader(document, context, problems).run();
}

std::string_view id_key(const FrontMatter& front) {
  const auto id = front.scalar("id");
  const bool usable =
      trim(yaml::value_part(front.source("id"))).empty() || (id && is_ulid(upper(*id)));
  return usable ? "id" : "keel_id";
}

FrontMatter front_of(const Page& page) {
  FrontMatter front;
  if (page.extra.is_object() && page.extra.contains("id")) {
    // An id of the owner's own.
    Json id = Json::object();
    id["id"] = page.extra["id"];
    set_extra(front, id);
  }
  update_front(front, page);
  return front;
}

void update_front(FrontMatter& front, const Page& page) {
  set_plain(front, id_key(front), page.id);
  set_text(front, "title", page.title);
  set_list(front, "aliases", page.aliases);
  if (front.has("tag") && !front.has("tags")) front.erase("tag");
  set_list(front, "tags", page.tags);
  set_plain(front, "kind", page.kind);
  set_plain(front, "origin", page.origin);
  set_plain(front, "importance", page.importance == 1 ? "" : std::to_string(page.importance));
  set_plain(front, "pinned", page.pinned ? "true" : "");
  set_text(front, "session", page.session);
  set_text(front, "speaker", page.speaker);
  set_plain(front, "day", page.day);
  set_time(front, "created", page.created_ms);
  set_time(front, "updated", page.updated_ms);
  set_plain(front, "valid_from", page.valid_from);
  set_plain(front, "valid_to", page.valid_to);
  set_plain(front, "supersedes", page.supersedes);
  set_plain(front, "state", page.state == "live" ? "" : page.state);
  set_text(front, "source", page.source_uri);
  set_text(front, "turn", page.source_turn);
  set_text(front, "quote", page.source_quote);
  set_text(front, "gist", page.gist);
  set_text(front, "lang", page.lang);
  set_text(front, "author_model", page.author_model);
  set_plain(front, "rev", std::to_string(page.revision));
  set_plain(front, "hash", page.hash);
  if (page.extra.is_object() && std::all_of(page.extra.begin(), page.extra.end(),
                                            [](const Json& v) { return all_strings(v); }))
    set_extra(front, page.extra);
}

std::string path_of(const Page& page) {
  std::string slug;
  const std::string title = fold_case(page.title);
  for (std::size_t at = 0; at < title.size() && slug.size() < limits::folder_slug_bytes;) {
    const std::size_t begin = at;
    const char32_t c = next_code_point(title, at);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                        (c > 0x7f && c != 0xFFFD && !(c >= 0x2000 && c <= 0x206f) && c != 0xa0);
    if (letter)
      slug += title.substr(begin, at - begin);
    else if (!slug.empty() && slug.back() != '-')
      slug += '-';
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  if (slug.empty()) slug = "page";
  const std::string folder = page.kind == "journal" ? "journal" : "pages/" + page.kind;
  return folder + "/" + slug + "--" + page.id.substr(page.id.size() - 8) + ".md";
}

bool says_the_same(const NewPage& file, const NewPage& page) {
  NewPage whole = file;
  whole.updated_ms = page.updated_ms;
  if (file.created_ms == 0) whole.created_ms = page.created_ms;
  if (file.origin.empty()) whole.origin = page.origin;
  if (file.title.empty()) whole.title = page.title;
  return !file.id.empty() && whole == page;
}

MergedPage merge_pages(const NewPage& base, const NewPage& ours, const NewPage& theirs) {
  Merged body = merge_text(base.body, ours.body, theirs.body);
  MergedPage merged{theirs, std::move(body.conflicts)};
  NewPage& out = merged.page;
  out.body = std::move(body.text);
  out.updated_ms = 0;
  const auto take = [&](auto member) {
    if (ours.*member != base.*member) out.*member = ours.*member;
  };
  take(&NewPage::title);
  take(&NewPage::kind);
  if (!ours.origin.empty()) take(&NewPage::origin);
  take(&NewPage::importance);
  take(&NewPage::pinned);
  take(&NewPage::session);
  take(&NewPage::speaker);
  take(&NewPage::day);
  if (ours.created_ms != 0) take(&NewPage::created_ms);
  take(&NewPage::valid_from);
  take(&NewPage::valid_to);
  take(&NewPage::source_uri);
  take(&NewPage::source_turn);
  take(&NewPage::source_quote);
  take(&NewPage::gist);
  take(&NewPage::lang);
  take(&NewPage::author_model);
  take(&NewPage::extra);
  out.tags = merge_list(base.tags, ours.tags, theirs.tags);
  out.aliases = merge_list(base.aliases, ours.aliases, theirs.aliases);
  return merged;
}

}  // namespace keel::memory
