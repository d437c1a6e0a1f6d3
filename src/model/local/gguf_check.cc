#include "model/local/gguf_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "rt/fd.h"
#include "rt/file.h"

namespace keel::local {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF numbers are read as they lie");

struct TensorType {
  std::uint32_t id;
  const char* name;
  std::uint64_t block;  // elements
  std::uint64_t bytes;  // of a block
};
// ggml's tensor types at the pinned version; a test compares them with the library.
constexpr std::array kTypes = {
    TensorType{0, "f32", 1, 4},         TensorType{1, "f16", 1, 2},
    TensorType{2, "q4_0", 32, 18},      TensorType{3, "q4_1", 32, 20},
    TensorType{6, "q5_0", 32, 22},      TensorType{7, "q5_1", 32, 24},
    TensorType{8, "q8_0", 32, 34},      TensorType{9, "q8_1", 32, 36},
    TensorType{10, "q2_K", 256, 84},    TensorType{11, "q3_K", 256, 110},
    TensorType{12, "q4_K", 256, 144},   TensorType{13, "q5_K", 256, 176},
    TensorType{14, "q6_K", 256, 210},   TensorType{15, "q8_K", 256, 292},
    TensorType{16, "iq2_xxs", 256, 66}, TensorType{17, "iq2_xs", 256, 74},
    TensorType{18, "iq3_xxs", 256, 98}, TensorType{19, "iq1_s", 256, 50},
    TensorType{20, "iq4_nl", 32, 18},   TensorType{21, "iq3_s", 256, 110},
    TensorType{22, "iq2_s", 256, 82},   TensorType{23, "iq4_xs", 256, 136},
    TensorType{24, "i8", 1, 1},         TensorType{25, "i16", 1, 2},
    TensorType{26, "i32", 1, 4},        TensorType{27, "i64", 1, 8},
    TensorType{28, "f64", 1, 8},        TensorType{29, "iq1_m", 256, 56},
    TensorType{30, "bf16", 1, 2},       TensorType{34, "tq1_0", 256, 54},
    TensorType{35, "tq2_0", 256, 66},   TensorType{39, "mxfp4", 32, 17},
    TensorType{40, "nvfp4", 64, 36},    TensorType{41, "q1_0", 128, 18},
    TensorType{42, "q2_0", 64, 18}};

// general.file_type, as llama.cpp names it.
constexpr std::array kFileTypes = {
    std::pair{0, "F32"},     std::pair{1, "F16"},      std::pair{2, "Q4_0"},
    std::pair{3, "Q4_1"},    std::pair{7, "Q8_0"},     std::pair{8, "Q5_0"},
    std::pair{9, "Q5_1"},    std::pair{10, "Q2_K"},    std::pair{11, "Q3_K_S"},
    std::pair{12, "Q3_K_M"}, std::pair{13, "Q3_K_L"},  std::pair{14, "Q4_K_S"},
    std::pair{15, "Q4_K_M"}, std::pair{16, "Q5_K_S"},  std::pair{17, "Q5_K_M"},
    std::pair{18, "Q6_K"},   std::pair{19, "IQ2_XXS"}, std::pair{20, "IQ2_XS"},
    std::pair{21, "Q2_K_S"}, std::pair{22, "IQ3_XS"},  std::pair{23, "IQ3_XXS"},
    std::pair{24, "IQ1_S"},  std::pair{25, "IQ4_NL"},  std::pair{26, "IQ3_S"},
    std::pair{27, "IQ3_M"},  std::pair{28, "IQ2_S"},   std::pair{29, "IQ2_M"},
    std::pair{30, "IQ4_XS"}, std::pair{31, "IQ1_M"},   std::pair{32, "BF16"},
    std::pair{36, "TQ1_0"},  std::pair{37, "TQ2_0"},   std::pair{38, "MXFP4"},
    std::pair{39, "NVFP4"},  std::pair{40, "Q1_0"},    std::pair{41, "Q2_0"}};

enum ValueType : std::uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64
};
constexpr std::array<std::uint64_t, 13> kValueBytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

bool add(std::uint64_t a, std::uint64_t b, std::uint64_t& sum) {
  return !__builtin_add_overflow(a, b, &sum);
}
bool multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& product) {
  return !__builtin_mul_overflow(a, b, &product);
}

// Fills `into` from `offset`; false if the file ends before.
using ReadAt = std::function<bool(std::uint64_t offset, char* into, std::size_t size)>;

// Walks the head with a window, so that neither a whole file nor a whole vocabulary is held.
class Reader {
 public:
  Reader(ReadAt read_at, std::uint64_t size) : read_at_(std::move(read_at)), size_(size) {}

  bool bytes(void* into, std::uint64_t count) {
    if (count > size_ - at_ || at_ + count > limits::gguf_head_bytes) return false;
    auto* out = static_cast<char*>(into);
    while (count > 0) {
      if (at_ < from_ || at_ >= from_ + held_) {
        from_ = at_;
        held_ = static_cast<std::size_t>(std::min<std::uint64_t>(window_.size(), size_ - at_));
        if (held_ == 0 || !read_at_(from_, window_.data(), held_)) return false;
      }
      const std::uint64_t part = std::min<std::uint64_t>(count, from_ + held_ - at_);
      std::memcpy(out, window_.data() + (at_ - from_), part);
      out += part;
      at_ += part;
      count -= part;
    }
    return true;
  }
  bool skip(std::uint64_t count) {
    if (count > size_ - at_) return false;
    at_ += count;
    return at_ <= limits::gguf_head_bytes;
  }
  template <class T>
  bool number(T& value) {
    return bytes(&value, sizeof value);
  }
  bool string(std::string& value, std::uint64_t most) {
    std::uint64_t size = 0;
    if (!number(size) || size > most || size > size_ - at_) return false;
    value.resize(size);
    return bytes(value.data(), size);
  }
  bool skip_string() {
    std::uint64_t size = 0;
    return number(size) && size <= limits::gguf_string_bytes && skip(size);
  }
  std::uint64_t at() const { return at_; }
  std::uint64_t size() const { return size_; }

 private:
  ReadAt read_at_;
  std::uint64_t size_;
  std::uint64_t at_ = 0;
  std::uint64_t from_ = 0;
  std::size_t held_ = 0;
  std::string window_ = std::string(256u << 10, '\0');
};

class Check {
 public:
  Check(Reader& reader, std::string name) : in_(reader), name_(std::move(name)) {}

  Result<GgufInfo> run() {
    info_.file_bytes = in_.size();
    TRY(magic());
    std::uint64_t keys = 0;
    if (!in_.number(info_.tensors) || !in_.number(keys)) return cut_off();
    if (info_.tensors > limits::gguf_tensors || keys > limits::gguf_keys) {
      return damaged("it claims " + std::to_string(info_.tensors) + " tensors and " +
                     std::to_string(keys) + " keys");
    }
    for (std::uint64_t i = 0; i < keys; ++i) TRY(key());
    for (std::uint64_t i = 0; i < info_.tensors; ++i) TRY(tensor());
    TRY(extents());
    if (info_.architecture.empty()) return damaged("it does not name an architecture");
    finish();
    return std::move(info_);
  }

 private:
  tl::unexpected<Error> damaged(const std::string& what) const {
    return fail(Code::corrupt, name_ + " is damaged: " + what, "fetch the model again");
  }
  tl::unexpected<Error> cut_off() const {
    return fail(Code::corrupt,
                name_ + " is not whole: it ends after " + std::to_string(in_.size()) +
                    " bytes, inside what it announces",
                "the download was cut off: fetch the model again");
  }

  Status magic() {
    std::array<char, 4> magic{};
    std::uint32_t version = 0;
    if (!in_.number(magic)) return cut_off();
    if (std::memcmp(magic.data(), "GGUF", 4) != 0) return not_gguf();
    if (!in_.number(version)) return cut_off();
    if ((version & 0xFFFFu) == 0) {
      return fail(Code::unsupported, name_ + " was made for a machine with the other byte order",
                  "fetch the ordinary (little-endian) file of this model");
    }
    if (version < 2 || version > limits::gguf_version_max) {
      return fail(Code::unsupported,
                  name_ + " is GGUF version " + std::to_string(version) + "; keel reads 2 and 3",
                  "convert the model again with a current llama.cpp");
    }
    return {};
  }

  tl::unexpected<Error> not_gguf() const;

  Status key() {
    std::string name;
    std::uint32_t type = 0;
    if (!in_.string(name, limits::gguf_key_bytes) || !in_.number(type))
      return key_failed("a key's name");
    if (name.empty()) return damaged("a key has no name");
    if (!names_.insert(name).second)
      return damaged("the key " + printable(name) + " stands in it twice");
    return value(name, type);
  }

  tl::unexpected<Error> key_failed(const std::string& what) const {
    if (in_.at() + 8 > in_.size()) return cut_off();
    return damaged(what + " is too long or runs past the end of the file");
  }

  Status value(const std::string& name, std::uint32_t type) {
    const std::string shown = "the value of " + printable(name);
    if (type == kArray) return array(name);
    if (type == kString) {
      std::string text;
      if (!in_.string(text, limits::gguf_string_bytes)) return key_failed(shown);
      if (name == "general.architecture") info_.architecture = printable(text, 64);
      if (name == "general.name") info_.name = printable(text, 200);
      if (name == "general.size_label") info_.size_label = printable(text, 64);
      if (name == "tokenizer.chat_template") info_.has_chat_template = !text.empty();
      return {};
    }
    if (type >= kValueBytes.size())
      return damaged(shown + " has the unknown type " + std::to_string(type));
    std::uint64_t number = 0;
    if (!in_.bytes(&number, kValueBytes[type])) return cut_off();
    if (name == "general.alignment") {
      if (type != kUint32 || number == 0 || !std::has_single_bit(number) ||
          number > limits::gguf_alignment_max) {
        return damaged("its alignment is not a power of two");
      }
      alignment_ = number;
    }
    if (name == "general.file_type" && type == kUint32) file_type_ = number & 0x3FF;
    constexpr std::string_view suffix = ".context_length";
    if ((type == kUint32 || type == kUint64) && name.size() > suffix.size() &&
        name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) {
      info_.context_length = number;
    }
    return {};
  }

  Status array(const std::string& name) {
    const std::string shown = "the list " + printable(name);
    std::uint32_t type = 0;
    std::uint64_t count = 0;
    if (!in_.number(type) || !in_.number(count)) return cut_off();
    if (type == kArray) return damaged(shown + " holds lists");
    if (type >= kValueBytes.size())
      return damaged(shown + " has the unknown type " + std::to_string(type));
    if (count > limits::gguf_array_items)
      return damaged(shown + " claims " + std::to_string(count) + " items");
    if (type == kString) {
      for (std::uint64_t i = 0; i < count; ++i) {
        if (!in_.skip_string()) return key_failed("an item of " + shown);
      }
      return {};
    }
    if (!in_.skip(count * kValueBytes[type])) return cut_off();  // both factors are bounded
    return {};
  }

  struct Extent {
    std::string name;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };

  Status tensor() {
    Extent extent;
    std::uint32_t dimensions = 0;
    if (!in_.string(extent.name, limits::gguf_tensor_name_bytes))
      return key_failed("a tensor's name");
    const std::string shown = "the tensor " + printable(extent.name);
    if (!in_.number(dimensions)) return cut_off();
    if (dimensions == 0 || dimensions > 4)
      return damaged(shown + " has " + std::to_string(dimensions) + " dimensions");
    std::uint64_t elements = 1;
    std::uint64_t row = 0;
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      std::uint64_t length = 0;
      if (!in_.number(length)) return cut_off();
      if (length == 0 || length > (1ull << 62) || !multiply(elements, length, elements) ||
          elements > (1ull << 62)) {
        return damaged(shown + " has an impossible size");
      }
      if (i == 0) row = length;
    }
    std::uint32_t type_id = 0;
    if (!in_.number(type_id) || !in_.number(extent.offset)) return cut_off();
    const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const TensorType& t) { return t.id == type_id; });
    if (type == kTypes.end()) {
      return fail(Code::unsupported,
                  name_ + ": " + shown + " has the type " + std::to_string(type_id) +
                      ", which keel's engine does not know",
                  "choose another quantisation of this model");
    }
    if (row % type->block != 0)
      return damaged(shown + " does not fill whole blocks of " + type->name);
    if (!multiply(elements / type->block, type->bytes, extent.bytes))
      return damaged(shown + " has an impossible size");
    info_.parameters += elements;
    extents_.push_back(std::move(extent));
    return {};
  }

  // The data begins at the next aligned byte after the head; every tensor must lie inside the file.
  Status extents() {
    const std::uint64_t start = (in_.at() + alignment_ - 1) / alignment_ * alignment_;
    std::set<std::string_view> seen;
    for (const Extent& extent : extents_) {
      const std::string shown = "the tensor " + printable(extent.name);
      if (!seen.insert(extent.name).second) return damaged(shown + " stands in it twice");
      if (extent.offset % alignment_ != 0) return damaged(shown + " is not aligned");
      std::uint64_t begin = 0;
      std::uint64_t end = 0;
      if (!add(start, extent.offset, begin) || !add(begin, extent.bytes, end)) {
        return damaged(shown + " lies beyond any file");
      }
      if (end > in_.size()) {
        return fail(Code::corrupt,
                    name_ + " is not whole: " + std::to_string(in_.size()) + " bytes of at least " +
                        std::to_string(end),
                    "the download was cut off: fetch the model again");
      }
    }
    return {};
  }

  void finish() {
    info_.quantisation = "unknown";
    for (const auto& [number, name] : kFileTypes) {
      if (file_type_ && *file_type_ == static_cast<std::uint64_t>(number))
        info_.quantisation = name;
    }
    if (!info_.size_label.empty()) return;
    const double millions = static_cast<double>(info_.parameters) / 1e6;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), millions >= 1000 ? "%.1fB" : "%.0fM",
                  millions >= 1000 ? millions / 1000 : millions);
    info_.size_label = text.data();
  }

  Reader& in_;
  std::string name_;
  GgufInfo info_;
  std::uint64_t alignment_ = 32;
  std::optional<std::uint64_t> file_type_;
  std::set<std::string> names_;
  std::vector<Extent> extents_;
};

// What people save under the name of a model: an error page, an archive, a pointer of a large-file
// store.
tl::unexpected<Error> Check::not_gguf() const {
  Reader& in = in_;
  std::string start(static_cast<std::size_t>(std::min<std::uint64_t>(in.size() - in.at(), 508)),
                    '\0');
  if (!in.bytes(start.data(), start.size())) start.clear();
  const std::string lower = ascii_lower(start);
  const std::string hint = "fetch the model again";
  if (lower.find("octype html") != std::string::npos || lower.find("<html") != std::string::npos ||
      lower.find("tml>") != std::string::npos) {
    return fail(Code::corrupt, name_ + " is an HTML page, not a model: the download went wrong",
                hint);
  }
  if (lower.find("git-lfs") != std::string::npos) {
    return fail(Code::corrupt, name_ + " is a pointer of Git LFS, not the model itself",
                "run git lfs pull");
  }
  return fail(Code::corrupt, name_ + " is not a GGUF model file",
              "keel runs models in the GGUF format");
}

}  // namespace

Result<GgufInfo> check_gguf_bytes(std::string_view head, std::uint64_t file_bytes,
                                  const std::string& name) {
  if (file_bytes == 0) return fail(Code::corrupt, name + " is empty", "fetch the model again");
  Reader reader(
      [head](std::uint64_t offset, char* into, std::size_t size) {
        if (offset >= head.size()) return false;
        // Past the given beginning there are zeros: as a file's data would be, it is never the
        // head's.
        const std::size_t part = std::min<std::size_t>(size, head.size() - offset);
        std::memcpy(into, head.data() + offset, part);
        std::memset(into + part, 0, size - part);
        return true;
      },
      file_bytes);
  return Check(reader, name).run();
}

Result<GgufInfo> check_gguf(const std::string& path) {
  const rt::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    Error error = rt::errno_error(errno, "the model " + path + " could not be opened");
    if (error.hint.empty()) error.hint = "check the model's path in keel.toml";
    return tl::unexpected(std::move(error));
  }
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0)
    return tl::unexpected(rt::errno_error(errno, "could not look at " + path));
  if (S_ISDIR(facts.st_mode)) {
    return fail(Code::invalid_argument, path + " is a folder, not a model file",
                "name the .gguf file inside it");
  }
  if (!S_ISREG(facts.st_mode)) return fail(Code::invalid_argument, path + " is not a regular file");
  if (facts.st_size == 0) return fail(Code::corrupt, path + " is empty", "fetch the model again");
  Reader reader(
      [&file](std::uint64_t offset, char* into, std::size_t size) {
        while (size > 0) {
          const ssize_t n = ::pread(file.get(), into, size, static_cast<off_t>(offset));
          if (n < 0 && errno == EINTR) continue;
          if (n <= 0) return false;
          into += n;
          offset += static_cast<std::uint64_t>(n);
          size -= static_cast<std::size_t>(n);
        }
        return true;
      },
      static_cast<std::uint64_t>(facts.st_size));
  return Check(reader, path).run();
}

}  // namespace keel::local
