#include "tool/recall_tool.h"

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"
#include "memory/memory.h"
#include "memory/writing/day_page.h"

namespace keel::tool {
namespace {

constexpr std::size_t kIdShown = 26;

policy::Integrity integrity_of(std::string_view origin) {
  if (origin == "owner") return policy::Integrity::owner;
  if (origin == "agent") return policy::Integrity::agent;
  // Imported pages were written elsewhere; nobody has looked at them.
  return origin == "import" ? policy::Integrity::paired : policy::Integrity::web;
}

std::string terms_text(const memory::Retrieval& retrieval) {
  std::vector<std::string> words;
  for (const memory::QueryTerm& term : retrieval.terms) {
    if (std::find(words.begin(), words.end(), term.term) == words.end()) words.push_back(term.term);
  }
  return words.empty() ? "none" : join(words, ", ");
}

// What is shown of a long page: the day in a few lines, where it is one, and where the words stand.
std::string body_text(const memory::Page& page, const memory::Hit& hit) {
  if (page.kind != "journal" || page.body.size() <= limits::recall_tool_body_bytes)
    return shorten(page.body, limits::recall_tool_body_bytes);
  return memory::digest_of_day(page.body, limits::day_digest_bytes) + "\n\n" + hit.snippet;
}

std::string page_text(const memory::Page& page, const memory::Hit& hit) {
  std::string out = "[" + page.id.substr(0, kIdShown) + "] " + page.title + " (" + page.kind +
                    ", " + local_day(page.updated_ms);
  if (integrity_of(page.origin) >= policy::Integrity::paired) out += ", not from the owner";
  out += ")";
  if (page.body != page.title) out += "\n" + body_text(page, hit);
  return out;
}

class RecallTool final : public Tool {
 public:
  const msg::Tool& spec() const override { return spec_; }
  Effect effect() const override { return Effect::pure; }
  policy::Sink sink() const override { return policy::Sink::none; }

 private:
  Result<Outcome> run(const Json& arguments, Context& context) override {
    memory::Query query;
    query.text = TRY(json_string(arguments, "query"));
    query.trigger = "tool";
    query.turn = context.turn;
    query.limit = limits::recall_tool_pages;
    const memory::Retrieval retrieval = TRY(context.memory.search(query));
    Outcome outcome;
    if (retrieval.hits.empty()) {
      outcome.text = "Nothing in memory matched. Looked for: " + terms_text(retrieval) + ".";
      return outcome;
    }
    outcome.confidentiality = policy::Confidentiality::personal;
    std::vector<std::string> shown;
    std::size_t kept_back = 0;
    for (const memory::Hit& hit : retrieval.hits) {
      const Result<memory::Page> page = context.memory.get(hit.page_id);
      if (!page) {
        if (page.error().code == Code::not_found) continue;  // forgotten since the search
        return pass(page.error());
      }
      if (memory::has_tag(*page, context.private_tags)) {
        if (!context.shows_private) {
          ++kept_back;
          continue;
        }
        outcome.confidentiality = policy::Confidentiality::secret;
      }
      outcome.text += (outcome.text.empty() ? "" : "\n\n") + page_text(*page, hit);
      outcome.integrity = std::max(outcome.integrity, integrity_of(page->origin));
      shown.push_back(page->id);
    }
    if (kept_back > 0) {
      outcome.text += (outcome.text.empty() ? "" : "\n\n") + std::to_string(kept_back) +
                      " private page(s) were found and are not shown to you, because you do not "
                      "run on the owner's machine.";
    }
    TRY(context.memory.mark_injected(retrieval.id, shown));
    return outcome;
  }

  msg::Tool spec_{"recall",
                  "Search what was saved in memory. Use it before saying you do not know.",
                  schema_literal(R"json({"type":"object","properties":{
                    "query":{"type":"string","minLength":1,"description":"a few keywords"}},
                    "required":["query"],"additionalProperties":false})json")};
};

}  // namespace

std::unique_ptr<Tool> make_recall_tool() {
  return std::make_unique<RecallTool>();
}

}  // namespace keel::tool
