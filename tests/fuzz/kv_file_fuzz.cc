// rooms: model/ledger
// A file of evaluated tokens that is cut off, bit-flipped or wholly made up gives exactly the whole
// segments at its beginning, and loading leaves a file that can be appended to. The first byte
// says how many honest segments stand before, the next two where the damage is.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/ledger/kv_file.h"

namespace {

namespace fs = std::filesystem;
using keel::local::KvFiles;
using keel::local::KvSegment;

struct Home {
  Home() {
    std::string name = (fs::temp_directory_path() / "keel-fuzz-XXXXXX").string();
    KEEL_ASSERT(::mkdtemp(name.data()) != nullptr);
    folder = name;
    files = MUST(KvFiles::open(folder, std::string(64, 'a')));
    // Hashes, so that OpenSSL is set up before this object is: it must be taken down after it.
    KEEL_ASSERT(files->load("c").empty());
  }
  ~Home() {
    files.reset();
    std::error_code error;
    fs::remove_all(folder, error);
  }
  std::string file() const { return fs::directory_iterator(folder)->path().string(); }
  std::string folder;
  std::unique_ptr<KvFiles> files;
};

KvSegment segment_of(std::size_t from, std::string_view bytes) {
  KvSegment segment{from, {}, {}};
  for (const char c : bytes.substr(0, 1 + bytes.size() / 8)) segment.tokens.push_back(c);
  segment.state.assign(bytes.begin(), bytes.end());
  return segment;
}

bool same(const KvSegment& a, const KvSegment& b) {
  return a.from == b.from && a.tokens == b.tokens && a.state == b.state;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Home home;
  if (size < 4) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 3, size - 3);
  std::vector<KvSegment> saved;
  std::size_t from = 0;
  for (int i = 0; i <= data[0] % 3; ++i) {
    saved.push_back(segment_of(from, rest));
    from += saved.back().tokens.size();
    KEEL_ASSERT(home.files->save("c", saved.back()));
    home.files->settle();
  }
  const std::string path = home.file();
  const std::uintmax_t whole = fs::file_size(path);
  const std::uintmax_t at = (data[1] | data[2] << 8u) % whole;
  {
    std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
    if ((data[0] & 0x80) != 0) {  // made up from there on
      out.seekp(static_cast<std::streamoff>(at));
      out.write(rest.data(), static_cast<std::streamsize>(rest.size()));
    } else if ((data[0] & 0x40) != 0) {  // one bit
      out.seekg(static_cast<std::streamoff>(at));
      const int before = out.get();
      out.seekp(static_cast<std::streamoff>(at));
      out.put(static_cast<char>(before ^ (1 << (data[0] >> 2u & 7u))));
    }
  }
  if ((data[0] & 0xC0) == 0) fs::resize_file(path, at);
  const std::vector<KvSegment> found = home.files->load("c");
  if (found.size() > saved.size()) std::abort();
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!same(found[i], saved[i])) std::abort();
  }
  for (const KvSegment& like : home.files->load_like(saved[0].tokens, 1)) {
    if (!same(like, saved[0])) std::abort();
  }
  if (!found.empty()) {
    const std::size_t end = found.back().from + found.back().tokens.size();
    KEEL_ASSERT(home.files->save("c", segment_of(end, rest)));
    if (home.files->load("c").size() != found.size() + 1) std::abort();
  }
  return 0;
}
