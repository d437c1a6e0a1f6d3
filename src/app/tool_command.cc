#include <fmt/core.h>

#include "app/assembly.h"
#include "app/commands.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/text.h"
#include "memory/memory.h"
#include "net/client.h"
#include "tool/registry.h"

namespace keel::app {
namespace {

// A keel.toml that cannot be read does not keep anybody from the tools' list.
Status add_known_tools(tool::Registry& registry) {
  const Result<config::Config> config = load_config();
  if (config && !config->notion.token.empty()) TRY(add_notion_tools(registry, nullptr));
  return add_tools(registry);
}

Status list(bool json) {
  tool::Registry registry;
  TRY(add_known_tools(registry));
  Json out = Json::array();
  for (const auto& tool : registry.tools()) {
    const msg::Tool& spec = tool->spec();
    if (json) {
      out.push_back({{"name", spec.name},
                     {"description", spec.description},
                     {"effect", tool::effect_name(tool->effect())},
                     {"sink", policy::sink_name(tool->sink())},
                     {"schema", spec.schema.json()}});
    } else {
      print(fmt::format("{:<14} {}\n", spec.name, spec.description));
    }
  }
  if (json) print_json({{"tools", std::move(out)}});
  return {};
}

Result<const tool::Tool*> find(const tool::Registry& registry, const std::string& name) {
  if (const tool::Tool* tool = registry.find(name)) return tool;
  std::vector<std::string> names;
  for (const auto& tool : registry.tools()) names.push_back(tool->spec().name);
  std::string near = nearest_name(name, names);
  return fail(Code::not_found, "there is no tool " + printable(name),
              near.empty() ? "keel tool list names them." : "Did you mean " + near + "?");
}

Status show(const std::string& name) {
  tool::Registry registry;
  TRY(add_known_tools(registry));
  const tool::Tool* tool = TRY(find(registry, name));
  print(fmt::format("{}\n{}\n\neffect {}, sink {}\narguments:\n{}\n", tool->spec().name,
                    tool->spec().description, tool::effect_name(tool->effect()),
                    policy::sink_name(tool->sink()), dump_json_pretty(tool->spec().schema.json())));
  return {};
}

Result<bool> run(const std::string& name, const std::string& arguments, bool json) {
  Json value = TRY(parse_json(arguments, "the arguments"));
  config::Config config = TRY(load_config());
  std::unique_ptr<Assembly> assembly = TRY(Assembly::open(config, Assembly::Extent::tools));
  TRY(find(assembly->tools(), name));
  tool::Context context{assembly->clock(),
                        assembly->memory(),
                        assembly->net(),
                        config.folders,
                        "command-line",
                        {},
                        arguments,
                        {},
                        {}};
  // An address that the owner typed is one that has been seen.
  if (std::string url = json_string_or(value, "url", ""); !url.empty())
    context.known_urls.push_back(url);
  tool::Outcome outcome = TRY(assembly->tools().invoke({name, arguments, {}}, context));
  if (json) {
    print_json({{"name", name}, {"ok", !outcome.is_error}, {"text", outcome.text}});
  } else {
    print(outcome.text + (outcome.text.ends_with('\n') ? "" : "\n"));
  }
  return !outcome.is_error;
}

}  // namespace

int tool_list_command(bool json) {
  return report(list(json));
}
int tool_show_command(const std::string& name) {
  return report(show(name));
}
int tool_run_command(const std::string& name, const std::string& arguments, bool json) {
  Result<bool> ok = run(name, arguments, json);
  if (!ok) return report(ok.error());
  return *ok ? exit_ok : exit_failed;
}

}  // namespace keel::app
