#include "config/route.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"

namespace keel::config {
namespace {

const std::vector<Key> rule_keys{{"name", Type::text},
                                 {"use", Type::some_texts},
                                 {"task", Type::some_texts},
                                 {"channel", Type::some_texts},
                                 {"conversation", Type::some_texts},
                                 {"tools", Type::boolean},
                                 {"vision", Type::boolean},
                                 {"private", Type::boolean},
                                 {"busy", Type::boolean},
                                 {"battery", Type::boolean},
                                 {"battery_below", Type::integer},
                                 {"longer_than", Type::integer},
                                 {"shorter_than", Type::integer}};

// Every name must be one of `known`; `what` is what they are.
void must_be_known(Reader& reader, const toml::table& table, std::string_view key,
                   const std::vector<std::string>& names, const std::vector<std::string>& known,
                   std::string_view what) {
  for (const std::string& name : names) {
    if (name.empty() || std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string nearest = nearest_name(name, known);
    reader.problem(Reader::line_of(table, key),
                   fmt::format("'{}' names the {} '{}', which is not {}{}", key, what,
                               printable(name), what == "model" ? "in this file" : "one",
                               nearest.empty() ? "" : " - did you mean '" + nearest + "'?"));
  }
}

std::optional<bool> truth(const Reader& reader, const toml::table& table, std::string_view key) {
  if (table.get(key) == nullptr) return std::nullopt;
  return reader.boolean(table, key, false);
}

std::optional<std::int64_t> tokens(Reader& reader, const toml::table& table, std::string_view key) {
  if (table.get(key) == nullptr) return std::nullopt;
  return reader.integer(table, key, 0, 0, limits::config_context_max);
}

RouteRule read_rule(Reader& reader, const toml::table& table, std::size_t number,
                    const std::vector<std::string>& models) {
  reader.check(table, "[[route.rule]]", rule_keys);
  RouteRule rule;
  rule.line = Reader::line_of(&table);
  rule.name = reader.text(table, "name", std::to_string(number));
  rule.use = reader.some_texts(table, "use");
  rule.tasks = reader.some_texts(table, "task");
  rule.channels = reader.some_texts(table, "channel");
  rule.conversations = reader.some_texts(table, "conversation");
  rule.tools = truth(reader, table, "tools");
  rule.vision = truth(reader, table, "vision");
  rule.is_private = truth(reader, table, "private");
  rule.busy = truth(reader, table, "busy");
  rule.battery = truth(reader, table, "battery");
  if (table.get("battery_below") != nullptr) {
    rule.battery_below = reader.integer(table, "battery_below", 0, 1, 100);
  }
  if (rule.battery_below && rule.battery == false) {
    reader.problem(Reader::line_of(table, "battery_below"),
                   "'battery_below' and 'battery = false' never hold together");
  }
  rule.longer_than = tokens(reader, table, "longer_than");
  rule.shorter_than = tokens(reader, table, "shorter_than");
  reader.check_name(rule.line, "the name of the rule", rule.name);
  if (table.get("use") == nullptr) {
    reader.problem(rule.line, "this [[route.rule]] needs 'use', the name of a model or a list");
  } else if (rule.use.empty()) {
    reader.problem(Reader::line_of(table, "use"), "'use' names no model");
  }
  for (const auto* names : {&rule.use, &rule.tasks, &rule.channels, &rule.conversations}) {
    if (names->size() > limits::route_names) {
      reader.problem(rule.line, fmt::format("a list of this rule has more than {} names",
                                            limits::route_names));
    }
  }
  must_be_known(reader, table, "use", rule.use, models, "model");
  must_be_known(reader, table, "task", rule.tasks, {"chat", "code"}, "task");
  return rule;
}

}  // namespace

std::vector<Key> route_keys() {
  return {{"default", Type::text},
          {"fallback", Type::texts},
          {"local_only", Type::boolean},
          {"private", Type::texts},
          {"budget_usd_per_day", Type::number},
          {"budget_usd_per_turn", Type::number},
          {"rule", Type::anything}};
}

void read_route(Reader& reader, const toml::table& table,
                const std::vector<const toml::table*>& rules, Config& config) {
  RouteConfig& route = config.route;
  route.default_model = reader.text(table, "default");
  route.fallback = reader.texts(table, "fallback");
  route.local_only = reader.boolean(table, "local_only", false);
  if (table.get("private") != nullptr) route.private_names = reader.texts(table, "private");
  route.budget_usd_per_day = reader.dollars(table, "budget_usd_per_day");
  route.budget_usd_per_turn = reader.dollars(table, "budget_usd_per_turn");

  std::vector<std::string> models;
  for (const ModelConfig& model : config.models) models.push_back(model.name);
  must_be_known(reader, table, "default", {route.default_model}, models, "model");
  must_be_known(reader, table, "fallback", route.fallback, models, "model");
  if (rules.size() > limits::route_rules) {
    reader.problem(Reader::line_of(rules.back()),
                   fmt::format("there are more than {} [[route.rule]]", limits::route_rules));
    return;
  }
  for (const toml::table* rule : rules) {
    route.rules.push_back(read_rule(reader, *rule, route.rules.size() + 1, models));
  }
}

}  // namespace keel::config
