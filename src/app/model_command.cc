#include <fmt/core.h>

#include "app/commands.h"
#include "app/model_use.h"
#include "app/report.h"
#include "app/setup.h"
#include "base/text.h"
#include "model/local/gguf_check.h"
#include "model/shelf/meter.h"

namespace keel::app {
namespace {

std::string where(const config::ModelConfig& model) {
  return model.path.empty() ? model.base_url : model.path;
}

void print_models(const config::Config& config, const std::vector<shelf::Item>& files) {
  const std::string standard = default_name(config);
  for (const config::ModelConfig& model : config.models) {
    print(fmt::format("{} {:<12} {:<7} {}\n", model.name == standard ? "*" : " ", model.name,
                      model.kind, where(model)));
  }
  if (config.models.empty() && files.empty()) {
    print("No models. See what there is: keel model list --available\n");
  }
  if (files.empty()) return;
  print(
      fmt::format("\nIn {}, not in keel.toml yet (keel model use NAME):\n", config.models_path()));
  for (const shelf::Item& item : files) {
    print(fmt::format("  {:<20} {:>8}  {}\n", item.name, bytes_text(item.bytes), item.file));
  }
}

Status list(bool json) {
  config::Config config = TRY(need_config());
  const std::vector<shelf::Item> files = unnamed_files(config);
  if (!json) {
    print_models(config, files);
    return {};
  }
  const std::string standard = default_name(config);
  Json models = Json::array();
  for (const config::ModelConfig& model : config.models) {
    models.push_back({{"name", model.name},
                      {"kind", model.kind},
                      {"path", where(model)},
                      {"default", model.name == standard}});
  }
  Json shelf = Json::array();
  for (const shelf::Item& item : files) {
    shelf.push_back({{"name", item.name}, {"path", item.path}, {"bytes", item.bytes}});
  }
  print_json({{"models", std::move(models)}, {"shelf", std::move(shelf)}});
  return {};
}

Status use(const std::string& name) {
  const std::string used = TRY(use_model(name));
  print(fmt::format("{} is the default from now on.\n", used));
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
  const config::ModelConfig* model = TRY(find_model(config, name));
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
