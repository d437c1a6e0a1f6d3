#include "net/url.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace keel::net {
namespace {

std::string normal(std::string_view text) {
  const auto url = parse_url(text);
  return url ? url->text() : "error: " + url.error().message;
}

std::string resolved(std::string_view base, std::string_view reference) {
  const auto url = resolve_url(parse_url(base).value(), reference);
  return url ? url->text() : "error: " + url.error().message;
}

TEST(UrlTest, EqualAddressesHaveEqualText) {
  EXPECT_EQ(normal("https://Example.COM"), "https://example.com/");
  EXPECT_EQ(normal("  https://example.com:443/a/./b/../c?x=1#frag "),
            "https://example.com/a/c?x=1");
  EXPECT_EQ(normal("http://example.com:80/"), "http://example.com/");
  EXPECT_EQ(normal("http://example.com:8080/"), "http://example.com:8080/");
  EXPECT_EQ(normal("https://example.com./x"), "https://example.com/x");
  EXPECT_EQ(normal("https://example.com?q"), "https://example.com/?q");
  EXPECT_EQ(normal("https://example.com/%7euser"), "https://example.com/~user");
  EXPECT_EQ(normal("https://example.com/a/../../../etc"), "https://example.com/etc");
}

TEST(UrlTest, CharactersThatServersDoNotTakeAreEscaped) {
  EXPECT_EQ(normal("https://example.com/über uns?q=a b&x=[1]|2"),
            "https://example.com/%C3%BCber%20uns?q=a%20b&x=%5B1%5D%7C2");
  EXPECT_EQ(normal("https://example.com/100%"), "https://example.com/100%25");
  EXPECT_EQ(normal("https://example.com/a\\..\\b"), "https://example.com/a%5C..%5Cb");
  EXPECT_EQ(normal("https://bücher.example/"), "https://xn--bcher-kva.example/");
}

TEST(UrlTest, NumbersInDisguiseAreNotHosts) {
  const std::vector<std::string> disguised = {
      "http://2130706433/",  "http://0x7f.1/",      "http://0x7f000001/", "http://127.1/",
      "http://0177.0.0.1/",  "http://127.0.0.1.1/", "http://1.2.3.256/",  "http://①②⑦.1/",
      "http://127.0.0.0x1/", "http://127.0.0.08/",  "http://0/",          "http://a.0x/"};
  for (const std::string& text : disguised) EXPECT_FALSE(parse_url(text).has_value()) << text;
  EXPECT_EQ(normal("http://127.0.0.1/"), "http://127.0.0.1/");
  EXPECT_EQ(normal("http://１２７.０.０.１/"), "http://127.0.0.1/");
  EXPECT_EQ(normal("http://[::FFFF:127.0.0.1]/"), "http://[::ffff:127.0.0.1]/");
  EXPECT_EQ(normal("http://1password.com/"), "http://1password.com/");
}

TEST(UrlTest, AmbiguousOrDangerousAddressesAreRefused) {
  const std::vector<std::string> bad = {
      "",
      "example.com",
      "file:///etc/passwd",
      "ftp://example.com/",
      "javascript:alert(1)",
      "gopher://example.com/",
      "https:example.com",
      "https:///path",
      "https://",
      "https://user@example.com/",
      "https://user:secret@example.com/",
      "https://example.com@evil.example/",
      "https://exa mple.com/",
      "https://evil.example\\@example.com/",
      "https://evil%2eexample/",
      std::string("https://evil.example\0.example.com/", 34),
      "https://example.com/\r\nHost: evil",
      "https://-a.example/",
      "https://a..example/",
      "https://example.com:0/",
      "https://example.com:65536/",
      "https://example.com:12x/",
      "https://[::1/",
      "https://[::1]x/",
      "https://[fe80::1%25eth0]/",
      "https://[127.0.0.1]/",
      "https://ex\xff.example/",
      "https://" + std::string(64, 'a') + ".example/",
      "https://" + std::string(300, 'a') + "/",
      "https://example.com/" + std::string(5000, 'a'),
  };
  for (const std::string& text : bad) {
    const auto url = parse_url(text);
    EXPECT_FALSE(url.has_value()) << text;
    EXPECT_FALSE(!url && url.error().message.empty());
  }
}

TEST(UrlTest, ParsingItsOwnTextChangesNothing) {
  for (const char* text : {"https://example.com/a%2Fb?c=%20d", "http://[2606:4700::1]:8080/x",
                           "https://bücher.example/ä", "https://example.com//double//slash/"}) {
    const std::string once = normal(text);
    EXPECT_EQ(normal(once), once) << text;
  }
}

TEST(UrlTest, LinksResolveAgainstTheirPage) {
  const char* base = "https://example.com/a/b?q=1";
  EXPECT_EQ(resolved(base, "c"), "https://example.com/a/c");
  EXPECT_EQ(resolved(base, "../x"), "https://example.com/x");
  EXPECT_EQ(resolved(base, "/y?z"), "https://example.com/y?z");
  EXPECT_EQ(resolved(base, "?p=2"), "https://example.com/a/b?p=2");
  EXPECT_EQ(resolved(base, "//other.example/x"), "https://other.example/x");
  EXPECT_EQ(resolved(base, "http://third.example"), "http://third.example/");
  EXPECT_EQ(resolved(base, "#part"), "https://example.com/a/b?q=1");
  EXPECT_EQ(resolved(base, ""), "https://example.com/a/b?q=1");
  EXPECT_EQ(resolved(base, "with space"), "https://example.com/a/with%20space");
  for (const char* bad :
       {"javascript:x", "mailto:a@b.example", "//user@evil.example/", "data:,x"}) {
    EXPECT_FALSE(resolve_url(parse_url(base).value(), bad).has_value()) << bad;
  }
}

TEST(UrlTest, PartsAreWhatPolicyAndConnectionUse) {
  const Url url = parse_url("http://[::1]:8080/x?y").value();
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.host_port(), "[::1]:8080");
  EXPECT_EQ(url.origin(), "http://[::1]:8080");
  EXPECT_EQ(url.query, "?y");
  EXPECT_FALSE(url.secure);
}

TEST(UrlTest, AddressesAreFoundInProseAndMarkdown) {
  std::string found;
  for (const Url& url :
       urls_in("See https://a.example/x. Or (http://b.example/y), [t](https://c.example/p_(q)) and "
               "<HTTPS://D.example>, \"https://e.example/?a=1,\" https://a.example/x again; "
               "http:// and "
               "https://user@f.example/ are none, httpx://g.example neither.")) {
    found += url.text() + " ";
  }
  EXPECT_EQ(found,
            "https://a.example/x http://b.example/y https://c.example/p_(q) https://d.example/ "
            "https://e.example/?a=1 ");
}

}  // namespace
}  // namespace keel::net
