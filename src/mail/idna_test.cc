#include "mail/idna.h"

#include <gtest/gtest.h>

namespace sidegate::mail::idna_test {
namespace {

TEST(Idna, ToAscii) {
  struct {
    std::string domain, ascii;  // empty: no domain can be called so
  } cases[] = {
      {"example.org", "example.org"},
      {"Example.ORG", "Example.ORG"},
      {"xn--r8jz45g.jp", "xn--r8jz45g.jp"},
      {"", ""},
      {"例え.jp", "xn--r8jz45g.jp"},
      {"例え.テスト", "xn--r8jz45g.xn--zckzah"},
      {"bücher.example", "xn--bcher-kva.example"},
      {"BÜCHER.example", "xn--bcher-kva.example"},
      {"bu\xcc\x88"
       "cher.example",
       "xn--bcher-kva.example"},                    // not composed
      {"straße.example", "xn--strae-oqa.example"},  // not "strasse": RFC 5894 section 7.2
      {"ｅｘａｍｐｌｅ．jp", "example.jp"},         // full width, with its own dot
      {"例え。jp", "xn--r8jz45g.jp"},
      {"_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example"},
      {"s1._domainkey.bücher.example", "s1._domainkey.xn--bcher-kva.example"},
      {"☃\xff.example", ""},  // no UTF-8
      {std::string("ü\0.example", 11), ""},
      {"-ü.example", ""},
      {"a＠b.jp", ""},  // full width: "@", ">", " ", "/" are no part of a name
      {"a＞　ORCPT＝x.jp", ""},
      {"a／b.jp", ""},
      {"a\xe2\x80\x8b\xe2\x80\xaeü.example", ""},  // turns the direction of reading
  };
  for (const auto& c : cases) {
    const auto made = to_ascii(c.domain);
    if (c.ascii.empty() && !c.domain.empty()) {
      EXPECT_FALSE(made) << c.domain << " became " << *made;
    } else {
      ASSERT_TRUE(made) << c.domain << ": " << made.error().text;
      EXPECT_EQ(*made, c.ascii);
    }
  }
  std::string label;
  for (int i = 0; i < 64; ++i) label += "ü";
  EXPECT_FALSE(to_ascii(label + ".example"));  // longer than 63 octets
  EXPECT_FALSE(to_ascii(std::string(5000, '\xc3')));
}

TEST(Idna, BothSpellingsAreOneDomain) {
  EXPECT_EQ(dns_form("Example.ORG"), "example.org");
  EXPECT_EQ(dns_form("例え.JP"), "xn--r8jz45g.jp");
  EXPECT_EQ(dns_form("a＠b.JP"), "a＠b.jp");  // no ASCII form
  EXPECT_TRUE(same_domain("XN--R8JZ45G.jp", "例え.jp"));
  EXPECT_TRUE(same_domain("BÜCHER.test", "bücher.test"));
  EXPECT_TRUE(same_domain("example.org", "EXAMPLE.org"));
  EXPECT_FALSE(same_domain("例え.jp", "例.jp"));
  EXPECT_FALSE(same_domain("example.org", "example.com"));
  EXPECT_TRUE(is_within("mail.例え.jp", "xn--r8jz45g.jp"));
  EXPECT_TRUE(is_within("mail.xn--r8jz45g.jp", "例え.jp"));
  EXPECT_TRUE(is_within("a.example.org", "Example.org"));
  EXPECT_FALSE(is_within("aexample.org", "example.org"));
  EXPECT_FALSE(is_within("example.org", "a.example.org"));
  EXPECT_EQ(dns_form_of_address("Taro@例え.jp"), "taro@xn--r8jz45g.jp");
  EXPECT_EQ(dns_form_of_address("Taro@Example.jp"), "taro@example.jp");
  EXPECT_EQ(dns_form_of_address("Taro"), "taro");
}

}  // namespace
}  // namespace sidegate::mail::idna_test
