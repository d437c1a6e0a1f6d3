#include "base/error.h"

#include <cstdio>
#include <cstdlib>

#include "base/result.h"

namespace keel {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::invalid_argument:
      return "invalid_argument";
    case Code::not_found:
      return "not_found";
    case Code::already_exists:
      return "already_exists";
    case Code::permission:
      return "permission";
    case Code::config:
      return "config";
    case Code::corrupt:
      return "corrupt";
    case Code::io:
      return "io";
    case Code::disk_full:
      return "disk_full";
    case Code::network:
      return "network";
    case Code::unavailable:
      return "unavailable";
    case Code::busy:
      return "busy";
    case Code::limit:
      return "limit";
    case Code::timeout:
      return "timeout";
    case Code::cancelled:
      return "cancelled";
    case Code::unsupported:
      return "unsupported";
    case Code::internal:
      return "internal";
  }
  return "internal";
}

Code code_from_name(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Code::internal); ++i) {
    if (code_name(static_cast<Code>(i)) == name) return static_cast<Code>(i);
  }
  return Code::internal;
}

std::string Error::text() const {
  return hint.empty() ? message : message + " (" + hint + ")";
}

void detail::must_failed(const Error& error, std::source_location at) {
  std::fprintf(stderr, "keel: %s:%u: this cannot fail, but did: %s\n", at.file_name(),
               static_cast<unsigned>(at.line()), error.text().c_str());
  std::abort();
}

void assert_failed(const char* condition, std::source_location at) {
  std::fprintf(stderr, "keel: %s:%u: assertion failed: %s\n", at.file_name(),
               static_cast<unsigned>(at.line()), condition);
  std::abort();
}

}  // namespace keel
