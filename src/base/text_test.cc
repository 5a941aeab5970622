#include "base/text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sidegate::text_test {
namespace {

TEST(Text, PrintableIsOneSafeLine) {
  struct Case {
    std::string_view in, out;
  } cases[] = {
      {"", ""},
      {"plain text", "plain text"},
      {"a\r\nb", "a\\x0d\\x0ab"},
      {"tab\there", "tab\\x09here"},
      {"\x1b[31mred", "\\x1b[31mred"},
      {"del\x7f", "del\\x7f"},
      {"back\\slash", "back\\\\slash"},
      {"k\xc3\xb6ln \xe6\x9d\xb1\xe4\xba\xac", "k\xc3\xb6ln \xe6\x9d\xb1\xe4\xba\xac"},
      {"c1 \xc2\x85 \xc2\x9b", "c1 \\xc2\\x85 \\xc2\\x9b"},
      {"\xc3(", "\\xc3("},
      {"\xff\xfe", "\\xff\\xfe"},
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},  // a surrogate
      {"\xc0\xaf", "\\xc0\\xaf"},           // overlong
      {std::string_view("nul\0!", 5), "nul\\x00!"},
  };
  for (const auto& c : cases) EXPECT_EQ(printable(c.in), c.out);
}

TEST(Text, PrintableIsCutAtWholeCharacters) {
  EXPECT_EQ(printable("0123456789", 10), "0123456789");
  EXPECT_EQ(printable("0123456789a", 10), "0123456...");
  EXPECT_EQ(printable("012345\xc3\xb6\xc3\xb6\xc3\xb6", 10), "012345...");
  EXPECT_EQ(printable("01234\n\n\n", 10), "01234...");
  EXPECT_EQ(printable("abc", 2), "..");
  EXPECT_EQ(printable("abc", 0), "");
}

TEST(Text, PrintableProperty) {
  rc::check("printable text is well-formed, bounded and without controls", [](const std::string& text) {
    std::size_t limit = *rc::gen::inRange<std::size_t>(0, 60);
    std::string out = printable(text, limit);
    RC_ASSERT(out.size() <= limit);
    RC_ASSERT(is_utf8(out));
    for (char c : out) RC_ASSERT(!is_control(c));
  });
}

TEST(Text, Utf8) {
  std::string_view good[] = {"",
                             "ascii",
                             "\xc2\x80",
                             "\xdf\xbf",
                             "\xe0\xa0\x80",
                             "\xed\x9f\xbf",
                             "\xee\x80\x80",
                             "\xf0\x90\x80\x80",
                             "\xf4\x8f\xbf\xbf",
                             "12345678\xc3\xb6"};
  std::string_view bad[] = {"\x80",
                            "\xc0\x80",
                            "\xc1\xbf",
                            "\xe0\x9f\xbf",
                            "\xed\xa0\x80",
                            "\xf0\x8f\xbf\xbf",
                            "\xf4\x90\x80\x80",
                            "\xf5\x80\x80\x80",
                            "\xe2\x82",
                            "\xc3",
                            "12345678\xc3"};
  for (auto text : good) EXPECT_TRUE(is_utf8(text)) << printable(text);
  for (auto text : bad) EXPECT_FALSE(is_utf8(text)) << printable(text);
  EXPECT_TRUE(is_ascii("0123456789abcdef"));
  EXPECT_FALSE(is_ascii("0123456789abcde\x80"));
  EXPECT_FALSE(
      is_ascii("\x80"
               "0123456789abcde"));
}

TEST(Text, SplitTrimCompare) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string_view>{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), (std::vector<std::string_view>{""}));
  EXPECT_EQ(trim(" \t x y \r\n"), "x y");
  EXPECT_EQ(trim(" \t"), "");
  EXPECT_TRUE(iequals("MaIl", "mAiL"));
  EXPECT_FALSE(iequals("mail", "mai"));
  EXPECT_FALSE(iequals("K", "\xe2\x84\xaa"));  // the Kelvin sign is no k here
  EXPECT_TRUE(istarts_with("From:<a>", "FROM:"));
  EXPECT_FALSE(istarts_with("Fr", "FROM:"));
  EXPECT_EQ(upper("aZ\xe4"), "AZ\xe4");
  EXPECT_EQ(lower("aZ\xc4"), "az\xc4");
}

TEST(Text, Base64) {  // RFC 4648 section 10
  struct Case {
    std::string_view bytes, text;
  } cases[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"},
               {"\xff\xfe", "//4="}};
  for (const auto& c : cases) {
    EXPECT_EQ(base64(c.bytes), c.text);
    EXPECT_EQ(unbase64(c.text), c.bytes);
  }
  for (std::string_view bad :
       {"Zg", "Zg=", "Zg===", "====", "=", "Zh==", "Zm9=", "Zm9v\n", "Zm 9v", "Z===", "Zm9v!AAA", "Zm==Zm9v", "_-AA"}) {
    EXPECT_FALSE(unbase64(bad)) << bad;
  }
  rc::check("base64 comes back", [](const std::string& bytes) { RC_ASSERT(unbase64(base64(bytes)) == bytes); });
  EXPECT_EQ(hex(std::string_view("\x00\xab\xff", 3)), "00abff");
}

TEST(Text, Numbers) {
  EXPECT_EQ(parse_number("0"), 0u);
  EXPECT_EQ(parse_number("007"), 7u);
  EXPECT_EQ(parse_number("18446744073709551615"), UINT64_MAX);
  for (std::string_view bad :
       {"", "-1", "+1", " 1", "1 ", "1a", "0x1", "18446744073709551616", "99999999999999999999999"}) {
    EXPECT_FALSE(parse_number(bad)) << bad;
  }
}

TEST(Text, Nearest) {
  std::vector<std::string_view> words{"password", "password_file", "port", "host", "tls"};
  EXPECT_EQ(nearest("pasword", words), "password");
  EXPECT_EQ(nearest("Password-file", words), "password_file");
  EXPECT_EQ(nearest("prot", words), "port");
  EXPECT_EQ(nearest("mechanisms", words), "");
  EXPECT_EQ(nearest("", words), "");
}

}  // namespace
}  // namespace sidegate::text_test
