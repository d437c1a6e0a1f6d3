#include "model/router.h"

#include <utility>

#include "base/text.h"

namespace keel::model {

void Router::add(std::unique_ptr<Model> model) {
  std::lock_guard lock(mutex_);
  models_.push_back(std::move(model));
}

void Router::set_default(std::string name) {
  std::lock_guard lock(mutex_);
  default_ = std::move(name);
}

void Router::set_maker(Maker maker) {
  std::lock_guard lock(mutex_);
  maker_ = std::move(maker);
}

Status Router::use(const std::string& name) {
  Result<Model*> known = find(name);
  Maker maker;
  {
    std::lock_guard lock(mutex_);
    maker = maker_;
  }
  if (!known && maker) {
    Result<std::unique_ptr<Model>> made = maker(name);
    // Without such a model the answer that names those there are is the better one.
    if (!made && made.error().code != Code::not_found) return pass(made.error());
    if (made && !find(name)) add(std::move(*made));
    known = find(name);
  }
  if (!known) return pass(known.error());
  const Result<Choice> before = choose("");
  {
    std::lock_guard lock(mutex_);
    in_use_ = name;
  }
  if (before && before->model != *known) before->model->rest();
  return {};
}

Result<Choice> Router::choose(const std::string& wish) const {
  if (!wish.empty()) {
    return Choice{TRY(find(wish)), wish, "explicit", "This message asked for " + wish + "."};
  }
  std::string in_use;
  std::string standard;
  std::string first;
  {
    std::lock_guard lock(mutex_);
    in_use = in_use_;
    standard = default_;
    if (!models_.empty()) first = models_.front()->info().name;
  }
  if (!in_use.empty()) {
    return Choice{TRY(find(in_use)), in_use, "in-use",
                  "You chose " + in_use + " for the time being."};
  }
  if (!standard.empty()) {
    return Choice{TRY(find(standard)), standard, "default",
                  standard + " is the default of keel.toml."};
  }
  if (first.empty()) {
    return fail(Code::config, "there is no model to answer with",
                "Add a [[model]] to keel.toml, or run: keel model pull");
  }
  return Choice{TRY(find(first)), first, "default", first + " is the first model of keel.toml."};
}

Result<Model*> Router::find(const std::string& name) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const std::unique_ptr<Model>& model : models_) {
    names.push_back(model->info().name);
    if (names.back() == name) return model.get();
  }
  if (names.empty()) {
    return fail(Code::not_found,
                "there is no model named \"" + printable(name) + "\": there are none",
                "Add a [[model]] to keel.toml, or run: keel model pull");
  }
  const std::string near = nearest_name(name, names);
  return fail(
      Code::not_found, "there is no model named \"" + printable(name) + "\"",
      (near.empty() ? "" : "Did you mean " + near + "? ") + "There are: " + join(names, ", "));
}

std::vector<Info> Router::infos() const {
  std::lock_guard lock(mutex_);
  std::vector<Info> infos;
  for (const std::unique_ptr<Model>& model : models_) infos.push_back(model->info());
  return infos;
}

std::string Router::current() const {
  Result<Choice> choice = choose("");
  return choice ? choice->name : "";
}

}  // namespace keel::model
