#include "intake/networks.h"

#include <gtest/gtest.h>

#include "intake/policy.h"

namespace sidegate::intake {
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

// Promise 6.
TEST(MayRelay, Cases) {
  struct {
    const char* why;
    const char* listener;
    std::vector<std::string> networks;
    bool trust_loopback;
    const char* peer;
    bool is_unix;
    const char* user;
    bool may;
  } cases[] = {
      {"loopback at a loopback listener", "127.0.0.1", {}, true, "127.0.0.1", false, "", true},
      {"the same over IPv6", "::1", {}, true, "::1", false, "", true},
      {"not trusted", "127.0.0.1", {}, false, "127.0.0.1", false, "", false},
      {"loopback at a public listener: a port forward looks so too",
       "0.0.0.0",
       {},
       true,
       "127.0.0.1",
       false,
       "",
       false},
      {"at the IPv6 wildcard", "::", {}, true, "::1", false, "", false},
      {"at an address of the outside", "192.0.2.1", {}, true, "127.0.0.1", false, "", false},
      {"a stranger", "0.0.0.0", {"192.0.2.0/24"}, true, "198.51.100.1", false, "", false},
      {"a listed network", "0.0.0.0", {"192.0.2.0/24", "2001:db8::/32"}, true, "192.0.2.9", false, "", true},
      {"a listed network over IPv6", "::", {"192.0.2.0/24", "2001:db8::/32"}, true, "2001:db8::9", false, "", true},
      {"loopback, listed in so many words", "0.0.0.0", {"127.0.0.0/8"}, true, "127.0.0.1", false, "", true},
      {"a Unix peer", "/run/sidegate/smtp", {}, true, "unix", true, "", true},
      {"authenticated", "0.0.0.0", {}, true, "198.51.100.1", false, "ann", true},
      {"an address we cannot read", "0.0.0.0", {"0.0.0.0/0"}, true, "?", false, "", false},
  };
  for (const auto& c : cases) {
    ListenerSettings settings;
    settings.address = c.listener;
    settings.networks = c.networks;
    settings.trust_loopback = c.trust_loopback;
    auto policy = ListenerPolicy::make(settings);
    ASSERT_TRUE(policy);
    smtp::SessionInfo session;
    session.peer.address = c.peer;
    auto address = parse_address(c.peer);
    session.peer.loopback = address && is_loopback(*address);
    session.peer.is_unix = c.is_unix;
    session.user = c.user;
    EXPECT_EQ(may_relay(session, **policy), c.may) << c.why;
  }
  ListenerSettings bad;
  bad.networks = {"192.0.2.1/24"};
  EXPECT_FALSE(ListenerPolicy::make(bad));
}

}  // namespace
}  // namespace sidegate::intake
