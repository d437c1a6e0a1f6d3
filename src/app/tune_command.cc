#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "app/commands.h"
#include "app/plan_text.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/text.h"
#include "model/local/tune.h"
#include "rt/file.h"

namespace keel::app {
namespace {

Result<local::TuneOptions> options_for(const config::Config& config,
                                       const config::ModelConfig& model) {
  TRY(rt::make_folder(config.home));
  local::TuneOptions options;
  options.model_path = model.path;
  options.home = config.home;
  options.environment = config::child_environment();
  return options;
}

// One line on standard error that is written over, where that is a terminal.
local::OnTrial progress_line(bool quiet) {
  if (quiet || ::isatty(STDERR_FILENO) == 0) return {};
  return [](int done, int of, const std::string& what) {
    fmt::print(stderr, "\r\x1b[Kmeasuring {} of at most {}: {}", done + 1, of, what);
    std::fflush(stderr);
  };
}

void end_line(bool quiet) {
  if (!quiet && ::isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\r\x1b[K");
}

Json settings_json(const local::EngineSettings& settings) {
  return {{"library", settings.library}, {"attention", settings.attention},
          {"cache", settings.cache},     {"threads", settings.threads},
          {"batch", settings.batch},     {"repack", settings.repack}};
}

void print_profile(const local::Profile& profile, const std::string& home) {
  print(fmt::format("{:<64} {:>8} {:>8}  {}\n",
                    "tokens a second behind " + std::to_string(profile.depth) + " others",
                    "reading", "writing", "a turn"));
  bool first = true;
  const local::Trial* usual = &profile.trials.front();
  double best_seconds = usual->turn_seconds;
  for (const local::Trial& trial : profile.trials) {
    const std::string name =
        (first ? "llama.cpp by itself: " : "") + local::settings_text(trial.settings);
    first = false;
    if (!trial.failed.empty()) {
      print(fmt::format("{:<64} {}\n", name, printable(trial.failed)));
      continue;
    }
    print(fmt::format("{:<64} {:>8.1f} {:>8.1f}  {:.1f} s\n", name, trial.read_tps, trial.write_tps,
                      trial.turn_seconds));
    best_seconds = std::min(best_seconds, trial.turn_seconds);
  }
  print(
      fmt::format("\n{}: a turn of 300 tokens read and 100 written is {:.2f} times as fast as "
                  "llama.cpp by itself.\nKept in {}/profile.json ({:.0f} s).\n",
                  local::settings_text(profile.best), usual->turn_seconds / best_seconds, home,
                  profile.took_seconds));
}

Status tune(const std::string& name, bool json) {
  config::Config config = TRY(need_config());
  const config::ModelConfig* model = TRY(find_local_model(config, name));
  const local::TuneOptions options = TRY(options_for(config, *model));
  Result<local::Profile> profile = local::tune(options, progress_line(json), {});
  end_line(json);
  if (!profile) return tl::unexpected(profile.error());
  if (!json) {
    print_profile(*profile, config.home);
    return {};
  }
  Json trials = Json::array();
  for (const local::Trial& trial : profile->trials) {
    Json row = settings_json(trial.settings);
    row.update({{"failed", trial.failed},
                {"read_tps", trial.read_tps},
                {"write_tps", trial.write_tps},
                {"turn_seconds", trial.turn_seconds}});
    trials.push_back(std::move(row));
  }
  print_json({{"model", model->name},
              {"best", settings_json(profile->best)},
              {"depth", profile->depth},
              {"seconds", profile->took_seconds},
              {"trials", std::move(trials)}});
  return {};
}

Status bench(const std::string& name, bool json) {
  config::Config config = TRY(need_config());
  const config::ModelConfig* model = TRY(find_local_model(config, name));
  const local::TuneOptions options = TRY(options_for(config, *model));
  Result<local::Bench> result = local::bench(options, progress_line(json), {});
  end_line(json);
  if (!result) return tl::unexpected(result.error());
  Json rows = Json::array();
  if (!json) {
    print(fmt::format("{}: {}\n", model->name, local::settings_text(result->settings)));
    if (result->memory_bytes_per_second > 0)
      print(fmt::format("memory is read at {:.1f} GB/s\n", result->memory_bytes_per_second / 1e9));
    print(fmt::format("\n{:>8} {:>10} {:>10} {:>14}\n", "depth", "reading", "writing",
                      result->memory_bytes_per_second > 0 ? "memory allows" : ""));
  }
  for (const local::DepthSpeed& row : result->rows) {
    rows.push_back({{"depth", row.depth},
                    {"read_tps", row.read_tps},
                    {"write_tps", row.write_tps},
                    {"write_limit_tps", row.write_limit_tps}});
    if (json) continue;
    print(fmt::format("{:>8} {:>10.1f} {:>10.1f}", row.depth, row.read_tps, row.write_tps));
    if (row.write_limit_tps > 0)
      print(fmt::format(" {:>8.1f} ({:.0f}%)", row.write_limit_tps,
                        100.0 * row.write_tps / row.write_limit_tps));
    print("\n");
  }
  if (json) {
    print_json({{"model", model->name},
                {"settings", settings_json(result->settings)},
                {"memory_bytes_per_second", result->memory_bytes_per_second},
                {"rows", std::move(rows)}});
  }
  return {};
}

}  // namespace

int model_tune_command(const std::string& name, bool json) {
  return report(tune(name, json));
}
int model_bench_command(const std::string& name, bool json) {
  return report(bench(name, json));
}

}  // namespace keel::app
