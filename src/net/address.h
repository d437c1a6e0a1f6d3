// Which network addresses a page may be fetched from: globally routable unicast, nothing else.
// Decided on the numeric address of the very connection that is about to be made, never on a name
// and never on text, so that neither a DNS answer that changes nor an odd spelling of a number gets
// around it. Addresses that carry an IPv4 address inside (mapped, NAT64, 6to4, Teredo, ISATAP) are
// judged by what is inside as well.
//
// Pure functions; any thread. The ranges follow the IANA special-purpose registries (RFC 6890 and
// its updates).
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>

namespace keel::net {

// True for a globally routable unicast address. Anything that is not IPv4 or IPv6 is not public.
bool is_public(const sockaddr* address);

// Why an address is not public: "127.0.0.0/8 (this machine)"; empty if it is public.
std::string_view why_not_public(const sockaddr* address);

// The owner's own machine or network: loopback, RFC 1918 and unique local IPv6. A configured
// exception (ClientOptions::allowed_private) reaches these and no other special range.
bool is_own_network(const sockaddr* address);

// "192.0.2.1" or "2001:db8::1", without a port.
std::string address_text(const sockaddr* address);

// Reads exactly four decimal numbers or an IPv6 address without zone; nothing else, in particular
// no octal, hexadecimal or shortened IPv4 form.
std::optional<sockaddr_storage> parse_address(std::string_view text);

}  // namespace keel::net
