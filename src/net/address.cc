#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace keel::net {
namespace {

using V4 = std::uint32_t;  // host byte order
using V6 = std::array<std::uint8_t, 16>;

struct Range4 {
  V4 base;
  int bits;
  std::string_view reason;
  bool own_network;
};

constexpr V4 v4(unsigned a, unsigned b, unsigned c, unsigned d) {
  return (a << 24) | (b << 16) | (c << 8) | d;
}

constexpr std::array<Range4, 16> kDenied4 = {{
    {v4(0, 0, 0, 0), 8, "0.0.0.0/8 (this host)", false},
    {v4(10, 0, 0, 0), 8, "10.0.0.0/8 (private network)", true},
    {v4(100, 64, 0, 0), 10, "100.64.0.0/10 (carrier's private network)", false},
    {v4(127, 0, 0, 0), 8, "127.0.0.0/8 (this machine)", true},
    {v4(169, 254, 0, 0), 16, "169.254.0.0/16 (link-local)", false},
    {v4(172, 16, 0, 0), 12, "172.16.0.0/12 (private network)", true},
    {v4(192, 0, 0, 0), 24, "192.0.0.0/24 (protocol assignments)", false},
    {v4(192, 0, 2, 0), 24, "192.0.2.0/24 (documentation)", false},
    {v4(192, 88, 99, 0), 24, "192.88.99.0/24 (6to4 relays)", false},
    {v4(192, 168, 0, 0), 16, "192.168.0.0/16 (private network)", true},
    {v4(198, 18, 0, 0), 15, "198.18.0.0/15 (benchmarks)", false},
    {v4(198, 51, 100, 0), 24, "198.51.100.0/24 (documentation)", false},
    {v4(203, 0, 113, 0), 24, "203.0.113.0/24 (documentation)", false},
    {v4(224, 0, 0, 0), 4, "224.0.0.0/4 (multicast)", false},
    {v4(255, 255, 255, 255), 32, "255.255.255.255 (broadcast)", false},
    {v4(240, 0, 0, 0), 4, "240.0.0.0/4 (reserved)", false},
}};

struct Range6 {
  V6 base;
  int bits;
  std::string_view reason;
  bool own_network;
};

constexpr V6 v6(std::array<std::uint16_t, 8> groups) {
  V6 out{};
  for (std::size_t i = 0; i < 8; ++i) {
    out[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8);
    out[2 * i + 1] = static_cast<std::uint8_t>(groups[i] & 0xff);
  }
  return out;
}

constexpr std::array<Range6, 13> kDenied6 = {{
    {v6({0, 0, 0, 0, 0, 0, 0, 0}), 128, "::/128 (unspecified)", false},
    {v6({0, 0, 0, 0, 0, 0, 0, 1}), 128, "::1 (this machine)", true},
    {v6({0x64, 0xff9b, 1, 0, 0, 0, 0, 0}), 48, "64:ff9b:1::/48 (local NAT64)", false},
    {v6({0x100, 0, 0, 0, 0, 0, 0, 0}), 64, "100::/64 (discard)", false},
    {v6({0x2001, 0, 0, 0, 0, 0, 0, 0}), 32, "2001::/32 (Teredo)", false},
    {v6({0x2001, 0, 0, 0, 0, 0, 0, 0}), 23, "2001::/23 (protocol assignments)", false},
    {v6({0x2001, 0xdb8, 0, 0, 0, 0, 0, 0}), 32, "2001:db8::/32 (documentation)", false},
    {v6({0x3fff, 0, 0, 0, 0, 0, 0, 0}), 20, "3fff::/20 (documentation)", false},
    {v6({0xfc00, 0, 0, 0, 0, 0, 0, 0}), 7, "fc00::/7 (private network)", true},
    {v6({0xfe80, 0, 0, 0, 0, 0, 0, 0}), 10, "fe80::/10 (link-local)", false},
    {v6({0xfec0, 0, 0, 0, 0, 0, 0, 0}), 10, "fec0::/10 (site-local)", false},
    {v6({0xff00, 0, 0, 0, 0, 0, 0, 0}), 8, "ff00::/8 (multicast)", false},
    {v6({0, 0, 0, 0, 0, 0, 0, 0}), 96, "::/96 (IPv4-compatible)", false},
}};

constexpr V6 kMapped = v6({0, 0, 0, 0, 0, 0xffff, 0, 0});
constexpr V6 kNat64 = v6({0x64, 0xff9b, 0, 0, 0, 0, 0, 0});
constexpr V6 kSixToFour = v6({0x2002, 0, 0, 0, 0, 0, 0, 0});
constexpr V6 kGlobalUnicast = v6({0x2000, 0, 0, 0, 0, 0, 0, 0});

struct Verdict {
  std::string_view reason;  // empty: public
  bool own_network = false;
};

bool in_range(const V6& address, const V6& base, int bits) {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (std::memcmp(address.data(), base.data(), whole) != 0) return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (address[whole] & mask) == (base[whole] & mask);
}

Verdict judge4(V4 address) {
  for (const Range4& range : kDenied4) {
    const V4 mask = ~V4{0} << (32 - range.bits);
    if ((address & mask) == range.base) return {range.reason, range.own_network};
  }
  return {};
}

V4 inside(const V6& address, std::size_t at) {
  return v4(address[at], address[at + 1], address[at + 2], address[at + 3]);
}

// ISATAP (RFC 5214) hides an IPv4 address in the last four bytes of any prefix.
bool is_isatap(const V6& a) {
  return (a[8] == 0x00 || a[8] == 0x02) && a[9] == 0x00 && a[10] == 0x5e && a[11] == 0xfe;
}

Verdict judge6(const V6& address) {
  if (in_range(address, kMapped, 96) || in_range(address, kNat64, 96)) {
    return judge4(inside(address, 12));
  }
  for (const Range6& range : kDenied6) {
    if (in_range(address, range.base, range.bits)) return {range.reason, range.own_network};
  }
  // Only 2000::/3 has ever been given out for global unicast; whatever lies elsewhere is not a
  // public page.
  if (!in_range(address, kGlobalUnicast, 3)) return {"an unassigned IPv6 range", false};
  if (in_range(address, kSixToFour, 16)) return {judge4(inside(address, 2)).reason, false};
  if (is_isatap(address)) return {judge4(inside(address, 12)).reason, false};
  return {};
}

Verdict judge(const sockaddr* address) {
  if (address == nullptr) return {"not an internet address", false};
  if (address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    return judge4(ntohl(in.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, sizeof in);
    V6 bytes{};
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    return judge6(bytes);
  }
  return {"not an internet address", false};
}

}  // namespace

bool is_public(const sockaddr* address) {
  return judge(address).reason.empty();
}

std::string_view why_not_public(const sockaddr* address) {
  return judge(address).reason;
}

bool is_own_network(const sockaddr* address) {
  return judge(address).own_network;
}

std::string address_text(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address != nullptr && address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, text.data(), text.size());
  } else if (address != nullptr && address->sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, sizeof in);
    inet_ntop(AF_INET6, &in.sin6_addr, text.data(), text.size());
  }
  return text.data();
}

std::optional<sockaddr_storage> parse_address(std::string_view text) {
  // inet_pton stops at NUL, so a NUL inside would hide what follows it.
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN || text.find('\0') != text.npos) return {};
  const std::string copy(text);
  sockaddr_storage storage{};
  sockaddr_in in{};
  if (inet_pton(AF_INET, copy.c_str(), &in.sin_addr) == 1) {
    in.sin_family = AF_INET;
    std::memcpy(&storage, &in, sizeof in);
    return storage;
  }
  sockaddr_in6 in6{};
  if (inet_pton(AF_INET6, copy.c_str(), &in6.sin6_addr) == 1) {
    in6.sin6_family = AF_INET6;
    std::memcpy(&storage, &in6, sizeof in6);
    return storage;
  }
  return {};
}

}  // namespace keel::net
