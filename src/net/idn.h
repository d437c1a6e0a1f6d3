// Internationalised host names in the ASCII form that DNS and policy see: "bücher.example" becomes
// "xn--bcher-kva.example". Letters are folded as NFKC_Casefold does, but ß and final sigma stay
// themselves, because the spellings name different hosts (UTS #46, non-transitional). Punycode is
// RFC 3492.
//
// Pure function; any thread. What comes back is not yet checked to be a host: net/url.cc does that
// byte by byte.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace keel::net {

Result<std::string> host_to_ascii(std::string_view host);

}  // namespace keel::net
