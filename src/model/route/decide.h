// Which models may answer, in which order, and why; which may not, and why. A pure function of what
// the answer needs, of keel.toml and of the state of each model
// (docs/decisions/0009-which-model-and-what-leaves.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "config/config.h"
#include "model/model.h"
#include "model/route/power.h"

namespace keel::model {

// How much of what would be sent is private, by labels of the journal alone.
enum class Privacy {
  none,
  pages,  // pages, and turns before this one: they can be left out
  whole,  // this turn itself: it stays here, unless a rule allows it
};

struct Failed {
  std::string model;
  std::string why;
};

struct Needs {
  std::string wish;  // the model that was asked for by name
  std::string channel;
  std::string conversation;
  std::int64_t prompt_bytes = 0;
  std::int64_t max_tokens = 0;  // that may be written
  bool tools = false;           // tools are offered
  bool code = false;
  bool vision = false;
  Privacy privacy = Privacy::none;
  std::vector<Failed> failed;   // in this very answer: not asked again
  std::int64_t tokens() const;  // of the prompt, about
};

struct ModelState {
  std::string name;
  bool elsewhere = false;
  bool sees = false;
  Readiness readiness;
  std::int64_t context = 0;
  std::optional<Prices> prices;
  std::string open_because;  // of a breaker that is open: why and for how long; empty: closed
};

struct Situation {
  std::string in_use;                  // chosen for the time being; may be empty
  std::string default_model;           // of keel.toml; may be empty
  std::optional<double> day_left_usd;  // of budgets; nothing: there is none
  std::optional<double> turn_left_usd;
  std::vector<ModelState> models;  // in the order of keel.toml
  Power power;                     // looked at only where a rule speaks of it
};

struct Candidate {
  std::string model;
  std::string rule;    // explicit, rule:NAME, in-use, default, fallback, private, budget
  std::string reason;  // a sentence or two for the owner
  bool elsewhere = false;
  bool withholds = false;  // private pages and turns are left out for it
};

struct Decision {
  std::vector<Candidate> candidates;  // at least one
  std::vector<Failed> left_out;
  Json needs;  // what of the needs is worth a row
};

// Code::unavailable where none may answer, with every reason; Code::not_found for a wish, a default
// or a model in use that there is not.
Result<Decision> decide(const config::RouteConfig& route, const Needs& needs,
                        const Situation& situation);

// The most a call may cost: nothing of the prompt is in a cache, and all that may be written is.
double most_usd(const Prices& prices, std::int64_t prompt_bytes, std::int64_t max_tokens);

// docs/formats/account.md, "Decisions".
Json to_json(const Decision& decision);

}  // namespace keel::model
