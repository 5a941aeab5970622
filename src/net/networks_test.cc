#include "net/networks.h"

#include <gtest/gtest.h>

namespace sidegate::net::networks_test {
namespace {

TEST(Networks, Contains) {
  struct {
    const char *network, *address;
    bool in;
  } cases[] = {
      {"192.0.2.0/24", "192.0.2.255", true},
      {"192.0.2.0/24", "192.0.3.0", false},
      {"192.0.2.128/25", "192.0.2.127", false},
      {"192.0.2.128/25", "192.0.2.128", true},
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "192.0.2.2", false},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "2001:db8::1", false},
      {"2001:db8::/32", "2001:db8:ffff::1", true},
      {"2001:db8::/32", "2001:db9::1", false},
      {"2001:db8::1", "2001:db8::1", true},
      {"::/0", "2001:db8::1", true},
      {"192.0.2.0/24", "::ffff:192.0.2.7", true},
      {"10.0.0.0/9", "10.128.0.0", false},
      {"fe80::/10", "fe80::1%eth0", true},
      {"2001:db8::/33", "2001:db8:8000::", false},
  };
  for (const auto& c : cases) {
    auto network = Network::parse(c.network);
    ASSERT_TRUE(network) << c.network;
    auto address = parse_address(c.address);
    ASSERT_TRUE(address) << c.address;
    EXPECT_EQ(network->contains(*address), c.in) << c.network << " " << c.address;
  }
}

TEST(Networks, Mistakes) {
  for (const char* text :
       {"", "x", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2.0/24x", "192.0.2.1/24", "192.0.2/24",
        "2001:db8::/129", "2001:db8::1/64", "fe80::1%eth0", "/24", "192.0.2.0/24/24"}) {
    EXPECT_FALSE(Network::parse(text)) << text;
  }
}

TEST(Networks, WhatAClientIsCountedBy) {
  for (auto [address, key] : {std::pair("192.0.2.1", "192.0.2.1"), std::pair("::ffff:192.0.2.1", "192.0.2.1"),
                              std::pair("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")}) {
    EXPECT_EQ(address_text(host_key(*parse_address(address))), key);
    EXPECT_EQ(is_ipv4(*parse_address(address)), std::string_view(key) == "192.0.2.1");
  }
}

}  // namespace
}  // namespace sidegate::net::networks_test
