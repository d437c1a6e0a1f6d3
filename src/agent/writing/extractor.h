// Asks a model what of a message is worth a page. Which model: the one that answers the
// conversation's turns, if it runs on this machine or costs nothing; another one only where a rule
// of keel.toml for the channel "memory" names it. Nobody waits for the answer, so it gives way to
// everything else.
//
// Threads: any.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "memory/memory.h"
#include "model/model.h"
#include "model/route/router.h"

namespace keel::agent {

// The channel that a rule for this work names.
inline constexpr std::string_view memory_channel = "memory";

struct Extraction {
  std::string model;
  std::vector<memory::NewPage> pages;  // without session and turn
  model::Usage usage;
  model::Timings timings;
};

// Who would be asked; nothing where there is nobody who may.
Result<std::optional<model::Choice>> extracting_model(model::Router& router,
                                                      const std::string& conversation,
                                                      bool is_private);

// Code::cancelled where it was stopped, Code::unavailable where the answer had another form.
Result<Extraction> extract(model::Router& router, const model::Choice& choice,
                           const std::string& owner_text, const std::string& turn,
                           model::Priority priority, std::stop_token stop);

}  // namespace keel::agent
