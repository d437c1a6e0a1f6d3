// The lines and values of front matter: the flat part of YAML 1.2 that people write by hand. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keel::memory::yaml {

// The key of a line `key: value`, without quotes; empty if the line is none.
std::string key_of(std::string_view line);
// A key in the form that key_of() reads, in quotes where it must be.
std::string key_text(std::string_view key);
// Whether a line belongs to the property before it: indented, blank, or an item of a list.
bool continues(std::string_view line);
bool is_remark(std::string_view line);  // a comment or blank
// What follows `key:` in the lines of a property.
std::string_view value_part(std::string_view source);

// Plain, in quotes, or a block (| and >). Nothing for lists and maps; empty for null.
std::optional<std::string> scalar_of(std::string_view value);
// [a, "b"], lines of "- a", or a scalar. Nothing for nested ones and maps. At most
// limits::front_matter_items + 1 items, so that too many can be noticed.
std::optional<std::vector<std::string>> list_of(std::string_view value);

// A value in the form that reads back as it is, in quotes where YAML would take it for something
// else.
std::string scalar_text(std::string_view value);

}  // namespace keel::memory::yaml
