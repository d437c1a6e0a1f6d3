// The models of keel.toml by name, the choice among them, and the one way to ask them: around each
// call stand the circuit breaker of its model and, where it costs money, the budget. decide.h says
// how is chosen.
//
// Threads: any.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "account/budget.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "model/model.h"
#include "model/route/breaker.h"
#include "model/route/decide.h"
#include "model/route/power.h"

namespace keel::model {

// Who answers, and the whole decision behind it.
struct Choice {
  Model* model = nullptr;
  std::string name;
  std::string rule;
  std::string reason;  // a sentence for the owner
  bool elsewhere = false;
  bool withholds = false;  // private pages and turns must be left out
  Decision decision;
};

class Router {
 public:
  // `clock` and `budget` must outlive the router; without a budget nothing is reserved.
  explicit Router(const Clock& clock, config::RouteConfig route = {},
                  account::Budget* budget = nullptr);

  void add(std::unique_ptr<Model> model);
  // A model of keel.toml that must not be used: no rule and no wish can reach it.
  void bar(const std::string& name, const std::string& why);
  // Makes a model that use() is asked for and that was not there at the start: one that keel.toml
  // has gained since.
  using Maker = std::function<Result<std::unique_ptr<Model>>(const std::string& name)>;
  void set_maker(Maker maker);
  // In place of this machine's own battery; before the first choice.
  void set_power(std::function<Power()> power) { power_ = std::move(power); }
  // From now on, where no rule says otherwise; the model that was in use before rests.
  Status use(const std::string& name);

  // Decides; `turn` may be empty. Errors as decide(). Whoever it is, ask() asks.
  Result<Choice> choose(const Needs& needs, const std::string& turn = {});
  // Asks the chosen model. Also Code::unavailable: its breaker is open by now, or the budget does
  // not reach any more.
  Result<Response> ask(const Choice& choice, const Request& request, const Sink& sink,
                       std::stop_token stop);

  Result<Model*> find(const std::string& name) const;
  std::vector<Info> infos() const;
  std::string current() const;  // who answers where no rule fits; empty if there is no model
  const config::RouteConfig& route() const { return route_; }
  // Whether any rule looks at what the task is; at the battery.
  bool asks_for_code() const;
  bool asks_for_battery() const;
  // Counters for Prometheus.
  std::string metrics() const;

 private:
  struct Counts {
    std::uint64_t answers = 0;
    std::uint64_t failures = 0;
  };
  ModelState state_of(const Model& model) const;  // with mutex_ held
  Result<Situation> situation(const std::string& turn) const;
  Status admit(const Choice& choice);
  void note(const std::string& name, const Result<Response>& response, bool stopped);
  Result<std::int64_t> reserve(const Choice& choice, const Request& request);
  void settle(std::int64_t reservation, const Result<Response>& response, bool shown);

  const Clock& clock_;
  const config::RouteConfig route_;
  account::Budget* const budget_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Model>> models_;
  std::map<std::string, std::string> barred_;  // by name: why
  std::map<std::string, Breaker> breakers_;
  std::map<std::string, Counts> calls_;             // by model
  std::map<std::string, std::uint64_t> decisions_;  // by rule
  double cost_usd_ = 0.0;
  std::string in_use_;
  Maker maker_;
  PowerMeter meter_;
  std::function<Power()> power_;
};

}  // namespace keel::model
