#include "config/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/limits.h"
#include "base/text.h"

namespace keel::config {
namespace {

// As TOML's users call it.
std::string_view type_name(toml::node_type type) {
  switch (type) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::none:
      return "nothing";
    default:
      return "a date or time";
  }
}

}  // namespace

std::string Reader::lines(const Messages& messages, std::string_view separator) const {
  std::string out;
  for (const auto& [line, text] : messages) {
    if (!out.empty()) out += separator;
    out +=
        line > 0 ? fmt::format("{}:{}: {}", file_, line, text) : fmt::format("{}: {}", file_, text);
  }
  return out;
}

std::vector<std::string> Reader::notes() const {
  std::vector<std::string> out;
  for (const auto& entry : notes_) out.push_back(lines({entry}, ""));
  return out;
}

void Reader::check(const toml::table& table, std::string_view where, const std::vector<Key>& keys) {
  for (const auto& [name, node] : table) {
    auto known = std::find_if(keys.begin(), keys.end(),
                              [&](const Key& key) { return key.name == name.str(); });
    if (known != keys.end()) {
      check_value(node, name.str(), known->type);
      continue;
    }
    std::vector<std::string> names;
    for (const Key& key : keys) names.emplace_back(key.name);
    std::string nearest = nearest_name(name.str(), names);
    std::string advice = nearest.empty() ? fmt::format("known are: {}", join(names, ", "))
                                         : fmt::format("did you mean '{}'?", nearest);
    problem(static_cast<int>(name.source().begin.line),
            fmt::format("unknown key '{}' in {} - {}", printable(name.str()), where, advice));
  }
}

void Reader::check_value(const toml::node& node, std::string_view name, Type type) {
  auto expect = [&](bool right, std::string_view what) {
    if (!right) {
      problem(line_of(&node),
              fmt::format("'{}' must be {}, not {}", name, what, type_name(node.type())));
    }
    return right;
  };
  switch (type) {
    case Type::text:
      if (expect(node.is_string(), "a text")) check_text(node, name);
      return;
    case Type::number:
      expect(node.is_number(), "a number");
      return;
    case Type::integer:
      expect(node.is_integer(), "a whole number");
      return;
    case Type::boolean:
      expect(node.is_boolean(), "true or false");
      return;
    case Type::some_texts:
      if (node.is_string()) return check_text(node, name);
      [[fallthrough]];
    case Type::texts:
    case Type::names:
      if (expect(node.is_array(), "a list in [ ]")) check_list(node, name, type == Type::names);
      return;
    case Type::secret:
      if (expect(node.is_string(), "a text"))
        check_secret(node.as_string()->get(), name, line_of(&node));
      return;
    case Type::url:
      if (expect(node.is_string(), "a text"))
        check_url(node.as_string()->get(), name, line_of(&node));
      return;
    case Type::anything:
      return;
  }
}

void Reader::check_text(const toml::node& node, std::string_view name) {
  const std::string& text = node.as_string()->get();
  if (text.empty())
    problem(line_of(&node), fmt::format("'{}' is empty; remove it or give it a value", name));
  if (text.size() > limits::config_text_bytes) {
    problem(line_of(&node),
            fmt::format("'{}' is longer than {} bytes", name, limits::config_text_bytes));
  }
  if (has_control(text))
    problem(line_of(&node), fmt::format("'{}' holds a control character", name));
}

void Reader::check_list(const toml::node& node, std::string_view name, bool integers) {
  for (const toml::node& item : *node.as_array()) {
    if (item.is_string()) {
      check_text(item, name);
    } else if (!(integers && item.is_integer())) {
      problem(line_of(&item),
              fmt::format("'{}' must be a list of texts{}, but holds {}", name,
                          integers ? " or whole numbers" : "", type_name(item.type())));
    }
  }
}

// What stands here may be a secret by mistake, so no message repeats it.
void Reader::check_secret(const std::string& reference, std::string_view name, int line) {
  bool environment = reference.starts_with("env:");
  bool file = reference.starts_with("file:");
  if (!environment && !file) {
    problem(line, fmt::format("'{}' must be \"env:NAME\" or \"file:PATH\"; the secret itself does "
                              "not belong into this "
                              "file. If one stood here, change it where it is used.",
                              name));
    return;
  }
  std::string_view rest = std::string_view(reference).substr(environment ? 4 : 5);
  if (rest.empty() || has_control(rest) || rest.size() > limits::config_text_bytes) {
    problem(line,
            fmt::format("'{}' names no {}", name, environment ? "environment variable" : "file"));
    return;
  }
  bool upper = std::all_of(rest.begin(), rest.end(), [](unsigned char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (environment && !upper) {
    problem(line,
            fmt::format("'{}': the name after env: may hold A to Z, 0 to 9 and _ only", name));
  }
}

void Reader::check_url(const std::string& url, std::string_view name, int line) {
  std::size_t start = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
  std::string_view rest = std::string_view(url).substr(start);
  std::string_view host = rest.substr(0, rest.find('/'));
  bool bad_bytes =
      std::any_of(url.begin(), url.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
  if (start == 0 || host.empty() || bad_bytes || url.size() > limits::config_text_bytes) {
    problem(line,
            fmt::format("'{}' must be an address that begins with https:// or http://", name));
  } else if (host.find('@') != std::string_view::npos) {
    problem(line,
            fmt::format("'{}' holds a user name or password; keys belong into a secret reference",
                        name));
  } else if (rest.find_first_of("?#") != std::string_view::npos) {
    problem(line, fmt::format("'{}' must not hold '?' or '#'", name));
  }
}

std::string Reader::text(const toml::table& table, std::string_view key,
                         std::string otherwise) const {
  const toml::node* node = table.get(key);
  if (node == nullptr || !node->is_string()) return otherwise;
  return node->as_string()->get();
}

std::vector<std::string> Reader::texts(const toml::table& table, std::string_view key) const {
  std::vector<std::string> out;
  const toml::node* node = table.get(key);
  if (node == nullptr || !node->is_array()) return out;
  for (const toml::node& item : *node->as_array()) {
    if (item.is_string()) out.push_back(item.as_string()->get());
  }
  return out;
}

std::vector<std::string> Reader::some_texts(const toml::table& table, std::string_view key) const {
  const toml::node* node = table.get(key);
  if (node != nullptr && node->is_string()) return {node->as_string()->get()};
  return texts(table, key);
}

bool Reader::boolean(const toml::table& table, std::string_view key, bool otherwise) const {
  const toml::node* node = table.get(key);
  return node != nullptr && node->is_boolean() ? node->as_boolean()->get() : otherwise;
}

std::int64_t Reader::integer(const toml::table& table, std::string_view key, std::int64_t otherwise,
                             std::int64_t low, std::int64_t high) {
  const toml::node* node = table.get(key);
  if (node == nullptr || !node->is_integer()) return otherwise;
  std::int64_t value = node->as_integer()->get();
  if (value >= low && value <= high) return value;
  problem(line_of(node),
          fmt::format("'{}' is {}, but must be between {} and {}", key, value, low, high));
  return otherwise;
}

double Reader::number(const toml::table& table, std::string_view key, double otherwise, double low,
                      double high) {
  const toml::node* node = table.get(key);
  if (node == nullptr || !node->is_number()) return otherwise;
  double value = node->value<double>().value_or(otherwise);
  if (value >= low && value <= high) return value;  // false for nan
  problem(line_of(node),
          fmt::format("'{}' is {}, but must be between {} and {}", key, value, low, high));
  return otherwise;
}

std::optional<double> Reader::dollars(const toml::table& table, std::string_view key) {
  if (table.get(key) == nullptr) return std::nullopt;
  return number(table, key, 0.0, 0.0, limits::config_price_max_usd);
}

std::string Reader::url(const toml::table& table, std::string_view key,
                        std::string otherwise) const {
  std::string url = text(table, key, std::move(otherwise));
  while (url.ends_with('/')) url.pop_back();
  return url;
}

void Reader::check_name(int line, std::string_view what, std::string_view name) {
  if (name.size() > limits::config_name_bytes)
    problem(line, fmt::format("{} is longer than {} bytes", what, limits::config_name_bytes));
}

std::string Reader::secret(const toml::table& table, std::string_view key) const {
  std::string reference = text(table, key);
  std::string_view prefix = "file:";
  if (!reference.starts_with(prefix)) return reference;
  std::string path = reference.substr(prefix.size());
  if (path.starts_with("/") || path.starts_with("~")) return reference;
  return std::string(prefix) + home_ + "/" + path;
}

}  // namespace keel::config
