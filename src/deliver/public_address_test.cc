#include "deliver/public_address.h"

#include <gtest/gtest.h>

namespace sidegate::deliver::public_address_test {
namespace {

TEST(PublicAddress, WhereAStrangersRecordMayLead) {
  for (const char* yes : {"8.8.8.8", "198.51.100.11", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1",
                          "2001:4860::1", "2001:db8:3::11", "192.167.1.1", "64:ff9b::8.8.8.8", "2002:0808:0808::25"})
    EXPECT_TRUE(is_public(yes)) << yes;
  for (const char* no : {"127.0.0.1",
                         "127.9.9.9",
                         "10.1.2.3",
                         "192.168.1.1",
                         "172.16.0.1",
                         "172.31.255.255",
                         "169.254.1.1",
                         "100.64.0.1",
                         "100.127.255.255",
                         "0.0.0.0",
                         "255.255.255.255",
                         "224.0.0.1",
                         "::",
                         "::1",
                         "fe80::1",
                         "fe80::1%eth0",
                         "fd00::1",
                         "ff02::1",
                         "::ffff:127.0.0.1",
                         "::ffff:192.168.0.1",
                         "64:ff9b::10.20.30.40",
                         "2002:0a14:1e28::25",
                         "::10.20.30.40",
                         "mx.example",
                         "",
                         "1.2.3"})
    EXPECT_FALSE(is_public(no)) << no;
}

TEST(PublicAddress, Networks) {
  EXPECT_EQ(wide_network("198.51.100.11"), wide_network("198.51.7.1"));
  EXPECT_NE(wide_network("198.51.100.11"), wide_network("198.52.100.11"));
  EXPECT_EQ(narrow_network("198.51.100.11"), narrow_network("198.51.100.99"));
  EXPECT_NE(narrow_network("198.51.100.11"), narrow_network("198.51.101.11"));
  EXPECT_EQ(wide_network("2001:db8:1::1"), wide_network("2001:db8:ffff::1"));
  EXPECT_NE(narrow_network("2001:db8:1::1"), narrow_network("2001:db8:2::1"));
  EXPECT_EQ(wide_network("mx.example"), "");
}

TEST(PublicAddress, Organisations) {
  struct {
    const char *host, *organisation;
  } cases[] = {{"mx1.mail.example.org", "example.org"},
               {"example.org.", "example.org"},
               {"MX.Example.CO.JP", "example.co.jp"},
               {"a.b.mail.de", "mail.de"},
               {"localhost", "localhost"},
               {"", ""},
               {"mx.example.ne.jp", "example.ne.jp"},
               {"co.jp", "co.jp"}};
  for (const auto& c : cases) EXPECT_EQ(organisation(c.host), c.organisation) << c.host;
}

}  // namespace
}  // namespace sidegate::deliver::public_address_test
