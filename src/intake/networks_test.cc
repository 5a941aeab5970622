// Who may relay, by the networks that a listener lists.
#include "intake/networks.h"

#include <gtest/gtest.h>

#include "intake/policy.h"

namespace sidegate::intake::networks_test {
namespace {

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

// Promise 6: what a proxy says is an address like any other, and never this machine's.
TEST(MayRelay, NobodyByWordOfMouth) {
  struct {
    const char* why;
    const char* listener;
    std::vector<std::string> networks;
    const char* address;
    net::Told told;
    bool may;
  } cases[] = {
      {"loopback at a loopback listener", "127.0.0.1", {}, "127.0.0.1", net::Told::kAddress, false},
      {"loopback, listed in so many words", "0.0.0.0", {"127.0.0.0/8", "::1"}, "127.0.0.1", net::Told::kAddress, false},
      {"over IPv6", "0.0.0.0", {"127.0.0.0/8", "::1"}, "::1", net::Told::kAddress, false},
      {"mapped", "0.0.0.0", {"127.0.0.0/8", "::1"}, "::ffff:127.0.0.1", net::Told::kAddress, false},
      {"a listed network", "0.0.0.0", {"192.0.2.0/24"}, "192.0.2.9", net::Told::kAddress, true},
      {"nobody knows who, through a listed proxy",
       "0.0.0.0",
       {"192.0.2.0/24"},
       "192.0.2.9",
       net::Told::kNothing,
       false},
  };
  for (const auto& c : cases) {
    ListenerSettings settings;
    settings.address = c.listener;
    settings.networks = c.networks;
    auto policy = ListenerPolicy::make(settings);
    ASSERT_TRUE(policy);
    smtp::SessionInfo session;
    session.peer.address = c.address;
    session.peer.told = c.told;
    EXPECT_EQ(may_relay(session, **policy), c.may) << c.why;
  }
}

TEST(Fronts, WhoMaySpeakForOthers) {
  ListenerSettings settings;
  settings.address = "0.0.0.0";
  settings.proxy = {"10.0.0.5", "127.0.0.1"};
  settings.xclient = {"10.0.0.6", "127.0.0.0/8"};
  auto policy = *ListenerPolicy::make(settings);
  auto peer = [](const char* address, net::Told told = net::Told::kSocket) {
    net::Peer peer;
    peer.address = address;
    peer.told = told;
    return peer;
  };
  EXPECT_TRUE(sends_proxy_header(peer("10.0.0.5"), *policy));
  EXPECT_TRUE(sends_proxy_header(peer("::ffff:10.0.0.5"), *policy));
  EXPECT_TRUE(sends_proxy_header(peer("127.0.0.1"), *policy));
  EXPECT_FALSE(sends_proxy_header(peer("10.0.0.6"), *policy));
  EXPECT_FALSE(sends_proxy_header(peer("unix"), *policy));
  EXPECT_TRUE(may_xclient(peer("10.0.0.6"), *policy));
  EXPECT_TRUE(may_xclient(peer("127.0.0.1"), *policy));
  EXPECT_FALSE(may_xclient(peer("10.0.0.5"), *policy));
  EXPECT_FALSE(may_xclient(peer("127.0.0.1", net::Told::kAddress), *policy));
  EXPECT_FALSE(may_xclient(peer("10.0.0.6", net::Told::kNothing), *policy));
}

}  // namespace
}  // namespace sidegate::intake::networks_test
