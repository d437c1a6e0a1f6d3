// [route] and [[route.rule]] of keel.toml: which model answers. Not for other rooms.
#pragma once

#include <vector>

#include "config/config.h"
#include "config/reader.h"

namespace keel::config {

std::vector<Key> route_keys();

// `rules` are the tables of [[route.rule]]. Names must be those of config.models.
void read_route(Reader& reader, const toml::table& table,
                const std::vector<const toml::table*>& rules, Config& config);

}  // namespace keel::config
