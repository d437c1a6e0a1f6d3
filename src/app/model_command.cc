#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>

#include "app/commands.h"
#include "app/config_edit.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/limits.h"
#include "base/text.h"
#include "gateway/client.h"
#include "model/local/gguf_check.h"
#include "rt/file.h"

namespace keel::app {
namespace {

std::string default_name(const config::Config& config) {
  if (!config.route.default_model.empty()) return config.route.default_model;
  return config.models.empty() ? std::string() : config.models.front().name;
}

Result<const config::ModelConfig*> find(const config::Config& config, const std::string& name) {
  std::vector<std::string> names;
  for (const config::ModelConfig& model : config.models) {
    if (model.name == name) return &model;
    names.push_back(model.name);
  }
  if (names.empty())
    return fail(Code::not_found, config.path + " names no model", "Add a [[model]] to it.");
  return fail(Code::not_found, fmt::format("{} has no model {}", config.path, printable(name)),
              "There are: " + join(names, ", "));
}

std::string where(const config::ModelConfig& model) {
  return model.path.empty() ? model.base_url : model.path;
}

Status list(bool json) {
  config::Config config = TRY(need_config());
  std::string standard = default_name(config);
  Json out = Json::array();
  for (const config::ModelConfig& model : config.models) {
    bool is_default = model.name == standard;
    if (json) {
      out.push_back({{"name", model.name},
                     {"kind", model.kind},
                     {"path", where(model)},
                     {"default", is_default}});
    } else {
      print(fmt::format("{} {:<12} {:<7} {}\n", is_default ? "*" : " ", model.name, model.kind,
                        where(model)));
    }
  }
  if (json) print_json({{"models", std::move(out)}});
  if (!json && config.models.empty()) print("No models. Add a [[model]] to " + config.path + ".\n");
  return {};
}

Status use(const std::string& name) {
  config::Config config = TRY(need_config());
  TRY(find(config, name));
  std::string text = TRY(rt::read_file(config.path, limits::config_bytes));
  std::string changed = with_default_model(text, name);
  config::Config check = TRY(config::parse(changed, config.home, config.path));
  if (default_name(check) != name) {
    return fail(Code::config, config.path + " could not be changed by itself",
                "Write default = \"" + name + "\" under [route].");
  }
  TRY(rt::write_file(config.path, changed));
  print(fmt::format("{} is the default from now on.\n", name));
  // A daemon that runs follows at once; without one there is nothing to tell.
  if (Result<std::unique_ptr<gateway::Client>> daemon =
          gateway::Client::connect(config.socket_path())) {
    TRY((*daemon)->use_model(name));
  }
  return {};
}

Result<Json> file_facts(const config::ModelConfig& model) {
  local::GgufInfo info = TRY(local::check_gguf(model.path));
  return Json{{"architecture", info.architecture},
              {"title", info.name},
              {"size", info.size_label},
              {"quantisation", info.quantisation},
              {"parameters", info.parameters},
              {"trained_context", info.context_length},
              {"tensors", info.tensors},
              {"bytes", info.file_bytes},
              {"chat_template", info.has_chat_template}};
}

Status info(std::string name, bool json) {
  config::Config config = TRY(need_config());
  if (name.empty()) name = default_name(config);
  const config::ModelConfig* model = TRY(find(config, name));
  Json out{{"name", model->name}, {"kind", model->kind}, {"path", where(*model)}};
  if (model->kind == "local") out.update(TRY(file_facts(*model)));
  if (json) {
    print_json(out);
    return {};
  }
  for (const auto& [key, value] : out.items()) {
    print(fmt::format("{:<16} {}\n", key,
                      value.is_string() ? printable(value.get<std::string>()) : dump_json(value)));
  }
  return {};
}

}  // namespace

int model_list_command(bool json) {
  return report(list(json));
}
int model_use_command(const std::string& name) {
  return report(use(name));
}
int model_info_command(const std::string& name, bool json) {
  return report(info(name, json));
}

}  // namespace keel::app
