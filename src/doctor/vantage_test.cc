#include "doctor/vantage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sidegate::doctor::vantage_test {
namespace {

using ::testing::HasSubstr;

TEST(Vantage, Reach) {
  struct Case {
    const char* address;
    Reach reach;
  };
  for (const Case& c : {Case{"8.8.8.8", Reach::kPublic},
                        Case{"10.255.0.1", Reach::kPrivate},
                        Case{"172.15.0.1", Reach::kPublic},
                        Case{"172.16.0.1", Reach::kPrivate},
                        Case{"172.31.255.255", Reach::kPrivate},
                        Case{"172.32.0.1", Reach::kPublic},
                        Case{"192.168.1.1", Reach::kPrivate},
                        Case{"100.63.255.255", Reach::kPublic},
                        Case{"100.64.0.0", Reach::kShared},
                        Case{"100.127.255.255", Reach::kShared},
                        Case{"100.128.0.0", Reach::kPublic},
                        Case{"192.0.0.2", Reach::kDsLite},
                        Case{"192.0.0.8", Reach::kPublic},
                        Case{"127.0.1.1", Reach::kLoopback},
                        Case{"169.254.1.1", Reach::kLinkLocal},
                        Case{"0.0.0.0", Reach::kNone},
                        Case{"::1", Reach::kLoopback},
                        Case{"fe80::1%eth0", Reach::kLinkLocal},
                        Case{"fd00::1", Reach::kPrivate},
                        Case{"2001:db8::1", Reach::kPublic},
                        Case{"::ffff:10.0.0.1", Reach::kPrivate},
                        Case{"::", Reach::kNone},
                        Case{"mail.example", Reach::kNone}}) {
    EXPECT_EQ(reach(c.address), c.reach) << c.address;
  }
}

const std::vector<Interface> kHome = {
    {"lo", "127.0.0.1", 8}, {"eth0", "192.168.1.10", 24}, {"eth0", "2001:db8:1::10", 64}, {"ppp0", "10.9.9.9", 32}};

TEST(Vantage, FromWhere) {
  struct Case {
    const char* address;
    Vantage from;
  };
  for (const Case& c : {Case{"127.0.0.1", Vantage::kSameHost}, Case{"127.8.8.8", Vantage::kSameHost},
                        Case{"192.168.1.10", Vantage::kSameHost}, Case{"2001:db8:1:0::10", Vantage::kSameHost},
                        Case{"192.168.1.99", Vantage::kSameNetwork}, Case{"2001:db8:1::99", Vantage::kSameNetwork},
                        Case{"192.168.2.1", Vantage::kPrivate}, Case{"100.64.3.4", Vantage::kPrivate},
                        Case{"203.0.113.9", Vantage::kOutside}, Case{"2001:db8:2::1", Vantage::kOutside}})
    EXPECT_EQ(vantage(kHome, c.address), c.from) << c.address;
}

TEST(Vantage, NearClaimsNothingOfTheWorld) {
  for (Vantage from : {Vantage::kSameHost, Vantage::kSameNetwork, Vantage::kPrivate}) {
    Finding f = tell_vantage(from, kHome, "x");
    EXPECT_EQ(f.mark, Mark::kNote);
    EXPECT_THAT(f.text, HasSubstr("nothing about what the world sees"));
    EXPECT_THAT(f.next, HasSubstr("sidegate check listeners HOST"));
  }
  EXPECT_THAT(tell_vantage(Vantage::kOutside, {{"eth0", "192.168.1.10", 24}}, "x").why, HasSubstr("behind a router"));
  EXPECT_EQ(tell_vantage(Vantage::kOutside, {{"eth0", "203.0.113.1", 24}}, "x").mark, Mark::kGood);
}

struct Told {
  const char* name;
  std::vector<Interface> own;
  std::vector<std::string> found;
  Mark mark;
  const char *text, *next;
};

TEST(PublicAddress, EachWithItsCure) {
  const std::vector<Told> cases = {
      {"its own", {{"eth0", "203.0.113.5", 24}}, {"203.0.113.5"}, Mark::kGood, "and it is this machine's", ""},
      {"its own, IPv6", {{"eth0", "2001:db8::5", 64}}, {"2001:db8:0::5"}, Mark::kGood, "and it is this machine's", ""},
      {"behind a router",
       {{"eth0", "192.168.1.10", 24}},
       {"203.0.113.5"},
       Mark::kNote,
       "this machine has 192.168.1.10",
       "forward ports 25, 465 and 587 at the router to 192.168.1.10"},
      {"another one",
       {{"eth0", "203.0.113.9", 24}},
       {"203.0.113.5"},
       Mark::kNote,
       "another one: 203.0.113.9",
       "dynamic DNS"},
      {"private in DNS",
       {{"eth0", "192.168.1.10", 24}},
       {"192.168.1.10"},
       Mark::kWrong,
       "a private address",
       "public address"},
      {"CGNAT at the interface",
       {{"ppp0", "100.64.1.2", 32}},
       {"203.0.113.5"},
       Mark::kNote,
       "100.64.1.2 is an address that the provider shares",
       "Use IPv6"},
      {"CGNAT in DNS",
       {{"eth0", "192.168.1.10", 24}},
       {"100.99.0.1"},
       Mark::kWrong,
       "100.99.0.1 is an address that the provider shares",
       "host outside"},
      {"DS-Lite", {{"tun0", "192.168.0.5", 24}, {"ip4tun", "192.0.0.2", 29}}, {}, Mark::kNote, "DS-Lite", "Use IPv6"},
      {"no name in DNS",
       {{"eth0", "192.168.1.10", 24}},
       {},
       Mark::kNote,
       "has no address in DNS",
       "add an A or AAAA record"},
      {"no AAAA",
       {{"eth0", "203.0.113.5", 24}, {"eth0", "2001:db8::5", 64}},
       {"203.0.113.5"},
       Mark::kNote,
       "no AAAA record",
       "add the AAAA record"},
      {"ULA in DNS", {{"eth0", "fd00::5", 64}}, {"fd00::5"}, Mark::kWrong, "a private address", "global IPv6"},
  };
  for (const Told& c : cases) {
    AddressFacts facts{"mx.example", c.own, c.found, true};
    const Findings all = judge_addresses(facts);
    bool told = false;
    std::string seen;
    for (const Finding& f : all) {
      seen += f.text + " | " + f.next + "\n";
      EXPECT_EQ(f.check, "public_address");
      told = told ||
             (f.mark == c.mark && f.text.find(c.text) != std::string::npos && f.next.find(c.next) != std::string::npos);
    }
    EXPECT_TRUE(told) << c.name << ":\n" << seen;
  }
}

TEST(PublicAddress, ATunnelOfOnesOwnIsNoSharedAddress) {
  AddressFacts facts{"mx.example",
                     {{"eth0", "203.0.113.5", 24}, {"tailscale0", "100.101.102.103", 32}},
                     std::vector<std::string>{"203.0.113.5"},
                     true};
  const Findings all = judge_addresses(facts);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].mark, Mark::kGood);
}

TEST(PublicAddress, ALookUpThatFailsNowIsNoVerdict) {
  AddressFacts facts{"mx.example", kHome, std::unexpected(Error{ErrorKind::kTimeout, "no answer"}), true};
  const Findings all = judge_addresses(facts);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].mark, Mark::kNote);
  EXPECT_THAT(all[0].text, HasSubstr("cannot be looked up now"));
}

TEST(PublicAddress, AnotherHostsAddressesAreToldAsTheyAre) {
  AddressFacts facts{"mx.example", kHome, std::vector<std::string>{"203.0.113.5", "10.0.0.1"}, false};
  const Findings all = judge_addresses(facts);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].text, "mx.example has the public address 203.0.113.5");
  EXPECT_EQ(all[1].mark, Mark::kWrong);
}

}  // namespace
}  // namespace sidegate::doctor::vantage_test
