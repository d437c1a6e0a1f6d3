// The models of keel.toml by name, and the choice among them. First form: an explicit wish, else
// the model in use, else the default of keel.toml; each choice carries its rule and reason. Rules
// by task, cost and availability extend this.
//
// Threads: any.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/model.h"

namespace keel::model {

struct Choice {
  Model* model = nullptr;
  std::string name;
  std::string rule;    // explicit, in-use, default
  std::string reason;  // a sentence for the owner
};

class Router {
 public:
  void add(std::unique_ptr<Model> model);
  void set_default(std::string name);
  // Makes a model that use() is asked for and that was not there at the start: one that keel.toml
  // has gained since.
  using Maker = std::function<Result<std::unique_ptr<Model>>(const std::string& name)>;
  void set_maker(Maker maker);
  // From now on; the model that was in use before rests.
  Status use(const std::string& name);
  Result<Choice> choose(const std::string& wish) const;
  Result<Model*> find(const std::string& name) const;
  std::vector<Info> infos() const;
  std::string current() const;  // empty if there is no model

 private:
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Model>> models_;
  std::string default_;
  std::string in_use_;
  Maker maker_;
};

}  // namespace keel::model
