// One pass over a parsed keel.toml: typed reading of tables, and every problem with its line. Holds
// toml++; not for other rooms.
#pragma once

#define TOML_EXCEPTIONS 0
// toml++ 3.3 asserts that a key begins as one may before it looks: "[$x]" would end keel. Behind
// each of its asserts on input stands a proper error.
#define TOML_ASSERT(expression) static_cast<void>(0)
#include <toml++/toml.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keel::config {

enum class Type {
  text,
  number,  // an integer will do
  integer,
  boolean,
  texts,       // a list of texts
  some_texts,  // a text, or a list of them
  names,       // a list of texts or integers: identifiers of people
  secret,      // "env:NAME" or "file:PATH"
  url,         // http or https, without user, password, query or fragment
  anything,
};

struct Key {
  std::string_view name;
  Type type;
};

class Reader {
 public:
  // `file` names the file in messages; relative secret files are of `home`.
  Reader(std::string file, std::string home) : file_(std::move(file)), home_(std::move(home)) {}

  void problem(int line, const std::string& text) { problems_.emplace(line, text); }
  void note(int line, const std::string& text) { notes_.emplace(line, text); }
  bool failed() const { return !problems_.empty(); }
  // One a line, in the order of the file.
  std::string problems() const { return lines(problems_, "\n"); }
  std::vector<std::string> notes() const;

  // Each key of `table` must be one of `keys` and of its type. `where` is the table's name in
  // messages: "[[model]]".
  void check(const toml::table& table, std::string_view where, const std::vector<Key>& keys);

  // What check() found well-formed; missing or wrong gives `otherwise`.
  std::string text(const toml::table& table, std::string_view key,
                   std::string otherwise = {}) const;
  std::vector<std::string> texts(const toml::table& table, std::string_view key) const;
  // A single text is a list of one.
  std::vector<std::string> some_texts(const toml::table& table, std::string_view key) const;
  bool boolean(const toml::table& table, std::string_view key, bool otherwise) const;
  // Out of [low, high] is a problem.
  std::int64_t integer(const toml::table& table, std::string_view key, std::int64_t otherwise,
                       std::int64_t low, std::int64_t high);
  double number(const toml::table& table, std::string_view key, double otherwise, double low,
                double high);
  // An amount of money, or a price; nothing where none is said.
  std::optional<double> dollars(const toml::table& table, std::string_view key);
  // A name longer than limits::config_name_bytes is a problem; `what` is what has it.
  void check_name(int line, std::string_view what, std::string_view name);
  // Without slashes at its end, so that a path can follow.
  std::string url(const toml::table& table, std::string_view key, std::string otherwise = {}) const;
  // "file:NAME" made absolute.
  std::string secret(const toml::table& table, std::string_view key) const;

  static int line_of(const toml::node* node) {
    return node == nullptr ? 0 : static_cast<int>(node->source().begin.line);
  }
  static int line_of(const toml::table& table, std::string_view key) {
    return line_of(table.get(key));
  }

 private:
  using Messages = std::multimap<int, std::string>;
  std::string lines(const Messages& messages, std::string_view separator) const;
  void check_value(const toml::node& node, std::string_view name, Type type);
  void check_list(const toml::node& node, std::string_view name, bool integers);
  void check_text(const toml::node& node, std::string_view name);
  void check_secret(const std::string& reference, std::string_view name, int line);
  void check_url(const std::string& url, std::string_view name, int line);

  const std::string file_;
  const std::string home_;
  Messages problems_;
  Messages notes_;
};

}  // namespace keel::config
