// check_schema(): the first violation of a schema, said so that a model can correct its call.
#include <cmath>
#include <string>

#include "base/limits.h"
#include "base/text.h"
#include "tool/registry.h"

namespace keel::tool {
namespace {

constexpr std::size_t kShownBytes = 60;

std::string_view kind_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return "boolean";
    case Json::value_t::string:
      return "string";
    case Json::value_t::array:
      return "array";
    case Json::value_t::object:
      return "object";
    case Json::value_t::number_float:
      return "number";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return "number";
    default:
      return "something else";
  }
}

std::string with_article(std::string_view kind) {
  if (kind == "null") return "null";
  const bool vowel = kind == "array" || kind == "object" || kind == "integer";
  return (vowel ? "an " : "a ") + std::string(kind);
}

std::string shown(const Json& value) {
  return printable(dump_json(value), kShownBytes);
}

std::string at(std::string_view path) {
  return std::string(path);
}

bool is_type(const Json& value, std::string_view type) {
  if (type == "integer") {
    if (value.is_number_integer()) return true;
    return value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>();
  }
  return kind_of(value) == type;
}

tl::unexpected<Error> wrong(std::string message) {
  return fail(Code::invalid_argument, std::move(message));
}

Status bad_schema(std::string_view path, std::string_view what) {
  return fail(Code::config, "the schema at " + at(path) + " is wrong: " + std::string(what));
}

class Checker {
 public:
  Status check(const Json& schema, const Json& value, const std::string& path, int depth) {
    if (depth > limits::schema_depth) {
      return fail(Code::limit, "the schema is nested deeper than " +
                                   std::to_string(limits::schema_depth) + " levels");
    }
    if (schema.is_boolean()) {
      return schema.get<bool>() ? Status{} : wrong(path + " is not allowed");
    }
    if (!schema.is_object()) return bad_schema(path, "it is not an object");
    TRY(check_type(schema, value, path));
    TRY(check_fixed(schema, value, path));
    TRY(check_number(schema, value, path));
    TRY(check_length(schema, value, path));
    TRY(check_object(schema, value, path, depth));
    TRY(check_items(schema, value, path, depth));
    TRY(check_choice(schema, "anyOf", value, path, depth));
    return check_choice(schema, "oneOf", value, path, depth);
  }

 private:
  static const Json* get(const Json& schema, const char* key) {
    const auto it = schema.find(key);
    return it == schema.end() ? nullptr : &*it;
  }

  static Status check_type(const Json& schema, const Json& value, const std::string& path) {
    const Json* type = get(schema, "type");
    if (type == nullptr) return {};
    std::string expected;
    const auto matches = [&](const Json& one) {
      if (!one.is_string()) return false;
      const auto& name = one.get_ref<const std::string&>();
      expected += (expected.empty() ? "" : " or ") + with_article(name);
      return is_type(value, name);
    };
    if (type->is_string()) {
      if (matches(*type)) return {};
    } else if (type->is_array()) {
      for (const Json& one : *type) {
        if (matches(one)) return {};
      }
    } else {
      return bad_schema(path, "its type is neither a name nor a list of names");
    }
    if (expected == "an integer" && value.is_number()) {
      return wrong(path + " must be a whole number, not " + shown(value));
    }
    return wrong(path + " must be " + expected + ", not " + with_article(kind_of(value)));
  }

  static Status check_fixed(const Json& schema, const Json& value, const std::string& path) {
    if (const Json* only = get(schema, "const"); only != nullptr && *only != value) {
      return wrong(path + " must be " + shown(*only));
    }
    const Json* choices = get(schema, "enum");
    if (choices == nullptr) return {};
    if (!choices->is_array()) return bad_schema(path, "its enum is not a list");
    std::string list;
    for (const Json& choice : *choices) {
      if (choice == value) return {};
      list += (list.empty() ? "" : ", ") + shown(choice);
    }
    return wrong(path + " must be one of " + shorten(list, 400) + ", not " + shown(value));
  }

  static Status check_number(const Json& schema, const Json& value, const std::string& path) {
    if (!value.is_number()) return {};
    const double number = value.get<double>();
    const Json* low = get(schema, "minimum");
    if (low != nullptr && low->is_number() && number < low->get<double>()) {
      return wrong(path + " must be at least " + shown(*low) + ", not " + shown(value));
    }
    const Json* high = get(schema, "maximum");
    if (high != nullptr && high->is_number() && number > high->get<double>()) {
      return wrong(path + " must be at most " + shown(*high) + ", not " + shown(value));
    }
    return {};
  }

  // minLength and maxLength count code points, minItems and maxItems elements.
  static Status check_length(const Json& schema, const Json& value, const std::string& path) {
    std::int64_t size = 0;
    const char* low_key = "minItems";
    const char* high_key = "maxItems";
    std::string_view unit = " elements";
    if (value.is_string()) {
      const auto& text = value.get_ref<const std::string&>();
      for (std::size_t i = 0; i < text.size(); ++size) next_code_point(text, i);
      low_key = "minLength";
      high_key = "maxLength";
      unit = " characters";
    } else if (value.is_array()) {
      size = static_cast<std::int64_t>(value.size());
    } else {
      return {};
    }
    const std::int64_t low = json_int_or(schema, low_key, 0);
    if (size < low) {
      if (size == 0) return wrong(path + " must not be empty");
      return wrong(path + " must have at least " + std::to_string(low) + std::string(unit) +
                   ", not " + std::to_string(size));
    }
    const std::int64_t high = json_int_or(schema, high_key, INT64_MAX);
    if (size > high) {
      return wrong(path + " must have at most " + std::to_string(high) + std::string(unit) +
                   ", not " + std::to_string(size));
    }
    return {};
  }

  static Status check_required(const Json& schema, const Json& value, const std::string& path) {
    const Json* required = get(schema, "required");
    if (required == nullptr) return {};
    if (!required->is_array()) return bad_schema(path, "its list of required keys is not a list");
    for (const Json& key : *required) {
      if (!key.is_string()) return bad_schema(path, "a required key is not a string");
      const auto& name = key.get_ref<const std::string&>();
      if (value.contains(name)) continue;
      std::string message = path + "." + printable(name, kShownBytes) + " is missing";
      const Json* properties = get(schema, "properties");
      if (properties != nullptr && properties->is_object() && properties->contains(name)) {
        const std::string type = json_string_or((*properties)[name], "type", "");
        if (!type.empty()) message += "; it must be " + with_article(type);
      }
      return wrong(message);
    }
    return {};
  }

  Status check_object(const Json& schema, const Json& value, const std::string& path, int depth) {
    if (!value.is_object()) return {};
    TRY(check_required(schema, value, path));
    const Json* properties = get(schema, "properties");
    if (properties != nullptr && !properties->is_object()) {
      return bad_schema(path, "its properties are not an object");
    }
    const Json* others = get(schema, "additionalProperties");
    for (const auto& [name, member] : value.items()) {
      const std::string member_path = path + "." + printable(name, kShownBytes);
      if (properties != nullptr && properties->contains(name)) {
        TRY(check((*properties)[name], member, member_path, depth + 1));
      } else if (others != nullptr && others->is_boolean() && !others->get<bool>()) {
        return wrong(member_path + " is not known; " + known_names(properties));
      } else if (others != nullptr && others->is_object()) {
        TRY(check(*others, member, member_path, depth + 1));
      }
    }
    return {};
  }

  static std::string known_names(const Json* properties) {
    if (properties == nullptr || properties->empty()) return "there are no arguments";
    std::string list;
    for (const auto& [name, unused] : properties->items()) {
      list += (list.empty() ? "" : ", ") + printable(name, kShownBytes);
    }
    return "there are: " + shorten(list, 400);
  }

  Status check_items(const Json& schema, const Json& value, const std::string& path, int depth) {
    if (!value.is_array()) return {};
    const Json* items = get(schema, "items");
    if (items == nullptr) return {};
    for (std::size_t i = 0; i < value.size(); ++i) {
      TRY(check(*items, value[i], path + "[" + std::to_string(i) + "]", depth + 1));
    }
    return {};
  }

  Status check_choice(const Json& schema, const char* key, const Json& value,
                      const std::string& path, int depth) {
    const Json* choices = get(schema, key);
    if (choices == nullptr) return {};
    if (!choices->is_array() || choices->empty())
      return bad_schema(path, "its choices are not a list");
    int matches = 0;
    std::string first;
    for (const Json& choice : *choices) {
      const Status status = check(choice, value, path, depth + 1);
      if (status) {
        ++matches;
      } else {
        if (status.error().code != Code::invalid_argument) return status;
        if (first.empty()) first = status.error().message;
      }
    }
    if (matches == 0)
      return wrong(path + " fits none of its forms; for the first of them: " + first);
    if (matches > 1 && std::string_view(key) == "oneOf") {
      return wrong(path + " fits more than one of its forms");
    }
    return {};
  }
};

}  // namespace

Status check_schema(const Json& schema, const Json& value, std::string_view path) {
  return Checker().check(schema, value, std::string(path), 0);
}

}  // namespace keel::tool
