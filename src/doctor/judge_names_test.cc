#include "doctor/judge_names.h"

#include <gtest/gtest.h>

namespace sidegate::doctor::judge_names_test {
namespace {

TEST(Names, GenericOnes) {
  const struct {
    const char* name;
    const char* address;
    bool generic;
  } kCases[] = {
      {"mail.example.org", "192.0.2.10", false},
      {"mx1.example.co.jp", "192.0.2.1", false},
      {"host10.pppoe.isp.example", "192.0.2.10", true},
      {"192-0-2-10.rev.example.net", "192.0.2.10", true},
      {"10.2.0.192.example.net", "192.0.2.10", true},
      {"ip-192-000-002-010.example.net", "192.0.2.10", true},
      {"ec2-203-0-113-25.compute-1.amazonaws.com", "203.0.113.25", true},
      {"static.25.113.0.203.clients.your-server.de", "203.0.113.25", true},
      {"p1234-ipbf05osaka.osaka.ocn.ne.jp", "203.0.113.25", true},
      {"dhcp-7.example.net", "192.0.2.10", true},
      {"c000020a.example.net", "192.0.2.10", true},
      {"softbank060100002010.bbtec.net", "60.100.2.10", false},
      {"mail.cable.example", "192.0.2.10", false},  // the domain is somebody's name
      {"2001-db8-1-aa00-bb11-cc22.v6.example.net", "2001:db8:1:0:aa00:bb11:cc22:10", true},
      {"mail6.example.org", "2001:db8:1::10", false},
  };
  for (const auto& c : kCases) EXPECT_EQ(is_generic_name(c.name, c.address), c.generic) << c.name;
}

ReverseSeen reverse(std::vector<std::string> names, std::vector<std::string> confirmed) {
  ReverseSeen r{"192.0.2.10", {}, std::move(names), std::move(confirmed)};
  if (r.names->empty()) r.names = fail(ErrorKind::kNotFound, "none");
  return r;
}

TEST(Names, ReverseIsConfirmedAndNotGeneric) {
  const std::string good = "mail.example.org", generic = "host10.pppoe.isp.example";
  const struct {
    const char* what;
    ReverseSeen seen;
    Mark direct, relay;
    bool fine;
  } kCases[] = {
      {"its own", reverse({good}, {good}), Mark::kGood, Mark::kGood, true},
      {"none", reverse({}, {}), Mark::kWarning, Mark::kNote, false},
      {"does not lead back", reverse({good}, {}), Mark::kWarning, Mark::kNote, false},
      {"generic", reverse({generic}, {generic}), Mark::kWarning, Mark::kNote, false},
      {"one of two", reverse({generic, good}, {generic, good}), Mark::kGood, Mark::kGood, true},
  };
  for (const auto& c : kCases) {
    NamesSeen seen{"mail.example.org", std::vector<std::string>{"192.0.2.10"}, {c.seen}};
    EXPECT_EQ(reverse_names_good(seen), c.fine) << c.what;
    EXPECT_EQ(judge_names(seen, true).at(1).mark, c.direct) << c.what;
    EXPECT_EQ(judge_names(seen, false).at(1).mark, c.relay) << c.what;
  }
  EXPECT_FALSE(reverse_names_good({"mail.example.org", std::vector<std::string>{}, {}})) << "no address is known";
}

TEST(Names, DnsThatDoesNotAnswerIsNoFaultOfTheName) {
  NamesSeen seen{"mail.example.org", fail(ErrorKind::kTimeout, "silent"), {}};
  EXPECT_EQ(judge_names(seen, true).at(0).mark, Mark::kNote);
  seen.addresses = fail(ErrorKind::kNotFound, "no such name");
  EXPECT_EQ(judge_names(seen, true).at(0).mark, Mark::kWarning);
  EXPECT_EQ(judge_names(seen, false).at(0).mark, Mark::kNote);
  seen.hostname = "box";
  EXPECT_EQ(judge_names(seen, true).at(0).mark, Mark::kWarning);
}

}  // namespace
}  // namespace sidegate::doctor::judge_names_test
