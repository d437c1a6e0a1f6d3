// Finds registered secrets in text and takes them out: as they are, in base64 (both alphabets, at
// any offset inside a longer encoded text), in hex, URL-encoded and JSON-escaped. Thread-safe. Not
// for other rooms: use log.h.
#pragma once

#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace keel::log {

class Redactor {
 public:
  void add(std::string_view secret);
  std::string apply(std::string_view text) const;

 private:
  mutable std::shared_mutex mutex_;
  std::vector<std::string>
      needles_;  // longest first, so that no form is cut by a shorter one inside it
};

// One line that cannot forge another: control characters, bytes that are not UTF-8 and the
// characters that reorder or break lines become \xNN or \u{NNNN}; longer than max_bytes is cut.
std::string escape_line(std::string_view text, std::size_t max_bytes);

}  // namespace keel::log
