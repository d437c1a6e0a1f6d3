#include "tool/charset.h"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/text.h"

namespace keel::tool {
namespace {

constexpr std::size_t kMetaBytes = 1024;  // where the HTML standard looks for <meta charset>

// The WHATWG encoding standard reads these labels as something wider than they say.
constexpr std::array<std::pair<std::string_view, std::string_view>, 17> kAliases = {{
    {"utf8", "utf-8"},
    {"unicode-1-1-utf-8", "utf-8"},
    {"iso-8859-1", "windows-1252"},
    {"iso8859-1", "windows-1252"},
    {"latin1", "windows-1252"},
    {"l1", "windows-1252"},
    {"us-ascii", "windows-1252"},
    {"ascii", "windows-1252"},
    {"cp1252", "windows-1252"},
    {"iso-8859-9", "windows-1254"},
    {"gb2312", "gb18030"},
    {"gbk", "gb18030"},
    {"x-gbk", "gb18030"},
    {"shift_jis", "cp932"},
    {"sjis", "cp932"},
    {"euc-kr", "cp949"},
    {"utf-16", "utf-16le"},
}};

constexpr std::array<char32_t, 32> kWindows1252 = {
    0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178};

bool is_label(std::string_view name) {
  return !name.empty() && name.size() <= 40 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
           c == ':';
  });
}

std::string canonical(std::string_view label) {
  const std::string name = ascii_lower(trim(label));
  for (const auto& [alias, meant] : kAliases) {
    if (name == alias) return std::string(meant);
  }
  return is_label(name) ? name : std::string();
}

std::string value_after(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '=')) ++at;
  if (at < text.size() && (text[at] == '"' || text[at] == '\'')) ++at;
  const std::size_t end = text.find_first_of("\"'; \t\r\n/>", at);
  return std::string(text.substr(at, end == text.npos ? text.npos : end - at));
}

std::string meta_charset(std::string_view bytes) {
  const std::string head = ascii_lower(bytes.substr(0, kMetaBytes));
  for (std::size_t meta = head.find("<meta"); meta != head.npos;
       meta = head.find("<meta", meta + 5)) {
    const std::size_t end = head.find('>', meta);
    const std::string_view tag =
        std::string_view(head).substr(meta, end == head.npos ? head.npos : end - meta);
    const std::size_t at = tag.find("charset");
    if (at == tag.npos) continue;
    std::string name = canonical(value_after(tag, at + 7));
    // A page whose <meta> could be read byte by byte is not in UTF-16, whatever it says.
    if (name.starts_with("utf-16")) name = "utf-8";
    if (!name.empty()) return name;
  }
  return {};
}

// Nothing if this system does not know the name.
std::optional<std::string> convert(std::string_view bytes, const std::string& from) {
  const iconv_t handle = iconv_open("UTF-8", from.c_str());
  // NOLINTNEXTLINE(performance-no-int-to-ptr): what iconv_open() gives for an unknown name
  if (handle == reinterpret_cast<iconv_t>(-1)) return {};
  std::string out;
  std::array<char, 16384> buffer{};
  std::string input(bytes);  // iconv wants a pointer to non-const
  char* in = input.data();
  std::size_t in_left = input.size();
  while (in_left > 0) {
    char* to = buffer.data();
    std::size_t room = buffer.size();
    const std::size_t result = iconv(handle, &in, &in_left, &to, &room);
    out.append(buffer.data(), buffer.size() - room);
    if (result != static_cast<std::size_t>(-1) || errno == E2BIG) continue;
    append_utf8(out, 0xFFFD);
    if (errno == EINVAL) break;  // the text ends inside a character
    ++in;
    --in_left;
  }
  iconv_close(handle);
  return to_valid_utf8(out);
}

std::string decode_as(std::string_view bytes, const std::string& charset) {
  if (charset == "utf-8") return to_valid_utf8(bytes);
  if (charset == "windows-1252") return decode_windows_1252(bytes);
  if (auto converted = convert(bytes, charset)) return *std::move(converted);
  return is_valid_utf8(bytes) ? std::string(bytes) : decode_windows_1252(bytes);
}

bool is_invisible(char32_t c) {
  return c == 0xAD || c == 0x034F || c == 0x061C || c == 0x115F || c == 0x1160 || c == 0x17B4 ||
         c == 0x17B5 || (c >= 0x180B && c <= 0x180F) || c == 0x200B || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0x3164 ||
         (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF || c == 0xFFA0 ||
         (c >= 0xFFF0 && c <= 0xFFFB) || (c >= 0x1BCA0 && c <= 0x1BCA3) ||
         (c >= 0x1D173 && c <= 0x1D17A) || (c >= 0xE0000 && c <= 0xE0FFF) ||
         (c >= 0x7F && c < 0xA0);
}

bool is_joiner(char32_t c) {
  return c == 0x200C || c == 0x200D;
}

}  // namespace

std::string media_type_of(std::string_view content_type) {
  return ascii_lower(trim(content_type.substr(0, content_type.find(';'))));
}

std::string charset_of(std::string_view content_type) {
  const std::string lower = ascii_lower(content_type);
  const std::size_t at = lower.find("charset");
  return at == lower.npos ? std::string() : value_after(lower, at + 7);
}

std::string decode_page(std::string_view bytes, std::string_view content_type, bool look_for_meta) {
  if (bytes.starts_with("\xef\xbb\xbf")) return to_valid_utf8(bytes.substr(3));
  if (bytes.starts_with("\xff\xfe")) return decode_as(bytes.substr(2), "utf-16le");
  if (bytes.starts_with("\xfe\xff")) return decode_as(bytes.substr(2), "utf-16be");
  std::string charset = canonical(charset_of(content_type));
  if (charset.empty() && look_for_meta) charset = meta_charset(bytes);
  if (!charset.empty()) return decode_as(bytes, charset);
  return is_valid_utf8(bytes) ? std::string(bytes) : decode_windows_1252(bytes);
}

std::string decode_windows_1252(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 8);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    append_utf8(out, byte >= 0x80 && byte < 0xA0 ? kWindows1252[byte - 0x80] : byte);
  }
  return out;
}

std::string clean_text(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  bool after_joiner = true;  // none at the beginning either
  for (std::size_t at = 0; at < utf8.size();) {
    const char32_t c = next_code_point(utf8, at);
    if (c == '\r') {
      if (at >= utf8.size() || utf8[at] != '\n') out += '\n';
      continue;
    }
    if (c == 0x2028 || c == 0x2029) out += '\n';
    if ((c < 0x20 && c != '\n' && c != '\t') || is_invisible(c)) continue;
    if (is_joiner(c)) {
      if (!after_joiner) append_utf8(out, c);
      after_joiner = true;
      continue;
    }
    after_joiner = false;
    append_utf8(out, c);
  }
  return out;
}

}  // namespace keel::tool
