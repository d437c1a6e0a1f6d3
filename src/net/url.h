// A web address, parsed once into a value that policy and connection share, so that the two can
// never read the same text differently. Parsing normalises: lower-case scheme and host, punycode
// for other scripts, dot segments resolved, percent escapes tidied, default port and fragment
// dropped. Anything ambiguous is refused rather than guessed: other schemes than http and https,
// user names and passwords, hosts that are numbers in any form but a.b.c.d, control characters.
//
// Pure functions; any thread. Limits: limits::url_bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace keel::net {

struct Url {
  bool secure = false;     // https
  std::string host;        // lower-case ASCII name, a.b.c.d, or an IPv6 address without brackets
  bool ipv6 = false;       // host is an IPv6 address
  std::uint16_t port = 0;  // the scheme's default when none was written
  std::string path;        // begins with "/"
  std::string query;       // with its "?", or empty

  std::string text() const;       // the whole address
  std::string host_text() const;  // host, an IPv6 address in brackets
  std::string host_port() const;  // "example.com:443"
  std::string origin() const;     // "https://example.com", the port only if it is not the default
};

Result<Url> parse_url(std::string_view text);

// A link as a page writes it, seen from the page's address.
Result<Url> resolve_url(const Url& base, std::string_view reference);

// The addresses that stand in a text, in order, without repeats: what follows "http://" or
// "https://", up to white space or a character that ends it in prose or Markdown (quotes, angle
// brackets, an unmatched closing bracket, final punctuation). At most limits::urls_in_text.
std::vector<Url> urls_in(std::string_view text);

}  // namespace keel::net
