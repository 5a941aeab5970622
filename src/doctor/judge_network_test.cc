#include "doctor/judge_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace sidegate::doctor::judge_network_test {
namespace {

using testing::HasSubstr;
constexpr Family k4 = Family::kFour, k6 = Family::kSix;

enum class How : std::uint8_t { kOpen, kTimeout, kRefused, kNoRoute };

// A network as a few words: who was tried at which port, and how that went.
struct Net {
  NetworkSeen seen;

  Net() {
    seen.route4 = seen.route6 = true;
    seen.own = {{"eth0", "192.0.2.10", 24}, {"eth0", "2001:db8:1::10", 64}};
  }
  Net& name(const std::string& host, Result<std::vector<std::string>> found = std::vector<std::string>{"192.0.2.1"}) {
    if (std::ranges::find(seen.names, host, &NameSeen::host) == seen.names.end())
      seen.names.push_back({host, std::move(found)});
    return *this;
  }
  Net& trial(const std::string& target, std::uint16_t port, How how, Family family = k4, std::string banner = {}) {
    name(target);
    Trial t{target, owner_of(target), family == k4 ? "198.51.100.1" : "2001:db8::1", family, port, true};
    switch (how) {
      case How::kOpen:
        t.name = banner.empty() ? target : std::move(banner);
        t.greeting = "220 " + t.name + " ESMTP";
        break;
      case How::kTimeout:
        t.failed = ErrorKind::kTimeout;
        break;
      case How::kRefused:
        t.failed = ErrorKind::kRefused;
        break;
      case How::kNoRoute:
        t.failed = ErrorKind::kUnreachable;
        break;
    }
    seen.trials.push_back(std::move(t));
    return *this;
  }
  Net& three(std::uint16_t port, How how, Family family = k4, const std::string& banner = {}) {
    for (const char* target : {"mx.dane.example", "mx.sts.test", "mx.plain.invalid"})
      trial(target, port, how, family, banner);
    return *this;
  }
  std::string verdict(std::uint16_t port, Family family = k4) const {
    const auto views = view_ports(seen);
    return word(find(views, port, family)->verdict);
  }
  Finding told(std::uint16_t port, Family family = k4, const WayOut& way = {}) const {
    for (Finding& f : judge_ports(seen, way)) {
      if (f.details.at(0).second == FindingValue(std::int64_t(port)) &&
          f.details.at(1).second == FindingValue(std::string(word(family))))
        return f;
    }
    return {"not told"};
  }
};

TEST(Network, VerdictOfAPort) {
  const struct {
    const char* what;
    Net net;
    const char* verdict;
  } kCases[] = {
      {"all open", Net().three(25, How::kOpen), "open"},
      {"one dead target", Net().three(25, How::kOpen).trial("mx.dead.example", 25, How::kTimeout), "open"},
      {"one answers", Net().three(25, How::kTimeout).trial("mx.good.example", 25, How::kOpen), "open"},
      {"dropped", Net().three(25, How::kTimeout).trial("smtp.provider.example", 587, How::kOpen), "timeout"},
      {"dropped, one rejects", Net().three(25, How::kTimeout).trial("mx.odd.example", 25, How::kRefused), "timeout"},
      {"rejected", Net().three(25, How::kRefused), "refused"},
      {"no control answers", Net().three(25, How::kTimeout).three(587, How::kTimeout), "silent"},
      {"no route", Net().three(25, How::kNoRoute), "no_route"},
      {"one target alone, and it lives", Net().trial("mx.dane.example", 25, How::kTimeout).three(587, How::kOpen),
       "timeout"},
      {"one target alone, and it is dead", Net().trial("mx.dead.example", 25, How::kTimeout).three(587, How::kOpen),
       "unknown"},
      {"two names of one owner",
       Net()
           .trial("mx1.dead.example", 25, How::kTimeout)
           .trial("mx2.dead.example", 25, How::kTimeout)
           .three(587, How::kOpen),
       "unknown"},
      {"intercepted", Net().three(25, How::kOpen, k4, "filter.isp.example"), "intercepted"},
      {"one stranger", Net().three(25, How::kOpen).trial("mx.hosted.example", 25, How::kOpen, k4, "mx.google.com"),
       "open"},
      {"hosted elsewhere, each at another",
       Net()
           .trial("mx.a.example", 25, How::kOpen, k4, "x.google.com")
           .trial("mx.b.example", 25, How::kOpen, k4, "y.outlook.com"),
       "open"},
      {"nobody found",
       Net().name("a.example", fail(ErrorKind::kTimeout, "x")).name("b.example", fail(ErrorKind::kTimeout, "x")),
       "dns_fault"},
      {"nothing was asked", Net(), "unknown"},
      {"hidden greetings",
       [] {
         Net net;
         net.three(25, How::kOpen);
         for (Trial& t : net.seen.trials) t.name.clear(), t.greeting = "220 ********************";
         return net;
       }(),
       "intercepted"},
  };
  for (const auto& c : kCases) EXPECT_EQ(c.net.verdict(25), std::string(c.verdict)) << c.what;
}

TEST(Network, OneTargetIsKnownToLiveByItsOtherPorts) {
  Net net;
  net.trial("smtp.provider.example", 587, How::kTimeout).trial("smtp.provider.example", 465, How::kOpen);
  EXPECT_EQ(net.verdict(587), "timeout");
  net.trial("smtp.provider.example", 2525, How::kRefused);
  EXPECT_EQ(net.verdict(2525), "refused");
  EXPECT_EQ(net.told(2525).mark, Mark::kNote);
}

TEST(Network, FamiliesAreJudgedApart) {
  Net net;
  net.three(25, How::kTimeout, k4)
      .three(25, How::kTimeout, k6)
      .three(587, How::kOpen, k4)
      .three(587, How::kTimeout, k6);
  EXPECT_EQ(net.verdict(25, k4), "timeout");
  EXPECT_EQ(net.verdict(25, k6), "silent") << "a dead family says nothing about the port";
  Findings families = judge_families(net.seen);
  EXPECT_EQ(families.at(0).mark, Mark::kGood);
  EXPECT_EQ(families.at(1).mark, Mark::kWarning) << families.at(1).text;
}

TEST(Network, AFamilyThatIsNotHereIsNoFault) {
  Net net;
  net.three(587, How::kOpen, k4).three(587, How::kNoRoute, k6);
  net.seen.route6 = false;
  net.seen.own.pop_back();
  EXPECT_EQ(judge_families(net.seen).at(1).mark, Mark::kNote);
  EXPECT_EQ(net.told(587, k6).check, "not told") << "one line for the family is enough";
  Net down;
  down.seen.route4 = down.seen.route6 = false;
  EXPECT_EQ(judge_families(down.seen).at(0).mark, Mark::kWrong);
}

TEST(Network, NoAlarmWhereMailGoes) {
  WayOut relay{.relay_configured = true};
  for (How how : {How::kOpen, How::kTimeout, How::kRefused}) {
    Net net;
    net.three(25, how)
        .three(25, how, k6)
        .three(587, How::kOpen)
        .three(587, How::kOpen, k6)
        .trial("smtp.a.example", 465, How::kOpen);
    EXPECT_LE(worst(judge_ports(net.seen, relay)), Mark::kNote) << static_cast<int>(how);
    EXPECT_EQ(judge_way_out(net.seen, relay).mark, Mark::kGood);
    EXPECT_LE(worst(judge_families(net.seen)), Mark::kGood);
    EXPECT_LE(worst(judge_dns(net.seen)), Mark::kGood);
  }
}

TEST(Network, ClosedWithoutARelayNamesTheWayOut) {
  Net net;
  net.three(25, How::kTimeout).three(587, How::kOpen).trial("smtp.a.example", 465, How::kOpen);
  WayOut none{.config_file = "/etc/sidegate/sidegate.toml"};
  Finding port = net.told(25, k4, none);
  EXPECT_EQ(port.mark, Mark::kWarning);
  EXPECT_THAT(port.next, HasSubstr("relay"));
  EXPECT_THAT(port.next, HasSubstr("fixed-IP"));
  Finding way = judge_way_out(net.seen, none);
  EXPECT_EQ(way.mark, Mark::kWrong);
  EXPECT_THAT(way.paste, HasSubstr("[[relay]]\nhost = "));
  EXPECT_THAT(way.paste, HasSubstr("port = 465\n"));
  EXPECT_THAT(way.next, HasSubstr("/etc/sidegate/sidegate.toml"));
  none.cloud = Cloud::kGoogle;
  EXPECT_THAT(net.told(25, k4, none).next, HasSubstr("never"));
}

TEST(Network, TheLinesNameAPortThatIsOpen) {
  Net net;
  net.three(25, How::kTimeout).three(587, How::kTimeout).three(465, How::kTimeout).three(2525, How::kOpen);
  EXPECT_THAT(judge_way_out(net.seen, {}).paste, HasSubstr("port = 2525\n"));
}

TEST(Network, DirectIsAdvisedOnlyWithAReverseName) {
  Net net;
  net.three(25, How::kOpen).three(587, How::kOpen);
  EXPECT_EQ(judge_way_out(net.seen, {.reverse_names_good = true}).mark, Mark::kGood);
  Finding without = judge_way_out(net.seen, {.reverse_names_good = false});
  EXPECT_EQ(without.mark, Mark::kWarning);
  EXPECT_THAT(without.paste, HasSubstr("[[relay]]"));
  EXPECT_EQ(judge_way_out(net.seen, {.reverse_known = false}).mark, Mark::kNote);
}

TEST(Network, InterceptionIsNamed) {
  Net net;
  net.three(25, How::kOpen, k4, "filter.isp.example").three(587, How::kOpen);
  Finding f = net.told(25, k4, {.relay_configured = true});
  EXPECT_EQ(f.mark, Mark::kWarning);
  EXPECT_THAT(f.text, HasSubstr("filter.isp.example"));
  EXPECT_EQ(judge_way_out(net.seen, {}).mark, Mark::kWrong) << "no relay: mail has no way out that is its own";
}

dns::ServerSeen name_server(const std::string& address, int rcode = 0) {
  return {.server = address, .answers = true, .rcode = rcode, .milliseconds = 3};
}

// Port 25 alone is tried, and this network drops it: that is no dead line.
TEST(Network, Port25AloneSaysNothingAboutTheLine) {
  struct {
    const char* what;
    std::size_t targets;
    std::vector<dns::ServerSeen> servers;
    bool relay;
    const char *port, *line;
  } cases[] = {
      {"three, a name server answers", 3, {name_server("203.0.113.53")}, false, "timeout", "unknown"},
      {"one, a name server answers", 1, {name_server("203.0.113.53")}, false, "unknown", "unknown"},
      {"three, the name server is this machine's own", 3, {name_server("127.0.0.53@53")}, false, "timeout", "unknown"},
      {"three, a relay answers", 3, {}, true, "timeout", "works"},
      {"a forwarder that reaches nobody", 3, {name_server("192.0.2.1", 2)}, false, "timeout", "unknown"},
  };
  for (const auto& c : cases) {
    Net net;
    for (const char* target : {"mx.a.example", "mx.b.test", "mx.c.invalid"}) {
      if (net.seen.trials.size() < c.targets) net.trial(target, 25, How::kTimeout);
    }
    net.seen.servers = c.servers;
    net.seen.others_answer4 = c.relay;
    EXPECT_EQ(net.verdict(25), std::string(c.port)) << c.what;
    const Finding line = judge_families(net.seen).at(0);
    EXPECT_EQ(line.details.at(0).second, FindingValue(std::string(c.line))) << c.what << line.text;
    EXPECT_LE(line.mark, Mark::kNote) << c.what;
    EXPECT_LE(worst(judge_ports(net.seen, {.relay_configured = true})), Mark::kNote) << c.what;
    EXPECT_EQ(judge_way_out(net.seen, {.relay_configured = true}).mark, Mark::kGood) << c.what;
  }
  Net dead;  // nothing answers at all, not even a name server
  dead.three(25, How::kTimeout);
  for (NameSeen& name : dead.seen.names) name.found = fail(ErrorKind::kTimeout, "x");
  EXPECT_EQ(dead.verdict(25), "silent");
  EXPECT_EQ(judge_families(dead.seen).at(0).mark, Mark::kWrong);
  Net others;  // another port was tried too, and nothing answers there either
  others.three(25, How::kTimeout).three(587, How::kTimeout);
  EXPECT_EQ(judge_families(others.seen).at(0).mark, Mark::kWrong);
}

TEST(Network, Port25AloneWithoutARelay) {
  Net net;
  net.three(25, How::kTimeout);
  Finding way = judge_way_out(net.seen, {});
  EXPECT_EQ(way.mark, Mark::kWrong);
  EXPECT_THAT(way.text, HasSubstr("port 25 is closed"));
  EXPECT_THAT(way.paste, HasSubstr("port = 465\n"));
  Net one;
  one.trial("mx.a.example", 25, How::kTimeout);
  way = judge_way_out(one.seen, {});
  EXPECT_EQ(way.mark, Mark::kWarning);
  EXPECT_THAT(way.text, HasSubstr("not known"));
}

TEST(Network, AHostThatIsOffIsNoBlock) {
  Net net;
  net.trial("198.51.100.99", 25, How::kNoRoute).trial("smtp.provider.example", 465, How::kOpen);
  EXPECT_EQ(net.verdict(25), "unknown");
  Finding way = judge_way_out(net.seen, {});
  EXPECT_EQ(way.mark, Mark::kWarning);
  EXPECT_THAT(way.text, HasSubstr("not known"));
  Net off;  // as silent as the others
  off.trial("198.51.100.99", 25, How::kNoRoute).three(25, How::kTimeout).three(587, How::kOpen);
  EXPECT_EQ(off.verdict(25), "timeout");
  Net no_family = net;
  no_family.seen.route4 = false;
  EXPECT_EQ(no_family.verdict(25), "no_route");
  Net untried;  // nobody's port 25
  untried.trial("smtp.provider.example", 465, How::kOpen);
  EXPECT_THAT(judge_way_out(untried.seen, {}).text, HasSubstr("not known"));
}

TEST(Network, ARouteThatGoesDirectIsJudged) {
  WayOut both{.relay_configured = true, .direct_by_route = true, .reverse_names_good = true};
  Net closed;
  closed.three(25, How::kTimeout).three(587, How::kOpen);
  EXPECT_EQ(judge_way_out(closed.seen, both).mark, Mark::kWarning);
  EXPECT_EQ(closed.told(25, k4, both).mark, Mark::kWarning);
  Net open;
  open.three(25, How::kOpen).three(587, How::kOpen);
  EXPECT_EQ(judge_way_out(open.seen, both).mark, Mark::kGood);
  both.reverse_names_good = false;
  EXPECT_EQ(judge_way_out(open.seen, both).mark, Mark::kWarning);
}

TEST(Network, DirectThatIsSwitchedOffIsNoWayOut) {
  Net net;
  net.three(25, How::kOpen).three(587, How::kOpen);
  Finding way = judge_way_out(net.seen, {.direct_enabled = false, .reverse_names_good = true});
  EXPECT_EQ(way.mark, Mark::kWrong);
  EXPECT_THAT(way.text, HasSubstr("switched off"));
  EXPECT_THAT(way.paste, HasSubstr("[[relay]]"));
}

TEST(Network, AForwarderWithoutEdnsIsToldAndNoAlarm) {
  Net net;
  net.three(587, How::kOpen);
  net.seen.servers = {{.server = "192.0.2.1", .answers = true, .rcode = 0, .milliseconds = 3}};
  Findings f = judge_dns(net.seen);
  ASSERT_EQ(f.size(), 2u);
  EXPECT_EQ(f[0].mark, Mark::kGood);
  EXPECT_EQ(f[1].mark, Mark::kNote);
  EXPECT_THAT(f[1].text, HasSubstr("EDNS, DNSSEC, TCP"));
}

TEST(Network, DnsThatFailsIsTold) {
  Net net;
  net.name("a.example", fail(ErrorKind::kTimeout, "x")).name("b.example", fail(ErrorKind::kTimeout, "x"));
  EXPECT_EQ(judge_dns(net.seen).at(0).mark, Mark::kWrong);
  Net one;  // a target that is gone
  one.three(587, How::kOpen).name("gone.example", fail(ErrorKind::kNotFound, "x"));
  EXPECT_EQ(judge_dns(one.seen).at(0).mark, Mark::kGood);
}

TEST(Targets, Parse) {
  const struct {
    const char* text;
    const char* host;
    std::vector<std::uint16_t> ports;
  } kGood[] = {
      {"mx.example.org:25", "mx.example.org", {25}},
      {"MX.example.org.", "mx.example.org", {25, 465, 587, 2525, 443}},
      {"smtp.example.org:465,587", "smtp.example.org", {465, 587}},
      {"192.0.2.1:2525", "192.0.2.1", {2525}},
      {"[2001:db8::1]:25", "2001:db8::1", {25}},
      {"2001:db8::1", "2001:db8::1", {25, 465, 587, 2525, 443}},
  };
  for (const auto& c : kGood) {
    auto target = parse_target(c.text);
    ASSERT_TRUE(target) << c.text;
    EXPECT_EQ(target->host, c.host);
    EXPECT_EQ(target->ports, c.ports) << c.text;
  }
  for (const char* bad :
       {"", ":25", "host:", "host:0", "host:65536", "host:25,", "a b:25", "[::1", "[::1]25", "host:25:26", "-\x01"})
    EXPECT_FALSE(parse_target(bad)) << bad;
  for (const std::string& one : default_targets()) EXPECT_TRUE(parse_target(one)) << one;
}

TEST(Targets, Owners) {
  EXPECT_EQ(owner_of("gmail-smtp-in.l.google.com"), "google.com");
  EXPECT_EQ(owner_of("smtp.example.co.jp."), "example.co.jp");
  EXPECT_EQ(owner_of("mail.example"), "mail.example");
  EXPECT_EQ(owner_of("192.0.2.77"), "192.0.2");
  EXPECT_EQ(owner_of("2001:db8:3::11"), "2001:db8:3");
}

// Every port is tried by several unrelated owners: one of them dead says nothing.
TEST(Targets, DefaultsAreUnrelated) {
  std::map<std::uint16_t, std::set<std::string>> owners;
  for (const std::string& one : default_targets()) {
    const Target target = *parse_target(one);
    for (std::uint16_t port : target.ports) owners[port].insert(owner_of(target.host));
  }
  for (std::uint16_t port : kMailPorts) EXPECT_GE(owners[port].size(), 3u) << port;
}

}  // namespace
}  // namespace sidegate::doctor::judge_network_test
