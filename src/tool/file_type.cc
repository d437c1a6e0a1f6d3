#include "tool/file_type.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace keel::tool {
namespace {

using namespace std::string_view_literals;

constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kMagic = {{
    {"%PDF-"sv, "PDF document"sv},
    {"\x89PNG"sv, "PNG image"sv},
    {"\xff\xd8\xff"sv, "JPEG image"sv},
    {"GIF8"sv, "GIF image"sv},
    {"RIFF"sv, "RIFF media file"sv},
    {"PK\x03\x04"sv, "ZIP archive or office document"sv},
    {"PK\x05\x06"sv, "ZIP archive"sv},
    {"\x1f\x8b"sv, "gzip archive"sv},
    {"BZh"sv, "bzip2 archive"sv},
    {"\xfd"
     "7zXZ"sv,
     "xz archive"sv},
    {"\x28\xb5\x2f\xfd"sv, "zstd archive"sv},
    {"7z\xbc\xaf\x27\x1c"sv, "7-Zip archive"sv},
    {"\x7f"
     "ELF"sv,
     "ELF program"sv},
    {"SQLite format 3\0"sv, "SQLite database"sv},
    {"GGUF"sv, "GGUF model"sv},
    {"OggS"sv, "Ogg media file"sv},
    {"ID3"sv, "MP3 audio"sv},
    {"fLaC"sv, "FLAC audio"sv},
    {"\xcf\xfa\xed\xfe"sv, "Mach-O program"sv},
    {"\xd0\xcf\x11\xe0"sv, "old office document"sv},
}};

// The share of control characters that a text in an 8-bit set may have before it is taken for
// binary.
constexpr std::size_t kControlShare = 50;

}  // namespace

std::string_view binary_type(std::string_view head) {
  for (const auto& [magic, name] : kMagic) {
    if (head.starts_with(magic)) return name;
  }
  if (head.starts_with("\xff\xfe"sv) || head.starts_with("\xfe\xff"sv)) return "UTF-16 text";
  std::size_t controls = 0;
  for (const char c : head) {
    if (c == '\0') return "binary data";
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != '\x1b') ++controls;
  }
  return controls * kControlShare > head.size() ? "binary data" : "";
}

}  // namespace keel::tool
