// rooms: memory/foreign
//
// An archive of any bytes is refused in words, or what comes out of it is as long as it said.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "memory/foreign/zip.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string folder = [] {
    std::string made = (std::filesystem::temp_directory_path() / "keel-fuzz-XXXXXX").string();
    if (::mkdtemp(made.data()) == nullptr) std::abort();
    return made;
  }();
  const std::string path = folder + "/a.zip", out = folder + "/out";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const auto zip = keel::memory::Zip::open(path);
  if (!zip) {
    if (zip.error().message.empty()) std::abort();
    return 0;
  }
  int unpacked = 0;
  for (const auto& entry : zip->entries()) {
    if (++unpacked > 8 || entry.bytes > (1u << 20)) break;
    ::unlink(out.c_str());
    if (zip->unpack(entry, out) && std::filesystem::file_size(out) != entry.bytes) std::abort();
  }
  return 0;
}
