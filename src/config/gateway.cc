#include "config/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/limits.h"
#include "base/text.h"

namespace keel::config {
namespace {

const std::vector<Key> limit_keys{{"answers_at_once", Type::integer},
                                  {"requests_per_minute", Type::integer},
                                  {"tokens_per_day", Type::integer},
                                  {"budget_usd_per_day", Type::number}};

std::vector<Key> with_limits(std::vector<Key> keys) {
  keys.insert(keys.end(), limit_keys.begin(), limit_keys.end());
  return keys;
}

// What is not said is as `otherwise`.
KeyLimits read_limits(Reader& reader, const toml::table& table, const KeyLimits& otherwise) {
  KeyLimits out;
  out.answers_at_once = reader.integer(table, "answers_at_once", otherwise.answers_at_once, 0,
                                       std::int64_t{limits::key_streams});
  out.requests_per_minute = reader.integer(
      table, "requests_per_minute", otherwise.requests_per_minute, 0, limits::key_requests_max);
  out.tokens_per_day =
      reader.integer(table, "tokens_per_day", otherwise.tokens_per_day, 0, limits::key_tokens_max);
  out.usd_per_day = otherwise.usd_per_day;
  if (table.get("budget_usd_per_day") != nullptr) {
    out.usd_per_day =
        reader.number(table, "budget_usd_per_day", 0.0, 0.0, limits::config_price_max_usd);
  }
  return out;
}

// Stands in metrics, rows and headers.
bool is_key_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::config_name_bytes &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

void read_key(Reader& reader, const toml::table& table, Config& config) {
  reader.check(table, "[[gateway.key]]",
               with_limits({{"name", Type::text}, {"token", Type::secret}}));
  GatewayKey key;
  key.line = Reader::line_of(&table);
  key.name = reader.text(table, "name");
  key.token = Secret(reader.secret(table, "token"));
  key.limits = read_limits(reader, table, config.key_limits);
  if (table.get("token") == nullptr) {
    reader.problem(key.line, "this [[gateway.key]] needs a 'token': \"env:NAME\" or \"file:PATH\"");
  }
  if (table.get("name") == nullptr) {
    reader.problem(key.line, "this [[gateway.key]] needs a 'name'");
  } else if (!is_key_name(key.name)) {
    reader.problem(Reader::line_of(table, "name"),
                   fmt::format("the name of a key is 1 to {} letters, digits, '-', '_' and '.'",
                               limits::config_name_bytes));
  }
  const auto same = std::find_if(config.keys.begin(), config.keys.end(),
                                 [&](const GatewayKey& other) { return other.name == key.name; });
  if (same != config.keys.end() && !key.name.empty()) {
    reader.problem(
        Reader::line_of(table, "name"),
        fmt::format("there is a key '{}' already, in line {}", printable(key.name), same->line));
  }
  config.keys.push_back(std::move(key));
}

}  // namespace

bool is_host_and_port(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  std::string_view host = text.substr(0, colon);
  std::string_view port = text.substr(colon + 1);
  unsigned value = 0;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
  if (error != std::errc() || end != port.data() + port.size() || value < 1 || value > 65535)
    return false;
  bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  return std::all_of(host.begin(), host.end(), [&](unsigned char c) {
    bool plain =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.';
    return plain || (bracketed ? c == ':' : c == '-' || c == '_');
  });
}

std::vector<Key> gateway_keys() {
  return with_limits({{"listen", Type::text},
                      {"hosts", Type::texts},
                      {"plain_http", Type::boolean},
                      {"any_model", Type::boolean},
                      {"key", Type::anything}});
}

void read_gateway(Reader& reader, const toml::table& table,
                  const std::vector<const toml::table*>& keys, Config& config) {
  config.listen = reader.text(table, "listen", config.listen);
  if (config.listen == "off") config.listen.clear();
  if (!config.listen.empty() && !is_host_and_port(config.listen)) {
    reader.problem(Reader::line_of(table, "listen"),
                   "'listen' must be an address and a port, \"127.0.0.1:7117\", or \"off\"");
  }
  config.listen_names = reader.texts(table, "hosts");
  for (const std::string& pair : config.listen_names) {
    if (is_host_and_port(pair)) continue;
    reader.problem(Reader::line_of(table, "hosts"),
                   fmt::format("'hosts' holds '{}', which is not host:port (\"keel.home:7117\")",
                               printable(pair)));
  }
  config.listen_plain = reader.boolean(table, "plain_http", false);
  config.any_model = reader.boolean(table, "any_model", false);
  config.key_limits = read_limits(reader, table, {});
  if (keys.size() > limits::gateway_keys) {
    reader.problem(Reader::line_of(keys.back()),
                   fmt::format("there are more than {} [[gateway.key]]", limits::gateway_keys));
    return;
  }
  for (const toml::table* key : keys) read_key(reader, *key, config);
}

}  // namespace keel::config
