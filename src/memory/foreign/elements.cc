#include "memory/foreign/elements.h"

#include <sys/stat.h>

#include "base/limits.h"
#include "base/text.h"

namespace keel::memory {
namespace {

constexpr int kEnd = std::char_traits<char>::eof();

tl::unexpected<Error> ends_early(std::int64_t line) {
  return fail(Code::corrupt, "The file ends in the middle of line " + std::to_string(line) + ".",
              "It was not downloaded or unpacked whole; get it again.");
}

}  // namespace

Result<Elements> Elements::open(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode))
    return fail(Code::not_found, "There is no file " + path + ".");
  if (static_cast<std::uint64_t>(info.st_size) > limits::foreign_file_bytes)
    return fail(Code::limit,
                path + " is larger than " + bytes_text(limits::foreign_file_bytes) + ".");
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::permission, path + " cannot be read.");
  Elements elements(std::move(in));
  int c = elements.after_space();
  // A byte order mark.
  if (c == 0xef && elements.get() == 0xbb && elements.get() == 0xbf) c = elements.after_space();
  if (c != '[') return fail(Code::unsupported, path + " is not a JSON array.");
  return elements;
}

int Elements::get() {
  const int c = in_.rdbuf()->sbumpc();
  if (c == '\n') ++line_;
  return c;
}

int Elements::after_space() {
  int c = get();
  while (c == ' ' || c == '\t' || c == '\n' || c == '\r') c = get();
  return c;
}

Result<std::optional<std::string>> Elements::next() {
  int c = after_space();
  if (c == ',') c = after_space();
  if (c == ']') return std::optional<std::string>();
  std::string text;
  int depth = 0;
  bool quoted = false, escaped = false, large = false;
  first_line_ = line_;
  for (;; c = get()) {
    if (c == kEnd) return ends_early(line_);
    if (text.size() < limits::json_bytes)
      text += static_cast<char>(c);
    else
      large = true;
    if (escaped) {
      escaped = false;
    } else if (quoted) {
      escaped = c == '\\';
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    }
    const int peeked = in_.rdbuf()->sgetc();
    const bool ends = depth == 0 && !quoted && (peeked == ',' || peeked == ']');
    if (ends || depth < 0) break;
  }
  if (large) text.clear();
  return std::optional<std::string>(std::move(text));
}

}  // namespace keel::memory
