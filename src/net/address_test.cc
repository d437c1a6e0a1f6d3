#include "net/address.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <utility>
#include <vector>

namespace keel::net {
namespace {

const sockaddr* as_sockaddr(const sockaddr_storage& storage) {
  return reinterpret_cast<const sockaddr*>(&storage);
}

bool public_text(const std::string& text) {
  const auto address = parse_address(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address && is_public(as_sockaddr(*address));
}

TEST(AddressTest, FirstAndLastOfEveryDeniedIpv4RangeAreRefused) {
  const std::vector<std::string> denied = {
      "0.0.0.0",         "0.255.255.255",   "10.0.0.0",       "10.255.255.255",  "100.64.0.0",
      "100.127.255.255", "127.0.0.0",       "127.0.0.1",      "127.255.255.255", "169.254.0.0",
      "169.254.169.254", "169.254.255.255", "172.16.0.0",     "172.31.255.255",  "192.0.0.0",
      "192.0.0.255",     "192.0.2.0",       "192.0.2.255",    "192.88.99.0",     "192.88.99.255",
      "192.168.0.0",     "192.168.255.255", "198.18.0.0",     "198.19.255.255",  "198.51.100.0",
      "198.51.100.255",  "203.0.113.0",     "203.0.113.255",  "224.0.0.0",       "239.255.255.255",
      "240.0.0.0",       "255.255.255.254", "255.255.255.255"};
  for (const std::string& text : denied) EXPECT_FALSE(public_text(text)) << text;
}

TEST(AddressTest, NeighboursOfDeniedIpv4RangesStayReachable) {
  const std::vector<std::string> open = {
      "1.0.0.0",         "9.255.255.255", "11.0.0.0",        "100.63.255.255",  "100.128.0.0",
      "126.255.255.255", "128.0.0.0",     "169.253.255.255", "169.255.0.0",     "172.15.255.255",
      "172.32.0.0",      "192.0.1.0",     "192.0.3.0",       "192.88.98.255",   "192.88.100.0",
      "192.167.255.255", "192.169.0.0",   "198.17.255.255",  "198.20.0.0",      "198.51.99.255",
      "198.51.101.0",    "203.0.112.255", "203.0.114.0",     "223.255.255.255", "8.8.8.8"};
  for (const std::string& text : open) EXPECT_TRUE(public_text(text)) << text;
}

TEST(AddressTest, SpecialIpv6RangesAreRefused) {
  const std::vector<std::string> denied = {"::",
                                           "::1",
                                           "::2",
                                           "::7f00:1",
                                           "64:ff9b:1::",
                                           "64:ff9b:1:ffff::1",
                                           "100::1",
                                           "100::ffff",
                                           "2001::",
                                           "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                                           "2001:1ff:ffff::1",
                                           "2001:db8::1",
                                           "2001:db8:ffff::1",
                                           "3fff::1",
                                           "3fff:fff::1",
                                           "fc00::1",
                                           "fdff::1",
                                           "fe80::1",
                                           "febf::1",
                                           "fec0::1",
                                           "feff::1",
                                           "ff00::1",
                                           "ff02::1",
                                           "ffff::1",
                                           "4000::1",
                                           "5f00::1",
                                           "200::1"};
  for (const std::string& text : denied) EXPECT_FALSE(public_text(text)) << text;
  for (const char* text : {"2001:200::1", "2606:4700::1111", "2a00:1450:4001::1", "3ffe::1"}) {
    EXPECT_TRUE(public_text(text)) << text;
  }
}

TEST(AddressTest, Ipv4HiddenInIpv6IsJudgedByWhatIsInside) {
  // Mapped, NAT64, 6to4 and ISATAP, each with a private and a public address inside.
  for (const char* text :
       {"::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:169.254.169.254", "64:ff9b::10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2002:c0a8:101::1", "2a00:1450::5efe:127.0.0.1",
        "2a00:1450::200:5efe:10.0.0.1"}) {
    EXPECT_FALSE(public_text(text)) << text;
  }
  for (const char* text : {"::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"}) {
    EXPECT_TRUE(public_text(text)) << text;
  }
}

TEST(AddressTest, OnlyLoopbackAndPrivateRangesCountAsOwnNetwork) {
  for (const char* text : {"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "::1", "fd00::1",
                           "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(is_own_network(as_sockaddr(*parse_address(text)))) << text;
  }
  for (const char* text :
       {"169.254.169.254", "100.64.0.1", "0.0.0.0", "8.8.8.8", "fe80::1", "2002:7f00:1::"}) {
    EXPECT_FALSE(is_own_network(as_sockaddr(*parse_address(text)))) << text;
  }
}

TEST(AddressTest, OddSpellingsOfNumbersAreNotAddresses) {
  const std::vector<std::string> odd = {"127.1",
                                        "2130706433",
                                        "0x7f.0.0.1",
                                        "0177.0.0.1",
                                        "127.0.0.1 ",
                                        " 127.0.0.1",
                                        "127.0.0.1.",
                                        "1.2.3.4.5",
                                        "256.0.0.1",
                                        "fe80::1%eth0",
                                        "[::1]",
                                        "",
                                        std::string("1.1.1.1\0.x", 10)};
  for (const std::string& text : odd) EXPECT_FALSE(parse_address(text).has_value()) << text;
}

TEST(AddressTest, OtherFamiliesAreNeverPublic) {
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  EXPECT_FALSE(is_public(reinterpret_cast<const sockaddr*>(&local)));
  EXPECT_FALSE(is_public(nullptr));
}

TEST(AddressTest, TheReasonNamesTheRange) {
  EXPECT_EQ(why_not_public(as_sockaddr(*parse_address("127.0.0.1"))), "127.0.0.0/8 (this machine)");
  EXPECT_EQ(why_not_public(as_sockaddr(*parse_address("8.8.8.8"))), "");
  EXPECT_EQ(address_text(as_sockaddr(*parse_address("::FFFF:127.0.0.1"))), "::ffff:127.0.0.1");
}

}  // namespace
}  // namespace keel::net
