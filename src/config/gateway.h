// [gateway] and [[gateway.key]] of keel.toml: the HTTP surface and who may ask how much. Not for
// other rooms.
#pragma once

#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/reader.h"

namespace keel::config {

std::vector<Key> gateway_keys();
// `keys` are the tables of [[gateway.key]].
void read_gateway(Reader& reader, const toml::table& table,
                  const std::vector<const toml::table*>& keys, Config& config);

// "host:port", with an IPv6 address in brackets.
bool is_host_and_port(std::string_view text);

}  // namespace keel::config
