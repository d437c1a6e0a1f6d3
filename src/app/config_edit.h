// Changes of keel.toml that keel makes itself, as changes of its text: the owner's comments and
// order stay. Pure.
#pragma once

#include <string>
#include <string_view>

namespace keel::app {

// A TOML string with its quotes.
std::string toml_string(std::string_view text);
// The text with [route] default = "name".
std::string with_default_model(std::string_view text, const std::string& name);
// The text with one more [[model]] of kind "local" at its end.
std::string with_local_model(std::string_view text, const std::string& name,
                             const std::string& path);

}  // namespace keel::app
