#include "tool/read_file_tool.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/limits.h"
#include "base/text.h"
#include "rt/file.h"
#include "tool/allowed_path.h"
#include "tool/charset.h"
#include "tool/file_type.h"

namespace keel::tool {
namespace {

constexpr std::size_t kHeadBytes = 4096;  // what the type is guessed from

Result<std::string> read_at(int fd, std::int64_t offset, std::size_t bytes,
                            const std::string& path) {
  std::string out(bytes, '\0');
  std::size_t have = 0;
  while (have < bytes) {
    const ssize_t got =
        pread(fd, out.data() + have, bytes - have, offset + static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return pass(rt::errno_error(errno, "reading " + path));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  out.resize(have);
  return out;
}

// A piece in the middle of UTF-8 text begins and ends at a code point.
std::string_view whole_code_points(std::string_view piece, bool at_start, std::size_t& skipped) {
  skipped = 0;
  if (!at_start) {
    while (skipped < 3 && skipped < piece.size() &&
           (static_cast<unsigned char>(piece[skipped]) & 0xC0) == 0x80) {
      ++skipped;
    }
    piece.remove_prefix(skipped);
  }
  piece.remove_suffix(utf8_incomplete_suffix(piece));
  return piece;
}

class ReadFileTool final : public Tool {
 public:
  const msg::Tool& spec() const override { return spec_; }
  Effect effect() const override { return Effect::pure; }
  policy::Sink sink() const override { return policy::Sink::file_read; }

 private:
  Result<Outcome> run(const Json& arguments, Context& context) override {
    const std::string path = TRY(json_string(arguments, "path"));
    if (path.find("://") != std::string::npos) {
      return fail(Code::invalid_argument, "that is a web address, not a file",
                  "use web_fetch for it");
    }
    const AllowedPath opened = TRY(open_allowed(context.folders, trim(path), PathKind::file));
    struct stat info{};
    if (fstat(opened.fd.get(), &info) != 0) {
      return pass(rt::errno_error(errno, "reading " + opened.path));
    }
    if (S_ISDIR(info.st_mode)) {
      return fail(Code::invalid_argument, opened.path + " is a folder", "use list_files for it");
    }
    if (!S_ISREG(info.st_mode)) {
      return fail(Code::unsupported, opened.path + " is not an ordinary file");
    }
    const std::int64_t offset = json_int_or(arguments, "offset", 0);
    if (offset > 0 && offset >= info.st_size) {
      return fail(Code::invalid_argument,
                  fmt::format("{} has {} bytes; there is nothing at offset {}", opened.path,
                              info.st_size, offset));
    }
    const std::string head = TRY(read_at(opened.fd.get(), 0, kHeadBytes, opened.path));
    if (const std::string_view type = binary_type(head); !type.empty()) {
      return fail(Code::unsupported, fmt::format("{} is not text but a {}", opened.path, type),
                  "only text files can be read");
    }
    const auto asked = static_cast<std::size_t>(
        json_int_or(arguments, "max_bytes", static_cast<std::int64_t>(limits::file_default_bytes)));
    const std::size_t bytes = std::min(asked, limits::file_shown_bytes);
    const std::string piece = TRY(read_at(opened.fd.get(), offset, bytes, opened.path));
    Outcome outcome;
    outcome.text = framed(opened.path, piece, offset, info.st_size);
    // The owner opened the folder, but need not have written what is in it.
    outcome.integrity = policy::Integrity::agent;
    outcome.confidentiality = policy::Confidentiality::personal;
    return outcome;
  }

  static std::string framed(const std::string& path, std::string_view piece, std::int64_t offset,
                            std::int64_t size) {
    std::size_t skipped = 0;
    const std::string_view whole = whole_code_points(piece, offset == 0, skipped);
    const bool utf8 = is_valid_utf8(whole);
    const std::string text = clean_text(utf8 ? std::string(whole) : decode_windows_1252(piece));
    const std::int64_t begin = utf8 ? offset + static_cast<std::int64_t>(skipped) : offset;
    const std::int64_t end = begin + static_cast<std::int64_t>(utf8 ? whole.size() : piece.size());
    if (size == 0) return path + " is empty.";
    if (begin == 0 && end >= size) return path + ":\n" + text;
    std::string out = fmt::format("{} (bytes {} to {} of {}", path, begin, end, size);
    out += end < size ? fmt::format("; go on with offset {}):\n", end) : "):\n";
    return out + text;
  }

  msg::Tool spec_{"read_file", "Read a text file in a folder the owner has opened.",
                  schema_literal(R"json({"type":"object","properties":{
                    "path":{"type":"string","minLength":1},
                    "offset":{"type":"integer","minimum":0},
                    "max_bytes":{"type":"integer","minimum":4}},
                    "required":["path"],"additionalProperties":false})json")};
};

}  // namespace

std::unique_ptr<Tool> make_read_file_tool() {
  return std::make_unique<ReadFileTool>();
}

}  // namespace keel::tool
