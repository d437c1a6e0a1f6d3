#include "model/route/decide.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "account/budget.h"
#include "base/limits.h"
#include "base/text.h"

namespace keel::model {
namespace {

enum class Bar { none, private_content, budget, unfit };

struct Barred {
  Bar bar = Bar::none;
  std::string why;
};

bool holds_any(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

// What somebody wanted, before it is looked at whether it can be.
struct Wanted {
  std::vector<std::string> names;
  std::string rule;
  std::string before;  // the reason is a sentence around the model's name
  std::string after;
};

class Decider {
 public:
  Decider(const config::RouteConfig& route, const Needs& needs, const Situation& situation)
      : route_(route), needs_(needs), situation_(situation), standard_(standard()) {}

  Result<Decision> decide();

 private:
  const ModelState* state_of(const std::string& name) const;
  Result<Wanted> standard() const;
  Result<Wanted> wanted() const;
  bool fits(const config::RouteRule& rule) const;
  bool fits_power(const config::RouteRule& rule) const;
  bool rule_allows_private(const std::string& name) const;
  Barred barred(const ModelState& model) const;
  Barred over_budget(const ModelState& model) const;
  bool is_too_long_for(const ModelState& model) const;
  void consider(const std::string& name, const std::string& rule, std::string reason);
  void consider_others(const Wanted& wanted);
  void consider_local();
  void consider_despite_failures();
  void prefer_those_who_see();
  void withhold(const Wanted& wanted);
  bool is_candidate(const std::string& name) const;
  std::string battery_words() const;
  Json needs_json() const;
  tl::unexpected<Error> none() const;

  const config::RouteConfig& route_;
  const Needs& needs_;
  const Situation& situation_;
  const Result<Wanted> standard_;
  Decision decision_;
  Bar first_bar_ = Bar::none;  // what kept the one that was wanted first from answering
  bool looked_ = false;
};

const ModelState* Decider::state_of(const std::string& name) const {
  const auto found = std::find_if(situation_.models.begin(), situation_.models.end(),
                                  [&](const ModelState& model) { return model.name == name; });
  return found == situation_.models.end() ? nullptr : &*found;
}

// What answers where no rule says otherwise.
Result<Wanted> Decider::standard() const {
  if (!situation_.in_use.empty()) {
    return Wanted{{situation_.in_use}, "in-use", "You chose ", " for the time being."};
  }
  if (!situation_.default_model.empty()) {
    return Wanted{{situation_.default_model}, "default", "", " is the default of keel.toml."};
  }
  if (situation_.models.empty()) {
    return fail(Code::config, "there is no model to answer with",
                "Add a [[model]] to keel.toml, or run: keel model pull");
  }
  // The first that may be used at all.
  const auto first =
      std::find_if(situation_.models.begin(), situation_.models.end(),
                   [&](const ModelState& model) { return !model.elsewhere || !route_.local_only; });
  const ModelState& model = first == situation_.models.end() ? situation_.models.front() : *first;
  return Wanted{{model.name}, "default", "", " is the first model of keel.toml."};
}

bool Decider::fits(const config::RouteRule& rule) const {
  const ModelState* standard = standard_ ? state_of(standard_->names.front()) : nullptr;
  const bool busy = standard != nullptr && standard->readiness.busy;
  return holds_any(rule.tasks, needs_.code ? "code" : "chat") &&
         holds_any(rule.channels, needs_.channel) &&
         holds_any(rule.conversations, needs_.conversation) &&
         rule.tools.value_or(needs_.tools) == needs_.tools &&
         rule.vision.value_or(needs_.vision) == needs_.vision &&
         rule.is_private.value_or(needs_.privacy != Privacy::none) ==
             (needs_.privacy != Privacy::none) &&
         rule.busy.value_or(busy) == busy && fits_power(rule) &&
         (!rule.longer_than || needs_.tokens() > *rule.longer_than) &&
         (!rule.shorter_than || needs_.tokens() < *rule.shorter_than);
}

bool Decider::fits_power(const config::RouteRule& rule) const {
  const Power& power = situation_.power;
  if (rule.battery.value_or(power.on_battery) != power.on_battery) return false;
  return !rule.battery_below ||
         (power.on_battery && power.percent && *power.percent < *rule.battery_below);
}

Result<Wanted> Decider::wanted() const {
  if (!needs_.wish.empty()) {
    return Wanted{{needs_.wish}, "explicit", "This message asked for ", "."};
  }
  for (const config::RouteRule& rule : route_.rules) {
    if (!fits(rule)) continue;
    return Wanted{
        rule.use, "rule:" + rule.name,
        fmt::format("The rule {} (line {} of keel.toml) says ", printable(rule.name), rule.line),
        rule.asks_for_battery() ? battery_words() : "."};
  }
  return standard_;
}

// A rule that speaks of private content, fits and names the model.
bool Decider::rule_allows_private(const std::string& name) const {
  return std::any_of(route_.rules.begin(), route_.rules.end(), [&](const config::RouteRule& rule) {
    return rule.is_private == true && fits(rule) &&
           std::find(rule.use.begin(), rule.use.end(), name) != rule.use.end();
  });
}

Barred Decider::over_budget(const ModelState& model) const {
  const bool budgets = situation_.day_left_usd || situation_.turn_left_usd;
  if (!budgets) return {};
  if (!model.prices) {
    return {Bar::budget,
            "its price is unknown and there is a budget; set price_in and price_out in keel.toml"};
  }
  if (model.prices->free()) return {};
  const double usd = most_usd(*model.prices, needs_.prompt_bytes, needs_.max_tokens);
  const auto too_little = [&](const std::optional<double>& left, std::string_view which) {
    return fmt::format("of the {}'s budget {} are left, and it may cost {}", which,
                       account::usd_text(std::max(*left, 0.0)), account::usd_text(usd));
  };
  if (situation_.day_left_usd && usd > *situation_.day_left_usd) {
    return {Bar::budget, too_little(situation_.day_left_usd, "day")};
  }
  if (situation_.turn_left_usd && usd > *situation_.turn_left_usd) {
    return {Bar::budget, too_little(situation_.turn_left_usd, "turn")};
  }
  return {};
}

// Surely, and not for all: then the model says it itself, in exact numbers.
bool Decider::is_too_long_for(const ModelState& model) const {
  const auto exceeds = [&](const ModelState& one) {
    return one.context > 0 &&
           needs_.prompt_bytes / limits::route_bytes_per_token_most > one.context;
  };
  return exceeds(model) && std::any_of(situation_.models.begin(), situation_.models.end(),
                                       [&](const ModelState& one) { return !exceeds(one); });
}

Barred Decider::barred(const ModelState& model) const {
  for (const Failed& failed : needs_.failed) {
    if (failed.model == model.name) return {Bar::unfit, failed.why};
  }
  if (model.elsewhere && route_.local_only) {
    return {Bar::unfit, "it runs elsewhere, and route.local_only is on"};
  }
  if (model.elsewhere && needs_.privacy != Privacy::none && !rule_allows_private(model.name)) {
    return {Bar::private_content,
            "it runs elsewhere, and this holds private content; no rule with private = true "
            "names it"};
  }
  if (!model.open_because.empty()) return {Bar::unfit, model.open_because};
  if (is_too_long_for(model)) {
    return {Bar::unfit,
            fmt::format("about {} tokens do not fit into its {}", needs_.tokens(), model.context)};
  }
  return over_budget(model);
}

bool Decider::is_candidate(const std::string& name) const {
  return std::any_of(decision_.candidates.begin(), decision_.candidates.end(),
                     [&](const Candidate& one) { return one.model == name; });
}

void Decider::consider(const std::string& name, const std::string& rule, std::string reason) {
  const ModelState* model = state_of(name);
  const bool seen =
      is_candidate(name) || std::any_of(decision_.left_out.begin(), decision_.left_out.end(),
                                        [&](const Failed& one) { return one.model == name; });
  if (model == nullptr || seen) return;
  Barred why = barred(*model);
  if (!std::exchange(looked_, true)) first_bar_ = why.bar;
  if (why.bar != Bar::none) {
    decision_.left_out.push_back({name, std::move(why.why)});
    return;
  }
  Candidate candidate{name, rule, std::move(reason), model->elsewhere, false};
  // Whoever stands in for another says why.
  if (!decision_.left_out.empty() && decision_.candidates.empty()) {
    const Failed& first = decision_.left_out.front();
    candidate.reason =
        fmt::format("{} is not used: {}. {}", first.model, first.why, candidate.reason);
    candidate.rule = first_bar_ == Bar::private_content ? "private"
                     : first_bar_ == Bar::budget        ? "budget"
                                                        : rule;
  }
  decision_.candidates.push_back(std::move(candidate));
}

// The owner's fallbacks, but nothing that was to stay here goes elsewhere by them.
void Decider::consider_others(const Wanted& wanted) {
  const ModelState* first = state_of(wanted.names.front());
  const bool stays = wanted.rule == "explicit" && first != nullptr && !first->elsewhere;
  for (const std::string& name : route_.fallback) {
    const ModelState* model = state_of(name);
    if (stays && model != nullptr && model->elsewhere) continue;
    consider(name, "fallback", name + " is among the fallbacks of keel.toml.");
  }
  if (first == nullptr || first->elsewhere) consider_local();
}

// Any model of this machine is better than no answer; one that can begin at once before others.
void Decider::consider_local() {
  std::vector<const ModelState*> local;
  for (const ModelState& model : situation_.models) {
    if (!model.elsewhere) local.push_back(&model);
  }
  std::stable_sort(local.begin(), local.end(), [](const ModelState* a, const ModelState* b) {
    const auto rank = [](const ModelState* m) {
      return (m->readiness.loaded ? 0 : 2) + (m->readiness.busy ? 1 : 0);
    };
    return rank(a) < rank(b);
  });
  for (const ModelState* model : local) {
    consider(model->name, "fallback", model->name + " runs on this machine.");
  }
}

// A model of this machine that failed lately is better than nobody, and nothing is overrun by it.
void Decider::consider_despite_failures() {
  const std::vector<Failed> left_out = decision_.left_out;
  for (const Failed& one : left_out) {
    const ModelState* model = state_of(one.model);
    if (model->elsewhere || model->open_because.empty() || one.why != model->open_because) continue;
    decision_.candidates.push_back(
        {one.model, "fallback",
         one.model + " is asked although " + one.why + ": nobody else may answer.", false, false});
    std::erase_if(decision_.left_out, [&](const Failed& f) { return f.model == one.model; });
  }
}

void Decider::prefer_those_who_see() {
  std::vector<Candidate>& all = decision_.candidates;
  if (all.empty()) return;
  const std::string first = all.front().model;
  std::stable_partition(all.begin(), all.end(),
                        [&](const Candidate& one) { return state_of(one.model)->sees; });
  if (all.front().model == first) return;
  all.front().reason = first + " cannot see images. " + all.front().reason;
}

// Where only private content stands between the owner and an answer, the answer is given without
// it: to who was asked for by name, and where there is nobody else.
void Decider::withhold(const Wanted& wanted) {
  if (needs_.privacy != Privacy::pages) return;
  const bool asked = wanted.rule == "explicit" && first_bar_ == Bar::private_content;
  if (!asked && !decision_.candidates.empty()) return;
  Needs without = needs_;
  without.privacy = Privacy::none;
  const Result<Decision> again = Decider(route_, without, situation_).decide();
  if (!again || !again->candidates.front().elsewhere) return;
  decision_ = *again;
  for (Candidate& candidate : decision_.candidates) {
    if (!candidate.elsewhere || rule_allows_private(candidate.model)) continue;
    candidate.withholds = true;
    candidate.reason +=
        " It runs elsewhere, so private pages and the turns that had them were left out.";
  }
}

// The end of a sentence about a rule that looked at the battery.
std::string Decider::battery_words() const {
  const std::string words = power_text(situation_.power);
  return words.empty() ? ": this machine has no battery." : "; this machine is " + words + ".";
}

Json Decider::needs_json() const {
  Json out = {{"tokens", needs_.tokens()}, {"tools", needs_.tools}};
  if (needs_.code) out["code"] = true;
  if (needs_.vision) out["vision"] = true;
  if (situation_.power.on_battery) out["battery"] = situation_.power.percent.value_or(-1);
  if (needs_.privacy != Privacy::none) {
    out["private"] = needs_.privacy == Privacy::whole ? "whole" : "pages";
  }
  return out;
}

tl::unexpected<Error> Decider::none() const {
  std::vector<std::string> reasons;
  for (const Failed& one : decision_.left_out) reasons.push_back(one.model + ": " + one.why);
  return fail(Code::unavailable, "no model may answer this (" + join(reasons, "; ") + ")",
              "Change [route] in keel.toml, or try again later.");
}

Result<Decision> Decider::decide() {
  const Wanted first = TRY(wanted());
  for (const std::string& name : first.names) {
    if (state_of(name) == nullptr) {
      std::vector<std::string> names;
      for (const ModelState& model : situation_.models) names.push_back(model.name);
      return fail(Code::not_found, "there is no model named \"" + printable(name) + "\"",
                  "There are: " + join(names, ", "));
    }
    consider(name, first.rule, first.before + name + first.after);
  }
  consider_others(first);
  if (needs_.vision && first.rule != "explicit") prefer_those_who_see();
  withhold(first);
  if (decision_.candidates.empty()) consider_despite_failures();
  if (decision_.candidates.empty()) return none();
  decision_.needs = needs_json();
  return decision_;
}

}  // namespace

std::int64_t Needs::tokens() const {
  return prompt_bytes / limits::route_bytes_per_token;
}

double most_usd(const Prices& prices, std::int64_t prompt_bytes, std::int64_t max_tokens) {
  const std::int64_t tokens = prompt_bytes / limits::route_bytes_per_token_least + 1;
  const bool is_long = prices.long_tokens > 0 && tokens > prices.long_tokens;
  const double in = std::max(prices.in, prices.cache_write);
  return (static_cast<double>(tokens) * in + static_cast<double>(max_tokens) * prices.out) / 1e6 *
         (is_long ? prices.long_factor : 1.0);
}

Result<Decision> decide(const config::RouteConfig& route, const Needs& needs,
                        const Situation& situation) {
  return Decider(route, needs, situation).decide();
}

Json to_json(const Decision& decision) {
  Json candidates = Json::array();
  for (const Candidate& one : decision.candidates) {
    candidates.push_back({{"model", one.model}, {"rule", one.rule}, {"reason", one.reason}});
  }
  Json left_out = Json::array();
  for (const Failed& one : decision.left_out) {
    left_out.push_back({{"model", one.model}, {"why", one.why}});
  }
  const Candidate& first = decision.candidates.front();
  return {{"model", first.model},
          {"rule", first.rule},
          {"reason", first.reason},
          {"candidates", std::move(candidates)},
          {"left_out", std::move(left_out)},
          {"needs", decision.needs}};
}

}  // namespace keel::model
