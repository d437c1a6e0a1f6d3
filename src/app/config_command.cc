#include <fmt/core.h>

#include "app/commands.h"
#include "app/report.h"
#include "app/setup.h"

namespace keel::app {

int config_check_command() {
  Result<config::Config> config = need_config();
  if (!config) return report(config.error());
  for (const std::string& note : config->notes) print(note + "\n");
  print(fmt::format("{}: ok, {} model{}\n", config->path, config->models.size(),
                    config->models.size() == 1 ? "" : "s"));
  return exit_ok;
}

}  // namespace keel::app
