#include "dns/reverse.h"

#include <gtest/gtest.h>

namespace sidegate::dns::reverse_test {
namespace {

TEST(ReverseName, Cases) {
  EXPECT_EQ(reverse_name("192.0.2.1"), "1.2.0.192.in-addr.arpa");
  EXPECT_EQ(reverse_name("2001:db8::1"), "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
  EXPECT_EQ(reverse_name("192.0.2.99", "bad.example"), "99.2.0.192.bad.example");
  // RFC 5782 section 2.4 has this one.
  EXPECT_EQ(reverse_name("2001:db8:1:2:3:4:567:89ab", "ugly.example.com"),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com");
  EXPECT_EQ(reverse_name("fe80::1%eth0")->substr(0, 4), "1.0.");
  for (const char* bad : {"", "unix", "192.0.2", "mx.example", "[192.0.2.1]"}) EXPECT_FALSE(reverse_name(bad)) << bad;
}

}  // namespace
}  // namespace sidegate::dns::reverse_test
