#include <fmt/core.h>

#include "app/assembly.h"
#include "model/router.h"
#include "model/script.h"
#ifdef KEEL_WITH_LLAMA
#include "model/local/local_model.h"
#endif

namespace keel::app {
namespace {

std::string at_line(const config::Config& config, const config::ModelConfig& model) {
  return fmt::format("{}:{}: the model {}", config.path, model.line, model.name);
}

#ifdef KEEL_WITH_LLAMA
Result<std::unique_ptr<model::Model>> local_model(const config::Config& config,
                                                  const config::ModelConfig& model) {
  local::LocalOptions options;
  options.name = model.name;
  options.path = model.path;
  options.home = config.home;
  options.context = static_cast<int>(model.context);
  options.threads = model.threads;
  options.gpu = model.gpu;
  options.environment = config::child_environment();
  return local::LocalModel::create(std::move(options));
}
#else
Result<std::unique_ptr<model::Model>> local_model(const config::Config& config,
                                                  const config::ModelConfig& model) {
  return fail(
      Code::unsupported,
      at_line(config, model) + " is local, but this keel was built without the local engine",
      "Build it with the engine (./dev build), or use a model of another kind.");
}
#endif

Result<std::unique_ptr<model::Model>> make_model(const config::Config& config,
                                                 const config::ModelConfig& model) {
  if (model.kind == "local") return local_model(config, model);
  if (model.kind == "script") {
    model::ScriptOptions options;
    options.name = model.name;
    options.path = model.path;
    options.context = model.context;
    return TRY(model::ScriptModel::open(options));
  }
  return fail(Code::unsupported,
              fmt::format("{} is of kind {}, which this version of keel cannot use yet",
                          at_line(config, model), model.kind),
              "Use kind = \"local\" with a GGUF file.");
}

}  // namespace

Status add_models(const config::Config& config, model::Router& router) {
  for (const config::ModelConfig& model : config.models) router.add(TRY(make_model(config, model)));
  router.set_maker(
      [home = config.home](const std::string& name) -> Result<std::unique_ptr<model::Model>> {
        const config::Config now = TRY(config::load(home));
        for (const config::ModelConfig& model : now.models) {
          if (model.name == name) return make_model(now, model);
        }
        return fail(Code::not_found, now.path + " has no model " + name);
      });
  return {};
}

}  // namespace keel::app
