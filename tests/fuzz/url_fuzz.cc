// rooms: net
// What parses stays the same when parsed again, and a numeric host is the address it looks like: a
// URL whose host is a special address is never taken for a public one.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/address.h"
#include "net/url.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto url = keel::net::parse_url(text)) {
    const auto again = keel::net::parse_url(url->text());
    if (!again || again->text() != url->text() || again->host != url->host ||
        again->port != url->port) {
      std::abort();
    }
    for (const char c : url->text()) {
      if (c <= ' ' || c > '~') std::abort();
    }
    if (url->host.find_first_of("@/\\%#? ") != url->host.npos) std::abort();
  }
  const auto base = keel::net::parse_url("https://example.com/a/b?c");
  if (const auto url = keel::net::resolve_url(*base, text)) {
    if (!keel::net::parse_url(url->text())) std::abort();
  }
  for (const auto& url : keel::net::urls_in(text)) {
    if (!keel::net::parse_url(url.text())) std::abort();
  }
  return 0;
}
