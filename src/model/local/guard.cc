#include "model/local/guard.h"

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"

namespace keel::local {
namespace {

// Plane 16 is private use to its end, and nobody types it.
constexpr char32_t kFirst = 0x100000;
constexpr char32_t kLast = 0x10FFFD;
static_assert(limits::guard_stand_ins <= kLast - kFirst + 1);
constexpr std::string_view kZeroWidthSpace = "\xE2\x80\x8B";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

constexpr std::array<std::string_view, 6> kCounts = {"minLength", "maxLength",     "minItems",
                                                     "maxItems",  "minProperties", "maxProperties"};
constexpr std::array<std::string_view, 14> kNarrowing = {
    "pattern",       "format",        "minLength", "maxLength",        "minItems",
    "maxItems",      "minimum",       "maximum",   "exclusiveMinimum", "exclusiveMaximum",
    "minProperties", "maxProperties", "$defs",     "definitions"};

template <class List>
bool among(const List& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// Look-around, back references and large repetitions.
Status check_pattern(const std::string& pattern) {
  if (pattern.find("(?") != std::string::npos && pattern.find("(?:") == std::string::npos) {
    return fail(Code::unsupported, "the pattern " + printable(pattern) + " looks around");
  }
  for (std::size_t at = pattern.find('{'); at != std::string::npos;
       at = pattern.find('{', at + 1)) {
    long number = 0;
    for (std::size_t i = at + 1; i < pattern.size() && pattern[i] != '}'; ++i) {
      number = pattern[i] >= '0' && pattern[i] <= '9'
                   ? std::min(number * 10 + (pattern[i] - '0'), 1000000L)
                   : 0;
      if (number > limits::tool_schema_repetition) {
        return fail(Code::limit, "the pattern " + printable(pattern) + " repeats too often");
      }
    }
  }
  return {};
}

// Iterative, so that depth is a number here and not a stack. A reference is followed as often as
// its target is reached, with its depth, so that recursion ends at the depth bound.
Status walk_schema(const Json& root) {
  struct Place {
    const Json* node;
    int depth;
  };
  std::vector<Place> todo = {{&root, 0}};
  std::size_t visited = 0;
  while (!todo.empty()) {
    const Place place = todo.back();
    todo.pop_back();
    if (place.depth > limits::tool_schema_depth) {
      return fail(Code::limit, "it is nested deeper than " +
                                   std::to_string(limits::tool_schema_depth) +
                                   " levels, or refers to itself");
    }
    if (++visited > limits::tool_schema_bytes)
      return fail(Code::limit, "its references multiply without end");
    if (place.node->is_array()) {
      for (const Json& child : *place.node) todo.push_back({&child, place.depth + 1});
    }
    if (!place.node->is_object()) continue;
    for (const auto& [key, child] : place.node->items()) {
      if (key == "pattern" && child.is_string()) TRY(check_pattern(child.get<std::string>()));
      if (among(kCounts, key) && child.is_number() &&
          child.get<double>() > limits::tool_schema_repetition) {
        return fail(Code::limit,
                    key + " is over " + std::to_string(limits::tool_schema_repetition));
      }
      if (key == "$ref" && child.is_string()) {
        const std::string ref = child.get<std::string>();
        if (ref.substr(0, 1) != "#")
          return fail(Code::unsupported, "it refers to another document");
        const auto pointer = ref.substr(1);
        if (!pointer.empty() && pointer[0] != '/')
          return fail(Code::unsupported, "unknown reference " + ref);
        const Json* target = &root;
        for (const std::string_view step :
             split(std::string_view(pointer).substr(pointer.empty() ? 0 : 1), '/')) {
          if (pointer.empty()) break;
          const auto it = target->is_object() ? target->find(std::string(step)) : target->end();
          if (it == target->end())
            return fail(Code::unsupported, "the reference " + ref + " leads nowhere");
          target = &*it;
        }
        todo.push_back({target, place.depth + 1});
        continue;
      }
      if (key != "$defs" && key != "definitions") todo.push_back({&child, place.depth + 1});
    }
  }
  return {};
}

// The length of the private character of that plane at the beginning of `text`; 0 if there is none.
std::size_t private_bytes(std::string_view text) {
  if (static_cast<unsigned char>(text[0]) != 0xF4) return 0;
  std::size_t next = 0;
  const char32_t c = next_code_point(text, next);
  return c >= kFirst && c <= kLast ? next : 0;
}

std::size_t code_point_bytes(std::string_view text) {
  std::size_t at = 0;
  next_code_point(text, at);
  return at;
}

}  // namespace

SpecialTexts::SpecialTexts(std::vector<std::string> texts) {
  for (std::string& text : texts) {
    if (!text.empty())
      by_first_byte_[static_cast<unsigned char>(text[0])].push_back(std::move(text));
  }
  for (auto& list : by_first_byte_) {
    std::sort(list.begin(), list.end(), [](const std::string& a, const std::string& b) {
      return a.size() != b.size() ? a.size() > b.size() : a < b;
    });
  }
}

std::size_t SpecialTexts::match(std::string_view text) const {
  if (text.empty()) return 0;
  for (const std::string& candidate : by_first_byte_[static_cast<unsigned char>(text[0])]) {
    if (text.substr(0, candidate.size()) == candidate) return candidate.size();
  }
  return 0;
}

std::string SpecialGuard::protect(std::string_view content) {
  std::string valid;
  if (!is_valid_utf8(content) || content.find('\0') != std::string_view::npos) {
    valid = to_valid_utf8(content);
    content = valid;
  }
  std::string out;
  out.reserve(content.size());
  for (std::size_t i = 0; i < content.size();) {
    const std::string_view rest = content.substr(i);
    const std::size_t special = specials_->match(rest);
    // A private character that was there already must not be taken for one of ours.
    const std::size_t size = special > 0 ? special : breaking_ ? 0 : private_bytes(rest);
    if (size == 0) {
      out += content[i++];
      continue;
    }
    const char32_t stand_in = breaking_ ? 0 : stand_in_for(rest.substr(0, size));
    if (stand_in != 0) {
      append_utf8(out, stand_in);
      i += size;
      continue;
    }
    const std::size_t first = code_point_bytes(rest);
    out += special > 0 ? rest.substr(0, first) : kReplacement;
    if (special > 0) out += kZeroWidthSpace;
    i += first;
  }
  return out;
}

char32_t SpecialGuard::stand_in_for(std::string_view text) {
  const std::string key(text);
  const auto known = index_.find(key);
  if (known != index_.end()) return kFirst + known->second;
  if (table_.size() >= limits::guard_stand_ins) return 0;
  const auto number = static_cast<std::uint32_t>(table_.size());
  table_.push_back(key);
  index_.emplace(key, number);
  return kFirst + number;
}

std::vector<SpecialGuard::Part> SpecialGuard::split(std::string_view rendered) const {
  std::vector<Part> parts;
  std::string plain;
  for (std::size_t i = 0; i < rendered.size();) {
    if (table_.empty()) {
      plain = rendered;
      break;
    }
    std::size_t next = i;
    const char32_t c = next_code_point(rendered, next);
    if (c < kFirst || c - kFirst >= table_.size()) {
      plain += rendered.substr(i, next - i);
      i = next;
      continue;
    }
    if (!plain.empty()) parts.push_back({std::move(plain), false});
    plain.clear();
    // In two pieces, because some tokenizers know part of their special tokens in any text.
    std::string_view text = table_[c - kFirst];
    while (!text.empty()) {
      const std::size_t first = code_point_bytes(text);
      const std::size_t rest = specials_->match(text) == text.size() ? first : text.size();
      parts.push_back({std::string(text.substr(0, rest)), true});
      text.remove_prefix(rest);
    }
    i = next;
  }
  if (!plain.empty()) parts.push_back({std::move(plain), false});
  return parts;
}

bool SpecialGuard::lost(std::string_view rendered) const {
  std::vector<bool> seen(table_.size(), false);
  if (table_.empty()) return false;
  for (std::size_t i = 0; i < rendered.size();) {
    const char32_t c = next_code_point(rendered, i);
    if (c >= kFirst && c - kFirst < seen.size()) seen[c - kFirst] = true;
  }
  return std::find(seen.begin(), seen.end(), false) != seen.end();
}

Status check_schema(const Json& schema) {
  if (!schema.is_object()) return fail(Code::invalid_argument, "it is not an object");
  const std::string type = json_string_or(schema, "type", "object");
  if (type != "object") return fail(Code::invalid_argument, "its type is " + type + ", not object");
  if (dump_json(schema).size() > limits::tool_schema_bytes) {
    return fail(Code::limit,
                "it is larger than " + std::to_string(limits::tool_schema_bytes) + " bytes");
  }
  return walk_schema(schema);
}

Json loosen_schema(const Json& schema) {
  if (schema.is_array()) {
    Json out = Json::array();
    for (const Json& item : schema) out.push_back(loosen_schema(item));
    return out;
  }
  if (!schema.is_object()) return schema;
  if (schema.contains("$ref")) return Json::object();
  Json out = Json::object();
  for (const auto& [key, value] : schema.items()) {
    // Under "properties" the keys are names of the tool's own, not keywords.
    if (key == "properties" && value.is_object()) {
      Json properties = Json::object();
      for (const auto& [name, property] : value.items()) properties[name] = loosen_schema(property);
      out[key] = std::move(properties);
    } else if (key == "enum" || key == "const" || key == "required") {
      out[key] = value;
    } else if (!among(kNarrowing, key)) {
      out[key] = loosen_schema(value);
    }
  }
  return out;
}

}  // namespace keel::local
