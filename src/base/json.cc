#include "base/json.h"

#include "base/limits.h"
#include "base/text.h"

namespace keel {
namespace {

// nlohmann's parser recurses nowhere, but its value type does when it is copied or destroyed, so
// depth is bounded before parsing by a scan that knows strings and brackets only.
bool too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if ((c == '{' || c == '[') && ++depth > limits::json_depth) return true;
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return false;
}

const Json* find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(std::string(key));
  return it == object.end() ? nullptr : &*it;
}

tl::unexpected<Error> wrong(const Json* value, std::string_view key, std::string_view expected) {
  const std::string name = "\"" + std::string(key) + "\"";
  if (value == nullptr) return fail(Code::invalid_argument, name + " is missing");
  return fail(Code::invalid_argument,
              name + " must be " + std::string(expected) + ", not " + value->type_name());
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view what) {
  const std::string name(what);
  if (text.size() > limits::json_bytes) {
    return fail(Code::limit, name + " has " + std::to_string(text.size()) + " bytes, more than " +
                                 std::to_string(limits::json_bytes));
  }
  if (too_deep(text)) {
    return fail(Code::limit,
                name + " is nested deeper than " + std::to_string(limits::json_depth) + " levels");
  }
  if (!is_valid_utf8(text)) return fail(Code::invalid_argument, name + " is not valid UTF-8");
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) {
    return fail(Code::invalid_argument, name + " is not valid JSON: " + printable(text, 80));
  }
  return value;
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string dump_json_pretty(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> json_string(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  if (value == nullptr || !value->is_string()) return wrong(value, key, "a string");
  return value->get<std::string>();
}

Result<std::int64_t> json_int(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  if (value == nullptr || !value->is_number_integer()) return wrong(value, key, "a whole number");
  return value->get<std::int64_t>();
}

Result<double> json_number(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  if (value == nullptr || !value->is_number()) return wrong(value, key, "a number");
  return value->get<double>();
}

Result<bool> json_bool(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  if (value == nullptr || !value->is_boolean()) return wrong(value, key, "true or false");
  return value->get<bool>();
}

std::string json_string_or(const Json& object, std::string_view key, std::string_view otherwise) {
  return json_string(object, key).value_or(std::string(otherwise));
}

std::int64_t json_int_or(const Json& object, std::string_view key, std::int64_t otherwise) {
  return json_int(object, key).value_or(otherwise);
}

double json_number_or(const Json& object, std::string_view key, double otherwise) {
  return json_number(object, key).value_or(otherwise);
}

bool json_bool_or(const Json& object, std::string_view key, bool otherwise) {
  return json_bool(object, key).value_or(otherwise);
}

std::vector<std::string> json_texts(const Json& array) {
  std::vector<std::string> texts;
  if (!array.is_array()) return texts;
  for (const Json& one : array) {
    if (one.is_string()) texts.push_back(one.get<std::string>());
  }
  return texts;
}

std::vector<std::string> json_texts(const Json& object, std::string_view key) {
  const Json* array = find(object, key);
  return array == nullptr ? std::vector<std::string>() : json_texts(*array);
}

}  // namespace keel
