#include "app/plan_text.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include "base/text.h"

namespace keel::app {

Result<const config::ModelConfig*> find_local_model(const config::Config& config,
                                                    std::string name) {
  if (name.empty()) name = config.route.default_model;
  std::vector<std::string> names;
  for (const config::ModelConfig& model : config.models) {
    if (model.kind != "local") continue;
    if (name.empty() || model.name == name) return &model;
    names.push_back(model.name);
  }
  return fail(
      Code::not_found, fmt::format("{} has no local model {}", config.path, printable(name)),
      names.empty() ? "Add a [[model]] of kind \"local\"." : "There are: " + join(names, ", "));
}

Result<local::Fit> fit_of(const config::Config& config, const config::ModelConfig& model) {
  local::FitOptions options;
  options.path = model.path;
  struct stat found{};
  if (::stat(config.home.c_str(), &found) == 0) options.home = config.home;
  options.environment = config::child_environment();
  options.context = static_cast<int>(model.context);
  options.threads = model.threads;
  options.gpu = model.gpu;
  return local::fit_model(options, TRY(local::settings_for(options)));
}

std::string plan_summary(const local::Fit& fit) {
  const budget::Plan& plan = fit.plan;
  std::string text =
      fmt::format("needs {} of {} that keel can have ({} in all, {} left to others)",
                  bytes_text(plan.need_bytes), bytes_text(plan.room_bytes),
                  bytes_text(fit.machine.most_bytes()), bytes_text(plan.reserve_bytes));
  if (plan.device_bytes > 0) {
    text += fmt::format(", {} of {} on {}", bytes_text(plan.device_bytes),
                        bytes_text(plan.device_room_bytes),
                        fit.needs.devices.empty() ? "a device" : fit.needs.devices.front().name);
  }
  return text + fmt::format("; context {} tokens, {} read at once", plan.context, plan.batch);
}

std::vector<std::string> plan_rows(const budget::Plan& plan) {
  std::vector<std::string> rows;
  for (const budget::Line& line : plan.lines)
    rows.push_back(fmt::format("{:<20} {:>8}  {}", line.what, bytes_text(line.bytes), line.why));
  if (!plan.lock_why.empty())
    rows.push_back(fmt::format("{:<20} {:>8}  {}", "weights locked", "", plan.lock_why));
  for (const std::string& shrunk : plan.shrunk)
    rows.push_back(fmt::format("{:<20} {:>8}  {}", "made smaller", "", shrunk));
  return rows;
}

Json plan_json(const local::Fit& fit) {
  const budget::Plan& plan = fit.plan;
  Json lines = Json::array();
  for (const budget::Line& line : plan.lines)
    lines.push_back({{"what", line.what}, {"bytes", line.bytes}, {"why", line.why}});
  Json out = {{"context", plan.context},
              {"batch", plan.batch},
              {"cache", plan.cache},
              {"parked_bytes", plan.parked_bytes},
              {"lock", plan.lock},
              {"need_bytes", plan.need_bytes},
              {"fixed_bytes", plan.fixed_bytes},
              {"room_bytes", plan.room_bytes},
              {"reserve_bytes", plan.reserve_bytes},
              {"device_bytes", plan.device_bytes},
              {"device_room_bytes", plan.device_room_bytes},
              {"lines", std::move(lines)},
              {"shrunk", plan.shrunk},
              {"advice", plan.advice},
              {"tight", plan.tight},
              {"fits", !plan.refusal && !plan.tight},
              {"needs", budget::to_json(fit.needs)}};
  if (plan.refusal)
    out["refusal"] = {{"message", plan.refusal->message}, {"hint", plan.refusal->hint}};
  if (plan.wired) {
    out["wired_limit"] = {{"mb", plan.wired->mb},
                          {"command", plan.wired->command},
                          {"undo", plan.wired->undo},
                          {"kept_free_bytes", plan.wired->kept_free}};
  }
  return out;
}

}  // namespace keel::app
