#include "log/redact.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <mutex>

#include "base/limits.h"
#include "base/text.h"

namespace keel::log {
namespace {

constexpr std::string_view replacement = "[redacted]";

std::string base64(std::string_view bytes, bool for_urls) {
  const char* alphabet = for_urls
                             ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                             : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (unsigned char byte : bytes) {
    bits = bits << 8 | byte;
    count += 8;
    while (count >= 6) {
      count -= 6;
      out += alphabet[bits >> count & 63];
    }
  }
  if (count > 0) out += alphabet[bits << (6 - count) & 63];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

// Inside a longer text ("user:secret") the encoding depends on where the secret starts, modulo 3.
// The characters that also hold bits of a neighbour are left out, so each of the three forms is
// found whatever stands around it.
std::string base64_inside(std::string_view secret, std::size_t offset, bool for_urls) {
  std::string shifted(offset, '\0');
  shifted += secret;
  std::size_t first = (offset * 8 + 5) / 6;
  std::size_t last = shifted.size() * 8 / 6;
  return base64(shifted, for_urls).substr(first, last - first);
}

std::string hex(std::string_view bytes, bool upper) {
  std::string out;
  for (unsigned char byte : bytes) {
    if (upper)
      fmt::format_to(std::back_inserter(out), "{:02X}", byte);
    else
      fmt::format_to(std::back_inserter(out), "{:02x}", byte);
  }
  return out;
}

std::string url_encoded(std::string_view text, bool upper, bool form) {
  std::string out;
  for (unsigned char byte : text) {
    bool plain = std::isalnum(byte) != 0 || byte == '-' || byte == '.' || byte == '_' ||
                 (byte == '~' && !form) || (byte == '*' && form);
    if (plain)
      out += static_cast<char>(byte);
    else if (byte == ' ' && form)
      out += '+';
    else
      out += "%" + hex(std::string_view(reinterpret_cast<const char*>(&byte), 1), upper);
  }
  return out;
}

std::string json_escaped(std::string_view text, bool slashes) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\' || (c == '/' && slashes)) out += '\\';
    out += c;
  }
  return out;
}

bool breaks_lines(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

}  // namespace

void Redactor::add(std::string_view secret) {
  if (secret.size() < limits::log_secret_bytes) return;
  std::vector<std::string> forms{std::string(secret)};
  for (bool variant : {false, true}) {
    forms.push_back(base64(secret, variant));
    for (std::size_t offset : {0, 1, 2}) forms.push_back(base64_inside(secret, offset, variant));
    forms.push_back(hex(secret, variant));
    forms.push_back(url_encoded(secret, variant, false));
    forms.push_back(url_encoded(secret, variant, true));
    forms.push_back(json_escaped(secret, variant));
  }
  std::unique_lock lock(mutex_);
  needles_.insert(needles_.end(), std::make_move_iterator(forms.begin()),
                  std::make_move_iterator(forms.end()));
  std::sort(needles_.begin(), needles_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  needles_.erase(std::unique(needles_.begin(), needles_.end()), needles_.end());
}

std::string Redactor::apply(std::string_view text) const {
  std::string out(text);
  std::shared_lock lock(mutex_);
  for (const std::string& needle : needles_) {
    std::size_t at = 0;
    while ((at = out.find(needle, at)) != std::string::npos) {
      out.replace(at, needle.size(), replacement);
      at += replacement.size();
    }
  }
  return out;
}

std::string escape_line(std::string_view text, std::size_t max_bytes) {
  std::string out;
  std::size_t offset = 0;
  while (offset < text.size()) {
    if (out.size() >= max_bytes) return out + "…";
    std::size_t start = offset;
    char32_t c = next_code_point(text, offset);
    std::string_view bytes = text.substr(start, offset - start);
    bool invalid = c == 0xfffd && bytes != "\xef\xbf\xbd";
    if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (invalid || c < 0x80) {
      if (invalid || breaks_lines(c))
        out += "\\x" + hex(bytes, false);
      else
        out += bytes;
    } else if (breaks_lines(c)) {
      fmt::format_to(std::back_inserter(out), "\\u{{{:04x}}}", static_cast<unsigned>(c));
    } else {
      out += bytes;
    }
  }
  return out;
}

}  // namespace keel::log
