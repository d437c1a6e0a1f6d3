#include "app/model_use.h"

#include <fmt/core.h>

#include <algorithm>

#include "app/config_edit.h"
#include "app/setup.h"
#include "base/limits.h"
#include "base/text.h"
#include "gateway/client.h"
#include "model/local/gguf_check.h"
#include "rt/file.h"

namespace keel::app {
namespace {

struct Entry {
  std::string name;  // in keel.toml
  std::string text;  // of keel.toml, with it
};

// What is meant by `name`: an entry, or a file of the shelf by its own name, whether keel.toml has
// an entry for that or not.
Result<Entry> entry_for(const config::Config& config, const std::string& text,
                        const std::string& name) {
  const Result<const config::ModelConfig*> known = find_model(config, name);
  if (known) return Entry{name, text};
  std::vector<std::string> others;
  for (const shelf::Item& item : shelf::items(config.models_path())) {
    if (item.name != name && item.file != name) {
      others.push_back(item.name);
      continue;
    }
    for (const config::ModelConfig& model : config.models) {
      if (model.path == item.path) return Entry{model.name, text};
    }
    TRY(local::check_gguf(item.path));
    return Entry{item.name, with_local_model(text, item.name, "models/" + item.file)};
  }
  Error error = known.error();
  if (!others.empty()) error.hint += "\nOn the shelf: " + join(others, ", ");
  error.hint += "\nTo fetch one: keel model list --available";
  return tl::unexpected(std::move(error));
}

}  // namespace

std::string default_name(const config::Config& config) {
  if (!config.route.default_model.empty()) return config.route.default_model;
  return config.models.empty() ? std::string() : config.models.front().name;
}

Result<const config::ModelConfig*> find_model(const config::Config& config,
                                              const std::string& name) {
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

std::vector<shelf::Item> unnamed_files(const config::Config& config) {
  std::vector<shelf::Item> items = shelf::items(config.models_path());
  std::erase_if(items, [&](const shelf::Item& item) {
    return std::any_of(config.models.begin(), config.models.end(),
                       [&](const config::ModelConfig& model) { return model.path == item.path; });
  });
  return items;
}

Result<std::string> use_model(const std::string& name) {
  const config::Config config = TRY(need_config());
  const std::string text = TRY(rt::read_file(config.path, limits::config_bytes));
  const Entry entry = TRY(entry_for(config, text, name));
  const std::string changed = with_default_model(entry.text, entry.name);
  const config::Config check = TRY(config::parse(changed, config.home, config.path));
  if (default_name(check) != entry.name) {
    return fail(Code::config, config.path + " could not be changed by itself",
                "Write default = \"" + entry.name + "\" under [route].");
  }
  TRY(rt::write_file(config.path, changed));
  // A daemon that runs follows at once, also to a model that is new; without one there is nothing
  // to tell.
  if (Result<std::unique_ptr<gateway::Client>> daemon =
          gateway::Client::connect(config.socket_path())) {
    TRY((*daemon)->use_model(entry.name));
  }
  return entry.name;
}

}  // namespace keel::app
