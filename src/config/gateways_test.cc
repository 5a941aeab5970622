#include "config/gateways.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sidegate::config::gateways_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Gateways, Ipv6) {
  const std::string none(32, '0');
  const std::string rest = " 00000400 00000001 00000000 00000003 eth0\n";
  EXPECT_EQ(gateways6_of(none + " 00 " + none + " 00 fd000000000000000000000000000001" + rest + none + " 00 " + none +
                         " 00 fe800000000000000000000000000001" + rest +                         // of the link
                         "20010db8000000000000000000000000 40 " + none + " 00 " + none + rest +  // direct
                         "20010db8000100000000000000000000 30 " + none + " 00 20010db8000000000000000000000009" + rest +
                         none + " 00 " + none + " 00 fd000000000000000000000000000001" + rest +  // again
                         none + " 00 " + none + " 00 fd0000000000000000000000000000x1" + rest + "short\n"),
            (std::vector<std::string>{"fd00::1", "2001:db8::9"}));
  EXPECT_TRUE(gateways6_of("").empty());
}

TEST(Gateways, AreReadFromTheRoutes) {
  EXPECT_THAT(gateways_of("Iface\tDestination\tGateway \tFlags\n"
                          "eth0\t00000000\t0101A8C0\t0003\t0\n"
                          "eth0\t0001A8C0\t00000000\t0001\t0\n"
                          "wlan0\t00000000\t0101A8C0\t0003\t0\n"
                          "eth1\t00000000\tFE00000A\t0003\t0\n"
                          "bad line\neth2\t0\tZZZZZZZZ\n"),
              ElementsAre("192.168.1.1", "10.0.0.254"));
  EXPECT_THAT(gateways_of(""), IsEmpty());
}

TEST(Gateways, ANetworkThatHoldsOneIsWarnedAbout) {
  const Surroundings around{{"192.168.1.1"}, {{"docker0", "172.17.0.1"}}};
  struct {
    const char *network, *warning;  // warning: empty: none
    intake::Profile profile;
  } cases[] = {
      {"192.168.1.0/24", "holds the router 192.168.1.1", intake::Profile::kSmtp},
      {"192.168.1.0/24", "holds the router 192.168.1.1", intake::Profile::kLocal},
      {"192.168.1.0/24", "", intake::Profile::kSubmission},  // everybody logs in there
      {"192.168.1.16/28", "", intake::Profile::kSmtp},
      {"172.17.0.0/16", "172.17.0.1, the address of bridge docker0", intake::Profile::kSmtp},
      {"172.17.0.9/32", "", intake::Profile::kSmtp},
      {"fd00::/8", "", intake::Profile::kSmtp},
  };
  for (const auto& c : cases) {
    Settings settings;
    settings.listeners.emplace_back();
    settings.listeners[0].name = "lan";
    settings.listeners[0].profile = c.profile;
    settings.listeners[0].networks = {c.network};
    Problems warnings = warn_about_gateways(settings, around);
    EXPECT_EQ(warnings.empty(), std::string(c.warning).empty()) << c.network;
    if (!warnings.empty()) EXPECT_THAT(warnings[0].text(), HasSubstr(c.warning));
    EXPECT_EQ(who_may_relay(settings).size(), is_submission(c.profile) ? 0u : 1u);
  }
}

}  // namespace
}  // namespace sidegate::config::gateways_test
