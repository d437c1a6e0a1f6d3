#include <fmt/core.h>

#include "app/commands.h"
#include "app/plan_text.h"
#include "app/report.h"
#include "app/setup.h"

namespace keel::app {
namespace {

void print_plan(const std::string& name, const local::Fit& fit) {
  print(fmt::format("{} ({}) {}\n\n", name, fit.needs.description, plan_summary(fit)));
  for (const std::string& row : plan_rows(fit.plan)) print("  " + row + "\n");
  for (const std::string& advice : fit.plan.advice) print("\n" + advice + "\n");
}

Status explain(const ModelMemoryArguments& arguments) {
  config::Config config = TRY(need_config());
  const config::ModelConfig* model = TRY(find_local_model(config, arguments.name));
  const local::Fit fit = TRY(fit_of(config, *model));
  if (arguments.launchd) {
    if (!fit.plan.wired) {
      return fail(Code::not_found,
                  "no other limit of a graphics processor is needed for this model",
                  fit.plan.refusal ? fit.plan.refusal->message : "It is loaded as things are.");
    }
    print(budget::launchd_text(*fit.plan.wired));
    return {};
  }
  if (arguments.json) {
    Json out = plan_json(fit);
    out["model"] = model->name;
    print_json(out);
    return {};
  }
  print_plan(model->name, fit);
  if (fit.plan.refusal) return tl::unexpected(*fit.plan.refusal);
  return {};
}

}  // namespace

int model_memory_command(const ModelMemoryArguments& arguments) {
  return report(explain(arguments));
}

}  // namespace keel::app
