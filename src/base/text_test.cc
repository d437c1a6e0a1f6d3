#include "base/text.h"

#include <gtest/gtest.h>

namespace keel {
namespace {

TEST(Text, OverlongAndSurrogateBytesAreNotUtf8) {
  EXPECT_TRUE(is_valid_utf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x99\x82"));
  for (const char* bad : {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF",
                          "\xC3", "\xE2\x82", "\xF0\x9F\x99", "\x80"}) {
    EXPECT_FALSE(is_valid_utf8(bad)) << printable(bad);
    EXPECT_TRUE(is_valid_utf8(to_valid_utf8(bad)));
  }
}

TEST(Text, AFaultIsFoundWhereverItStandsInPlainText) {
  for (std::size_t size = 0; size < 40; ++size) {
    const std::string plain(size, 'x');
    EXPECT_TRUE(is_valid_utf8(plain));
    for (std::size_t at = 0; at < size; ++at) {
      std::string text = plain;
      text[at] = '\x80';
      EXPECT_FALSE(is_valid_utf8(text)) << size << " " << at;
      text.replace(at, 1, "\xC3\xA9");
      EXPECT_TRUE(is_valid_utf8(text)) << size << " " << at;
      text.pop_back();
      EXPECT_EQ(is_valid_utf8(text), at + 1 < size) << size << " " << at;
    }
  }
}

TEST(Text, NulIsReplacedBecauseItEndsStringsElsewhere) {
  EXPECT_EQ(to_valid_utf8(std::string_view("a\0b", 3)),
            "a\xEF\xBF\xBD"
            "b");
}

TEST(Text, PrefixNeverCutsACodePoint) {
  const std::string text = "a\xE2\x82\xAC";
  EXPECT_EQ(utf8_prefix(text, 4), text);
  EXPECT_EQ(utf8_prefix(text, 3), "a");
  EXPECT_EQ(utf8_prefix(text, 2), "a");
  EXPECT_EQ(utf8_prefix(text, 0), "");
}

TEST(Text, IncompleteSuffixHoldsBackHalfACodePointWhileStreaming) {
  const std::string smile = "\xF0\x9F\x99\x82";
  EXPECT_EQ(utf8_incomplete_suffix(smile), 0u);
  for (std::size_t n = 1; n < 4; ++n)
    EXPECT_EQ(utf8_incomplete_suffix("x" + smile.substr(0, n)), n);
  EXPECT_EQ(utf8_incomplete_suffix("plain"), 0u);
  EXPECT_EQ(utf8_incomplete_suffix("\x80\x80\x80\x80"), 0u);
}

TEST(Text, CodePointsRoundTrip) {
  for (const char32_t c : {U'a', U'\u00E9', U'\u20AC', U'\U0001F642', U'\U0010FFFF'}) {
    std::string bytes;
    append_utf8(bytes, c);
    std::size_t offset = 0;
    EXPECT_EQ(next_code_point(bytes, offset), c);
    EXPECT_EQ(offset, bytes.size());
  }
}

TEST(Text, FoldingJoinsCompatibleForms) {
  EXPECT_EQ(fold_case("STRASSE"), fold_case("straße"));
  EXPECT_EQ(fold_case("e\xCC\x81"), fold_case("\xC3\x89"));
  EXPECT_EQ(fold_case("ﬁne"), "fine");
}

TEST(Text, ShortenedTextStaysWithinItsBound) {
  EXPECT_EQ(shorten("hello", 5), "hello");
  EXPECT_EQ(shorten("hello world", 8), "hello…");
  EXPECT_LE(shorten(std::string(100, 'x'), 2).size(), 3u);
}

TEST(Text, ControlCharactersCannotForgeLogLines) {
  EXPECT_EQ(printable("a\nb\x1b[31m"), "a\\x0ab\\x1b[31m");
  EXPECT_TRUE(has_control("a\nb") && has_control("\x7f"));
  EXPECT_FALSE(has_control("Größe — 1"));
}

TEST(Text, NearestNameFindsTypingErrorsOnly) {
  EXPECT_EQ(nearest_name("pth", {"name", "path", "kind"}), "path");
  EXPECT_EQ(nearest_name("zzzzzz", {"name", "path", "kind"}), "");
}

TEST(Text, SizesNeverSayAThousandOfTheSmallerUnit) {
  EXPECT_EQ(bytes_text(999), "999 bytes");
  EXPECT_EQ(bytes_text(98'362'432), "98 MB");
  EXPECT_EQ(bytes_text(999'600), "1 MB");
  EXPECT_EQ(bytes_text(999'600'000), "1.0 GB");
  EXPECT_EQ(bytes_text(2'740'000'000), "2.7 GB");
}

TEST(Text, SplitAndReplaceKeepEmptyParts) {
  EXPECT_EQ(split("a,,b", ',').size(), 3u);
  EXPECT_EQ(split("", ',').size(), 1u);
  EXPECT_EQ(replace_all("aaa", "a", "aa"), "aaaaaa");
  EXPECT_EQ(trim(" \t x \n"), "x");
}

}  // namespace
}  // namespace keel
