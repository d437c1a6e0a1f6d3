// What cloud models cost: a table of those whose price is known, and keel.toml before it.
#pragma once

#include <optional>
#include <string_view>

#include "config/config.h"
#include "model/model.h"
#include "msg/params.h"
#include "msg/stream/event.h"

namespace keel::model {

// By the name that the service knows: the longest name of the table that it begins with, up to a
// date or the end ("claude-sonnet-4-5-20250929").
std::optional<Prices> known_prices(std::string_view model);

// keel.toml's prices, where one is set; else those of the table. With one of the two set, the other
// is the table's or 0. Nothing: unknown. What a cache costs is by the dialect's usual share where
// nobody says it.
std::optional<Prices> prices_for(msg::Dialect dialect, const config::ModelConfig& model);
Prices prices_for(msg::Dialect dialect, double in, double out);

double cost_usd(const msg::TokenUsage& usage, const Prices& prices);

}  // namespace keel::model
