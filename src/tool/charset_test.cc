#include "tool/charset.h"

#include <gtest/gtest.h>

namespace keel::tool {
namespace {

TEST(CharsetTest, TheByteOrderMarkWinsOverEverything) {
  EXPECT_EQ(decode_page("\xef\xbb\xbfü", "text/html; charset=windows-1252", true), "ü");
  EXPECT_EQ(decode_page(std::string_view("\xff\xfe\xfc\x00", 4), "text/html; charset=utf-8", true),
            "ü");
  EXPECT_EQ(decode_page(std::string_view("\xfe\xff\x00\xfc", 4), "", true), "ü");
}

TEST(CharsetTest, TheHeaderWinsOverMeta) {
  EXPECT_EQ(decode_page("<meta charset=utf-8>\xfc", "text/html; charset=ISO-8859-1", true),
            "<meta charset=utf-8>ü");
}

TEST(CharsetTest, MetaWinsOverGuessing) {
  EXPECT_EQ(decode_page("<meta charset=\"koi8-r\">\xc4\xc1", "text/html", true),
            "<meta charset=\"koi8-r\">да");
  EXPECT_EQ(
      decode_page("<META http-equiv=Content-Type content='text/html; charset=Shift_JIS'>\x83\x65",
                  "", true),
      "<META http-equiv=Content-Type content='text/html; charset=Shift_JIS'>テ");
  // Not HTML: no <meta> to believe.
  EXPECT_EQ(decode_page("<meta charset=koi8-r>ü", "text/plain", false), "<meta charset=koi8-r>ü");
}

TEST(CharsetTest, WithoutAnyWordValidUtf8IsUtf8AndTheRestWindows1252) {
  EXPECT_EQ(decode_page("Grüße", "", true), "Grüße");
  EXPECT_EQ(decode_page("Gr\xfc\xdf"
                        "e \x80 \x93q\x94",
                        "", true),
            "Grüße € “q”");
}

TEST(CharsetTest, UnknownAndHostileNamesDoNotReachTheConverter) {
  EXPECT_EQ(decode_page("ü", "text/html; charset=x-no-such-thing", true), "ü");
  EXPECT_EQ(decode_page("ü", "text/html; charset=../../../tmp/evil", true), "ü");
  EXPECT_EQ(decode_page("ü", "text/html; charset=\"utf-8//TRANSLIT\"", true), "ü");
  EXPECT_EQ(decode_page("ü", "text/html; charset=", true), "ü");
}

TEST(CharsetTest, BrokenBytesBecomeReplacementCharactersNotErrors) {
  EXPECT_EQ(decode_page("a\xff"
                        "b",
                        "text/html; charset=utf-8", true),
            "a\uFFFDb");
  EXPECT_EQ(decode_page("\x81", "text/html; charset=shift_jis", true), "\uFFFD");
  EXPECT_EQ(
      decode_page(std::string_view("\x41\x00\x00\xd8", 4), "text/html; charset=utf-16le", true),
      "A\uFFFD");
}

TEST(CharsetTest, WhatReadersCannotSeeIsTakenOut) {
  EXPECT_EQ(clean_text("a\u200Bb\u202Ec\u2066d\uFEFFe\u00ADf"), "abcdef");
  EXPECT_EQ(clean_text("x\U000E0049\U000E0047\U000E004Ey"), "xy");
  EXPECT_EQ(clean_text("v\uFE0F\U000E0101w"), "vw");
  EXPECT_EQ(clean_text(std::string_view("a\0b\x1b[31mc\x7f\xc2\x9b", 12)), "ab[31mc");
  EXPECT_EQ(clean_text("a\r\nb\rc\u2028d"), "a\nb\nc\nd");
  EXPECT_EQ(clean_text("می\u200Cخواهم"), "می\u200Cخواهم");
  EXPECT_EQ(clean_text("a\u200D\u200D\u200D\u200Cb"), "a\u200Db");
}

TEST(CharsetTest, TheHeadersPartsAreRead) {
  EXPECT_EQ(media_type_of("Text/HTML; charset=x"), "text/html");
  EXPECT_EQ(charset_of("text/html; Charset=\"UTF-8\""), "utf-8");
  EXPECT_EQ(charset_of("text/html"), "");
}

}  // namespace
}  // namespace keel::tool
