#include "net/idn.h"

#include <gtest/gtest.h>

#include <string>

namespace keel::net {
namespace {

std::string ascii(std::string_view host) {
  const auto result = host_to_ascii(host);
  return result ? *result : "error: " + result.error().message;
}

TEST(IdnTest, KnownNamesEncodeAsDnsKnowsThem) {
  EXPECT_EQ(ascii("bücher.example"), "xn--bcher-kva.example");
  EXPECT_EQ(ascii("MÜNCHEN.de"), "xn--mnchen-3ya.de");
  EXPECT_EQ(ascii("例え.テスト"), "xn--r8jz45g.xn--zckzah");
  EXPECT_EQ(ascii("президент.рф"), "xn--d1abbgf6aiiy.xn--p1ai");
  EXPECT_EQ(ascii("☃.example"), "xn--n3h.example");
}

TEST(IdnTest, SharpSAndDoubleSAreDifferentHosts) {
  EXPECT_EQ(ascii("straße.example"), "xn--strae-oqa.example");
  EXPECT_EQ(ascii("strasse.example"), "strasse.example");
}

TEST(IdnTest, WideDigitsAndDotsBecomePlainOnesBeforeAnyCheck) {
  EXPECT_EQ(ascii("１２７.０.０.１"), "127.0.0.1");
  EXPECT_EQ(ascii("127。0。0。1"), "127.0.0.1");
  EXPECT_EQ(ascii("①②⑦.⓪.⓪.①"), "127.0.0.1");
}

TEST(IdnTest, BrokenUtf8AndOverlongLabelsAreRefused) {
  EXPECT_FALSE(host_to_ascii("\xff.example").has_value());
  std::string label;
  for (int i = 0; i < 64; ++i) label += "ü";
  EXPECT_FALSE(host_to_ascii(label + ".example").has_value());
  EXPECT_TRUE(host_to_ascii("").has_value());
}

}  // namespace
}  // namespace keel::net
