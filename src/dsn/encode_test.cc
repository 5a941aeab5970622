#include "dsn/encode.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace sidegate::dsn::encode_test {
namespace {

TEST(Clean, NoControlCharacterSurvives) {
  const struct {
    std::string_view text;
    bool utf8;
    std::string_view expected;
  } cases[] = {
      {"550 no such user", false, "550 no such user"},
      {"550 a\r\nBcc: evil@x", false, "550 a??Bcc: evil@x"},
      {"tab\there", false, "tab here"},
      {std::string_view("nul\0x", 5), false, "nul?x"},
      {"esc\x1b[31m\x7f", false, "esc?[31m?"},
      {"caf\xc3\xa9", false, "caf??"},
      {"caf\xc3\xa9", true, "caf\xc3\xa9"},
      {"bad\xff\xc3\xa9", true, "bad???"},  // not UTF-8: nothing of it is believed
      {"c1\xc2\x85x", true, "c1?x"},        // NEL
      {"nbsp\xc2\xa0x", true, "nbsp\xc2\xa0x"},
  };
  for (const auto& c : cases) EXPECT_EQ(clean(c.text, c.utf8), c.expected) << c.text;
  EXPECT_EQ(clean("abcdef", false, 3), "abc...");
  EXPECT_EQ(clean("ab\xc3\xa9", true, 3), "ab...");  // no half character
}

TEST(Field, FoldsAtWhiteSpaceAndSplitsEndlessWords) {
  EXPECT_EQ(field("Status", "5.1.1"), "Status: 5.1.1\r\n");
  EXPECT_EQ(field("A", std::string(80, 'x')), "A: " + std::string(80, 'x') + "\r\n");
  EXPECT_EQ(field("A", std::string(60, 'x') + " " + std::string(60, 'y')),
            "A: " + std::string(60, 'x') + "\r\n " + std::string(60, 'y') + "\r\n");
  EXPECT_EQ(field("Final-Recipient", "rfc822;\"a  b\"@example.com"),
            "Final-Recipient: rfc822;\"a  b\"@example.com\r\n");
  for (std::string_view line : split(field("Diagnostic-Code", "smtp; " + std::string(5000, 'x')), '\n')) {
    EXPECT_LE(line.size(), 998u);
    if (!line.empty() && !line.starts_with("Diagnostic-Code")) EXPECT_EQ(line.front(), ' ');
  }
}

TEST(Wrap, KeepsWordsAndIndent) {
  EXPECT_EQ(wrap("", "  "), "");
  EXPECT_EQ(wrap("one two", "  "), "  one two\r\n");
  std::string many;
  for (int i = 0; i < 50; ++i) many += "word ";
  for (std::string_view line : split(wrap(many, "    "), '\n')) EXPECT_LE(line.size(), 73u);
}

TEST(Xtext, DecodesOrStaysAsItWas) {
  const struct {
    std::string_view text, expected;
  } cases[] = {
      {"plain@example.com", "plain@example.com"},
      {"a+2Bb@example.com", "a+b@example.com"},
      {"a+2bb", "a+b"},
      {"x+3Dy", "x=y"},
      {"+20space", " space"},
      {"a+0D+0ABcc:+20evil", "a+0D+0ABcc:+20evil"},
      {"a+00b", "a+00b"},
      {"a+C3+A9", "a+C3+A9"},
      {"a+", "a+"},
      {"a+4", "a+4"},
      {"a+ZZ", "a+ZZ"},
      {"taro..k@example.jp", "taro..k@example.jp"},
  };
  for (const auto& c : cases) EXPECT_EQ(xtext_decoded(c.text), c.expected);
}

TEST(Utf8Address, DecodesEmbeddedCharacters) {
  const struct {
    std::string_view text, expected;
  } cases[] = {
      {"a@example.com", "a@example.com"},
      {"\\x{E9}@example.com", "\xc3\xa9@example.com"},
      {"\\x{5C71}@example.jp", "\xe5\xb1\xb1@example.jp"},
      {"\\x{1F4E7}", "\xf0\x9f\x93\xa7"},
      {"\\x{0D}x", "\\x{0D}x"},
      {"\\x{D800}", "\\x{D800}"},
      {"\\x{", "\\x{"},
      {"\\x{110000}", "\\x{110000}"},
  };
  for (const auto& c : cases) EXPECT_EQ(utf8_address_decoded(c.text), c.expected);
}

TEST(QuotedPrintable, Rfc2045Section67) {
  EXPECT_EQ(quoted_printable("a=b\r\n"), "a=3Db\r\n");
  EXPECT_EQ(quoted_printable("caf\xc3\xa9 \r\nx"), "caf=C3=A9=20\r\nx");
  EXPECT_EQ(quoted_printable("a b"), "a b");
  for (std::string_view line : split(quoted_printable(std::string(500, '\xe9')), '\n')) EXPECT_LE(line.size(), 77u);
}

}  // namespace
}  // namespace sidegate::dsn::encode_test
