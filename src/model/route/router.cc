#include "model/route/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "log/log.h"
#include "model/route/needs.h"

namespace keel::model {
namespace {

std::string open_text(const Breaker& breaker, Breaker::Time now) {
  if (breaker.state(now) != Breaker::State::open) return {};
  const auto left = std::chrono::ceil<std::chrono::seconds>(breaker.wait(now)).count();
  const std::string when =
      left > 0 ? fmt::format("it is tried again in {} s", left) : "somebody tries it now";
  return fmt::format("it failed {} ({}); {}",
                     breaker.failures() == 1 ? "once" : fmt::format("{} times", breaker.failures()),
                     printable(breaker.why(), 200), when);
}

// A label's value for Prometheus.
std::string label(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string head(std::string_view name, std::string_view type, std::string_view help) {
  return fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

}  // namespace

Router::Router(const Clock& clock, config::RouteConfig route, account::Budget* budget)
    : clock_(clock), route_(std::move(route)), budget_(budget), meter_(clock), power_([this] {
        return meter_.now();
      }) {}

void Router::add(std::unique_ptr<Model> model) {
  std::lock_guard lock(mutex_);
  models_.push_back(std::move(model));
}

void Router::bar(const std::string& name, const std::string& why) {
  std::lock_guard lock(mutex_);
  barred_[name] = why;
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
  const Result<Model*> before = find(current());
  {
    std::lock_guard lock(mutex_);
    in_use_ = name;
  }
  if (before && *before != *known) (*before)->rest();
  return {};
}

ModelState Router::state_of(const Model& model) const {
  const Info info = model.info();
  ModelState state;
  state.name = info.name;
  state.elsewhere = info.elsewhere;
  state.sees = info.sees;
  state.readiness = model.readiness();
  state.context = info.context;
  state.prices = info.prices;
  const auto breaker = breakers_.find(info.name);
  if (breaker != breakers_.end()) state.open_because = open_text(breaker->second, clock_.steady());
  return state;
}

Result<Situation> Router::situation(const std::string& turn) const {
  Situation situation;
  if (budget_ != nullptr) {
    const account::BudgetLimits left = TRY(budget_->left(turn));
    situation.day_left_usd = left.per_day;
    situation.turn_left_usd = left.per_turn;
  }
  if (asks_for_battery()) situation.power = power_();
  std::lock_guard lock(mutex_);
  situation.in_use = in_use_;
  situation.default_model = route_.default_model;
  for (const std::unique_ptr<Model>& model : models_) {
    situation.models.push_back(state_of(*model));
  }
  for (const auto& [name, why] : barred_) {
    ModelState state;
    state.name = name;
    state.elsewhere = true;
    state.open_because = why;
    situation.models.push_back(std::move(state));
  }
  return situation;
}

Result<Choice> Router::choose(const Needs& needs, const std::string& turn) {
  // The one that is asked for must be there; the error says which there are.
  if (!needs.wish.empty()) TRY(find(needs.wish));
  Choice choice;
  choice.decision = TRY(decide(route_, needs, TRY(situation(turn))));
  const Candidate& first = choice.decision.candidates.front();
  choice.model = TRY(find(first.model));
  choice.name = first.model;
  choice.rule = first.rule;
  choice.reason = first.reason;
  choice.elsewhere = first.elsewhere;
  choice.withholds = first.withholds;
  return choice;
}

Status Router::admit(const Choice& choice) {
  std::lock_guard lock(mutex_);
  Breaker& breaker = breakers_[choice.name];
  // What runs here was chosen for want of anybody else.
  if (breaker.admit(clock_.steady()) || !choice.elsewhere) return {};
  return fail(Code::unavailable, choice.name + ": " + open_text(breaker, clock_.steady()),
              "Try again then, or use another model.");
}

// What a call says about its model.
void Router::note(const std::string& name, const Result<Response>& response, bool stopped) {
  std::lock_guard lock(mutex_);
  Breaker& breaker = breakers_[name];
  if (response) {
    ++calls_[name].answers;
    cost_usd_ += response->usage.cost_usd;
    // A call that was stopped before it answered says nothing.
    const bool silent = response->stop == StopReason::cancelled && response->item.blocks.empty();
    if (silent) {
      breaker.neither();
    } else {
      breaker.succeeded();
    }
    return;
  }
  ++calls_[name].failures;
  if (stopped || !is_models_fault(response.error())) return breaker.neither();
  breaker.failed(clock_.steady(), response.error());
  const std::string open = open_text(breaker, clock_.steady());
  if (!open.empty()) log::warn("model", "{} is left alone: {}", name, open);
}

// 0: nothing had to be reserved.
Result<std::int64_t> Router::reserve(const Choice& choice, const Request& request) {
  const Info info = choice.model->info();
  if (budget_ == nullptr || (info.prices && info.prices->free())) return 0;
  if (!info.prices) {
    if (!budget_->limits().any()) return 0;
    return fail(Code::unavailable, "the price of " + choice.name + " is unknown",
                "Set price_in and price_out in keel.toml.");
  }
  return budget_->reserve(
      request.turn, choice.name,
      most_usd(*info.prices, bytes_of(request.items, request.tools), request.max_tokens));
}

void Router::settle(std::int64_t reservation, const Result<Response>& response, bool shown) {
  if (reservation == 0) return;
  // The service charges for what it began, and does not say how much when it breaks off.
  const bool counted = response ? response->usage.prompt_tokens > 0 || !shown : !shown;
  const Status settled =
      counted ? budget_->settle(reservation, response ? response->usage.cost_usd : 0.0)
              : budget_->assume(reservation);
  // It then counts as it was reserved.
  if (!settled) log::warn("model", "a cost was not recorded: {}", settled.error().text());
}

Result<Response> Router::ask(const Choice& choice, const Request& request, const Sink& sink,
                             std::stop_token stop) {
  TRY(admit(choice));
  const Result<std::int64_t> reservation = reserve(choice, request);
  if (!reservation) {
    std::lock_guard lock(mutex_);
    breakers_[choice.name].neither();
    return pass(reservation.error());
  }
  {
    std::lock_guard lock(mutex_);
    ++decisions_[choice.rule];
  }
  std::atomic<bool> shown = false;
  const Sink noted = [&](const StreamEvent& event) {
    if (!std::holds_alternative<Progress>(event)) shown = true;
    if (sink) sink(event);
  };
  Result<Response> response = choice.model->generate(request, noted, stop);
  note(choice.name, response, stop.stop_requested());
  settle(*reservation, response, shown);
  return response;
}

Result<Model*> Router::find(const std::string& name) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const std::unique_ptr<Model>& model : models_) {
    names.push_back(model->info().name);
    if (names.back() == name) return model.get();
  }
  if (const auto barred = barred_.find(name); barred != barred_.end()) {
    return fail(Code::permission, name + " is not used: " + barred->second,
                "Use a local model, or take local_only out of keel.toml.");
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

bool Router::asks_for_code() const {
  return std::any_of(route_.rules.begin(), route_.rules.end(),
                     [](const config::RouteRule& rule) { return !rule.tasks.empty(); });
}

bool Router::asks_for_battery() const {
  return std::any_of(route_.rules.begin(), route_.rules.end(),
                     [](const config::RouteRule& rule) { return rule.asks_for_battery(); });
}

std::vector<Info> Router::infos() const {
  std::lock_guard lock(mutex_);
  std::vector<Info> infos;
  for (const std::unique_ptr<Model>& model : models_) infos.push_back(model->info());
  return infos;
}

std::string Router::current() const {
  std::string name;
  {
    std::lock_guard lock(mutex_);
    name = !in_use_.empty() ? in_use_ : route_.default_model;
    if (name.empty() && !models_.empty()) name = models_.front()->info().name;
  }
  return find(name) ? name : "";
}

std::string Router::metrics() const {
  std::lock_guard lock(mutex_);
  std::string out = head("keel_route_decisions_total", "counter",
                         "Calls of models, by the rule that chose them.");
  for (const auto& [rule, count] : decisions_) {
    out += fmt::format("keel_route_decisions_total{{rule=\"{}\"}} {}\n", label(rule), count);
  }
  out += head("keel_model_calls_total", "counter", "Calls of each model.");
  for (const auto& [name, counts] : calls_) {
    out += fmt::format(
        "keel_model_calls_total{{model=\"{0}\",outcome=\"answer\"}} {1}\n"
        "keel_model_calls_total{{model=\"{0}\",outcome=\"failure\"}} {2}\n",
        label(name), counts.answers, counts.failures);
  }
  out += head("keel_model_breaker_open", "gauge", "1 for a model that is left alone.");
  for (const auto& [name, breaker] : breakers_) {
    out += fmt::format("keel_model_breaker_open{{model=\"{}\"}} {}\n", label(name),
                       breaker.state(clock_.steady()) == Breaker::State::closed ? 0 : 1);
  }
  out += head("keel_model_cost_usd_total", "counter", "What answers cost since the start.");
  return out + fmt::format("keel_model_cost_usd_total {:.6f}\n", cost_usd_);
}

}  // namespace keel::model
