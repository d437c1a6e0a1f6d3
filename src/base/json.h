// JSON at keel's borders: ordered objects (so that bytes stay stable), parsing that never throws,
// with the bounds of limits.h, and getters that say what was wrong.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace keel {

using Json = nlohmann::ordered_json;

// Refuses text over limits::json_bytes, nesting over limits::json_depth, and anything after the
// value. `what` names the thing in the error ("the tool's arguments").
Result<Json> parse_json(std::string_view text, std::string_view what = "JSON text");

// Compact; invalid UTF-8 inside strings is replaced, so this cannot fail.
std::string dump_json(const Json& value);
std::string dump_json_pretty(const Json& value);

// Getters on an object: an error names the key and the type that was expected.
Result<std::string> json_string(const Json& object, std::string_view key);
Result<std::int64_t> json_int(const Json& object, std::string_view key);
Result<double> json_number(const Json& object, std::string_view key);
Result<bool> json_bool(const Json& object, std::string_view key);
// The same with a default for a missing key (a wrong type gives the default too).
std::string json_string_or(const Json& object, std::string_view key, std::string_view otherwise);
std::int64_t json_int_or(const Json& object, std::string_view key, std::int64_t otherwise);
double json_number_or(const Json& object, std::string_view key, double otherwise);
bool json_bool_or(const Json& object, std::string_view key, bool otherwise);

// The strings of an array, in order; what is no string is passed over, and what is no array is an
// empty one.
std::vector<std::string> json_texts(const Json& array);
// The same for the array under a key.
std::vector<std::string> json_texts(const Json& object, std::string_view key);

}  // namespace keel
