#include "msg/alias.h"

#include <algorithm>

#include "base/hash.h"

namespace keel::msg {
namespace {

constexpr std::size_t name_bytes = 64;

bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool plain(char c) {
  return letter_or_digit(c) || c == '_' || c == '-';
}

// `count` letters and digits that follow from `text`; 36 of them, for the hash is given in hex.
std::string letters_of(std::string_view text, std::size_t count) {
  const std::string hex = sha256_hex(text);
  constexpr std::string_view digits =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string out;
  // Two hex digits give one of 62; 256 is no multiple of 62, which does not matter for a name.
  for (std::size_t i = 0; out.size() < count && i + 1 < hex.size(); i += 2) {
    out += digits[static_cast<std::size_t>(std::stoi(hex.substr(i, 2), nullptr, 16)) % 62];
  }
  return out;
}

}  // namespace

bool fits(std::string_view id, IdForm form) {
  switch (form) {
    case IdForm::anthropic:
      return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), plain);
    case IdForm::nine:
      return id.size() == 9 && std::all_of(id.begin(), id.end(), letter_or_digit);
    case IdForm::chat:
    case IdForm::responses:
      // Ids such as "functions.Bash:0" mean something to the model that wrote them.
      return !id.empty() && id.size() <= (form == IdForm::chat ? 40 : 64) &&
             std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c <= '~'; });
  }
  return false;
}

std::string id_alias(std::string_view id, IdForm form) {
  if (fits(id, form)) return std::string(id);
  if (form == IdForm::nine) return letters_of(id, 9);
  return (form == IdForm::anthropic ? "toolu_" : "call_") + letters_of(id, 24);
}

std::string ToolNames::alias(std::string_view space, std::string_view name) {
  const ToolName original{flat_ ? std::string(space) : "", std::string(name)};
  const std::string wanted =
      original.space.empty() ? original.name : original.space + "__" + original.name;
  std::string alias = wanted;
  std::replace_if(alias.begin(), alias.end(), [](char c) { return !plain(c); }, '_');
  const auto taken = originals_.find(alias);
  const bool free = taken == originals_.end() || taken->second == original;
  if (alias != wanted || alias.empty() || alias.size() > name_bytes || !free) {
    const std::string mark = "_" + letters_of(original.space + "\n" + original.name, 6);
    alias = alias.substr(0, name_bytes - mark.size()) + mark;
  }
  originals_.emplace(alias, original);
  return alias;
}

bool ToolNames::renames() const {
  return std::any_of(originals_.begin(), originals_.end(), [](const auto& entry) {
    return !entry.second.space.empty() || entry.second.name != entry.first;
  });
}

ToolName ToolNames::original(std::string_view alias) const {
  const auto it = originals_.find(alias);
  return it == originals_.end() ? ToolName{"", std::string(alias)} : it->second;
}

}  // namespace keel::msg
