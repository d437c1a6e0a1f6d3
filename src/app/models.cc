#include <fmt/core.h>

#include "app/assembly.h"
#include "model/cloud/cloud_model.h"
#include "model/cloud/prices.h"
#include "model/route/router.h"
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

bool in_the_cloud(const config::ModelConfig& model) {
  return model.kind == "anthropic" || model.kind == "openai";
}

Result<std::unique_ptr<model::Model>> cloud_model(const config::Config& config,
                                                  const config::ModelConfig& model,
                                                  net::Client& net) {
  if (config.route.local_only) {
    return fail(Code::permission,
                at_line(config, model) + " runs elsewhere, and route.local_only is on",
                "Use a local model, or take local_only out of keel.toml.");
  }
  model::CloudOptions options;
  options.name = model.name;
  options.dialect = model.kind == "anthropic"  ? msg::Dialect::anthropic
                    : model.api == "responses" ? msg::Dialect::responses
                                               : msg::Dialect::chat;
  options.base_url = cloud_address(model);
  options.model = model.model;
  options.api_key = model.api_key;
  options.context = model.context;
  options.temperature = model.temperature;
  options.prices = model::prices_for(options.dialect, model);
  return TRY(model::CloudModel::create(std::move(options), net));
}

Result<std::unique_ptr<model::Model>> make_model(const config::Config& config,
                                                 const config::ModelConfig& model,
                                                 net::Client& net) {
  if (model.kind == "local") return local_model(config, model);
  if (in_the_cloud(model)) return cloud_model(config, model, net);
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

std::string cloud_address(const config::ModelConfig& model) {
  if (!model.base_url.empty()) return model.base_url;
  return model.kind == "anthropic" ? "https://api.anthropic.com" : "https://api.openai.com/v1";
}

Status add_models(const config::Config& config, model::Router& router, net::Client& net) {
  for (const config::ModelConfig& model : config.models) {
    // It may stay in keel.toml; asking for it by name says why it is not there.
    if (in_the_cloud(model) && config.route.local_only) {
      router.bar(model.name, "it runs elsewhere, and route.local_only is on");
      continue;
    }
    router.add(TRY(make_model(config, model, net)));
  }
  router.set_maker(
      [home = config.home, &net](const std::string& name) -> Result<std::unique_ptr<model::Model>> {
        const config::Config now = TRY(config::load(home));
        for (const config::ModelConfig& model : now.models) {
          if (model.name == name) return make_model(now, model, net);
        }
        return fail(Code::not_found, now.path + " has no model " + name);
      });
  return {};
}

}  // namespace keel::app
