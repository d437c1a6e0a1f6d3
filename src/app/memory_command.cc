#include <fmt/core.h>

#include "app/assembly.h"
#include "app/commands.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/limits.h"
#include "base/text.h"
#include "memory/memory.h"
#include "memory/render.h"

namespace keel::app {
namespace {

constexpr std::size_t title_bytes = 80;
constexpr std::size_t shown_id = 14;  // enough of an id to name a page

std::string page_line(const memory::Page& page) {
  return fmt::format("{}  {}  {:<10}  {}{}\n", page.id.substr(0, shown_id),
                     local_day(page.updated_ms), page.kind, page.pinned ? "[pinned] " : "",
                     printable(page.title, title_bytes));
}

std::string page_text(const memory::Page& page) {
  std::string out = fmt::format("# {}\n\n{}\n\n", page.title, trim(page.body));
  out += fmt::format("id       {}\nkind     {}\norigin   {}\nrevision {}\n", page.id, page.kind,
                     page.origin, page.revision);
  out += fmt::format("written  {}\nchanged  {}\n", iso_time(page.created_ms),
                     iso_time(page.updated_ms));
  if (!page.tags.empty()) out += "tags     " + join(page.tags, ", ") + "\n";
  if (!page.source_turn.empty()) out += "turn     " + page.source_turn + "\n";
  if (!page.source_quote.empty()) out += "quote    \"" + page.source_quote + "\"\n";
  return out;
}

std::string in_one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (!space)
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  return line;
}

Result<std::string> text_argument(const std::string& text) {
  if (text == "-") return read_message();
  TRY(check_message(text));
  return text;
}

Status add(const MemoryAddArguments& arguments) {
  memory::NewPage page;
  page.body = TRY(text_argument(arguments.text));
  std::string_view first_line = trim(std::string_view(page.body).substr(0, page.body.find('\n')));
  page.title = arguments.title.empty() ? shorten(first_line, title_bytes) : arguments.title;
  page.kind = arguments.kind;
  page.tags = arguments.tags;
  page.pinned = arguments.pinned;
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  memory::Added added = TRY(assembly->memory().add(page));
  if (arguments.json) {
    Json json = memory::page_json(added.page);
    json["merged"] = added.merged;
    print_json(json);
    return {};
  }
  print(fmt::format("{} {}\n", added.merged ? "Known already:" : "Remembered:", added.page.title));
  print("id " + added.page.id + "\n");
  return {};
}

Status search(const MemorySearchArguments& arguments) {
  TRY(check_message(arguments.query));
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  memory::Query query;
  query.text = arguments.query;
  query.limit = arguments.limit;
  memory::Retrieval found = TRY(assembly->memory().search(query));
  if (arguments.json) {
    print_json(memory::search_json(found));
    return {};
  }
  if (found.hits.empty()) print("Nothing found.\n");
  for (const memory::Hit& hit : found.hits) {
    print(fmt::format("{:6.2f}  {}  {}\n", hit.score, hit.page_id.substr(0, shown_id),
                      printable(hit.title, title_bytes)));
    if (!hit.snippet.empty())
      print("        " + printable(in_one_line(hit.snippet), 2 * title_bytes) + "\n");
  }
  if (!found.hits.empty()) print("keel memory why " + found.id + " explains the scores.\n");
  return {};
}

// Each retrieval of the turn asked again of the memory as it was.
Status replay(memory::Memory& memory, const std::vector<memory::Retrieval>& retrievals, bool json) {
  Json list = Json::array();
  bool same = true;
  for (const memory::Retrieval& retrieval : retrievals) {
    const memory::Replay again = TRY(memory.replay(retrieval.id));
    same = same && again.same;
    list.push_back({{"retrieval", retrieval.id},
                    {"same", again.same},
                    {"notes", again.notes},
                    {"then", memory::search_json(again.then)["results"]},
                    {"now", memory::search_json(again.now)["results"]}});
    if (!json) print(memory::replay_text(again));
  }
  if (json) print_json({{"same", same}, {"retrievals", std::move(list)}});
  return {};
}

Status why(std::string turn, bool json, bool again) {
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  if (turn.empty()) turn = TRY(assembly->memory().latest_turn());
  if (turn.empty()) {
    return fail(Code::not_found, "no turn has asked memory for anything yet",
                "Talk first: keel chat");
  }
  std::vector<memory::Retrieval> retrievals = TRY(assembly->memory().why(turn));
  if (again) return replay(assembly->memory(), retrievals, json);
  if (!json) {
    print(memory::why_text(retrievals));
    return {};
  }
  Json list = Json::array();
  for (const memory::Retrieval& retrieval : retrievals) list.push_back(memory::why_json(retrieval));
  print_json({{"turn", turn}, {"retrievals", std::move(list)}});
  return {};
}

Status show(const std::string& id, bool json) {
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  memory::Page page = TRY(assembly->memory().get(id));
  if (json) {
    print_json(memory::page_json(page));
  } else {
    print(page_text(page));
  }
  return {};
}

Status list(const std::string& kind, int limit, bool json) {
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  std::vector<memory::Page> pages = TRY(assembly->memory().list(kind, limit));
  if (json) {
    Json out = Json::array();
    for (const memory::Page& page : pages) out.push_back(memory::page_json(page));
    print_json({{"pages", std::move(out)}});
    return {};
  }
  if (pages.empty()) print("No pages.\n");
  for (const memory::Page& page : pages) print(page_line(page));
  return {};
}

Status forget(const std::string& id) {
  std::unique_ptr<Assembly> assembly = TRY(open_memory());
  print(std::string(trim(TRY(assembly->memory().forget(id)))) + "\n");
  return {};
}

}  // namespace

int memory_add_command(const MemoryAddArguments& arguments) {
  return report(add(arguments));
}
int memory_search_command(const MemorySearchArguments& arguments) {
  return report(search(arguments));
}
int memory_why_command(const std::string& turn, bool json, bool replay) {
  return report(why(turn, json, replay));
}
int memory_show_command(const std::string& id, bool json) {
  return report(show(id, json));
}
int memory_list_command(const std::string& kind, int limit, bool json) {
  return report(list(kind, limit, json));
}
int memory_forget_command(const std::string& id) {
  return report(forget(id));
}
}  // namespace keel::app
