// rooms: model/local
// Text from outside comes back as it was from the guard, and no part that is tokenised with special
// tokens holds one of them, private characters or not. The same bytes as a schema: they are
// refused in words, and loosening twice changes nothing more. The first line holds special texts,
// separated by spaces.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "model/local/guard.h"

namespace {

using keel::local::SpecialGuard;
using keel::local::SpecialTexts;

// Texts that a vocabulary could have: valid, without stand-ins, of more than one character.
std::vector<std::string> specials_of(std::string_view line) {
  std::vector<std::string> texts = {"<s>", "<|im_end|>", "|im_end|>"};
  for (const std::string_view text : keel::split(line, ' ')) {
    std::size_t first = 0;
    if (!text.empty()) keel::next_code_point(text, first);
    if (!keel::is_valid_utf8(text) || text.size() <= first) continue;
    if (text.find('\0') == text.npos && text.find('\xF4') == text.npos) texts.emplace_back(text);
  }
  return texts;
}

bool holds_special(const SpecialTexts& specials, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (specials.match(text.substr(i)) > 0) return true;
  }
  return false;
}

void check_text(const SpecialTexts& specials, std::string_view content) {
  SpecialGuard guard(specials);
  const std::string rendered = guard.protect(content);
  if (!keel::is_valid_utf8(rendered) || guard.lost(rendered)) std::abort();
  if (holds_special(specials, rendered)) std::abort();
  std::string joined;
  for (const SpecialGuard::Part& part : guard.split(rendered)) joined += part.text;
  const bool clean = keel::is_valid_utf8(content) && content.find('\0') == content.npos;
  if (joined != (clean ? std::string(content) : keel::to_valid_utf8(content))) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(bytes.find('\n'), bytes.size());
  const std::string_view content = bytes.substr(std::min(line + 1, bytes.size()));
  check_text(SpecialTexts(specials_of(bytes.substr(0, line))), content);
  const auto schema = keel::parse_json(content);
  if (!schema) return 0;
  const auto status = keel::local::check_schema(*schema);
  if (!status && status.error().message.empty()) std::abort();
  const keel::Json loose = keel::local::loosen_schema(*schema);
  if (keel::dump_json(keel::local::loosen_schema(loose)) != keel::dump_json(loose)) std::abort();
  return 0;
}
