// keel memory extract: what would be kept of a message. Nothing is written.
#include <fmt/format.h>

#include <optional>

#include "agent/writing/extractor.h"
#include "app/assembly.h"
#include "app/commands.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/text.h"
#include "memory/memory.h"
#include "memory/writing/extraction.h"

namespace keel::app {
namespace {

struct Outcome {
  std::vector<memory::NewPage> by_rules;
  std::optional<agent::Extraction> by_model;
  std::string why_not;  // no model was asked
};

Result<Outcome> look_at(Assembly& assembly, const std::string& message) {
  Outcome outcome{memory::significant(message, ""), {}, {}};
  if (!memory::may_hold_more(message)) {
    outcome.why_not = "nothing in it that the rules may have missed";
    return outcome;
  }
  const std::optional<model::Choice> choice =
      TRY(agent::extracting_model(assembly.router(), "main", false));
  if (!choice) {
    outcome.why_not =
        "no model on this machine may be asked; a [[route.rule]] with channel = \"memory\" can "
        "name another one";
    return outcome;
  }
  outcome.by_model =
      TRY(agent::extract(assembly.router(), *choice, message, "", model::Priority::owner, {}));
  return outcome;
}

Json pages_json(const std::vector<memory::NewPage>& pages) {
  Json list = Json::array();
  for (const memory::NewPage& page : pages) {
    Json one{{"kind", page.kind}, {"quote", page.source_quote}, {"body", page.body}};
    if (!page.gist.empty()) one["gist"] = page.gist;
    for (const char* key : {"subject", "attribute", "value"})
      if (page.extra.contains(key)) one[key] = page.extra[key];
    list.push_back(std::move(one));
  }
  return list;
}

Json outcome_json(const std::string& message, const Outcome& outcome) {
  Json json{{"message", message}, {"rules", pages_json(outcome.by_rules)}};
  if (!outcome.by_model) {
    json["why_not"] = outcome.why_not;
    return json;
  }
  json["model"] = outcome.by_model->model;
  json["found"] = pages_json(outcome.by_model->pages);
  json["ms"] = outcome.by_model->timings.total_ms;
  json["prompt_tokens"] = outcome.by_model->usage.prompt_tokens;
  json["cached_tokens"] = outcome.by_model->usage.cached_tokens;
  json["completion_tokens"] = outcome.by_model->usage.completion_tokens;
  return json;
}

std::string pages_text(const std::vector<memory::NewPage>& pages) {
  if (pages.empty()) return "  nothing\n";
  std::string text;
  for (const memory::NewPage& page : pages) {
    text += fmt::format("  {:<10}  \"{}\"\n", page.kind, printable(page.source_quote, 200));
    if (page.extra.contains("subject"))
      text += fmt::format(
          "              {} of {}: {}\n", json_string_or(page.extra, "attribute", ""),
          json_string_or(page.extra, "subject", ""), json_string_or(page.extra, "value", ""));
  }
  return text;
}

std::string outcome_text(const Outcome& outcome) {
  std::string text = "By rules:\n" + pages_text(outcome.by_rules);
  if (!outcome.by_model) return text + "The model is not asked: " + outcome.why_not + ".\n";
  return text +
         fmt::format("By the model {} ({:.1f} s):\n", outcome.by_model->model,
                     outcome.by_model->timings.total_ms / 1000.0) +
         pages_text(outcome.by_model->pages);
}

Status show(Assembly& assembly, const std::string& message, bool json) {
  TRY(check_message(message));
  const Outcome outcome = TRY(look_at(assembly, message));
  if (json)
    print(dump_json(outcome_json(message, outcome)) + "\n");
  else
    print(outcome_text(outcome));
  return {};
}

Status extract(const MemoryExtractArguments& arguments) {
  const std::string text = arguments.text == "-" ? TRY(read_message()) : arguments.text;
  TRY(check_message(text));
  const auto assembly = TRY(Assembly::open(TRY(need_config()), Assembly::Extent::agent));
  if (arguments.text != "-") return show(*assembly, text, arguments.json);
  for (const std::string_view line : split(text, '\n')) {
    if (!trim(line).empty()) TRY(show(*assembly, std::string(trim(line)), arguments.json));
  }
  return {};
}

}  // namespace

int memory_extract_command(const MemoryExtractArguments& arguments) {
  return report(extract(arguments));
}

}  // namespace keel::app
