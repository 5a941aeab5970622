#include "deliver/candidates.h"

#include <gtest/gtest.h>

#include <set>

#include "deliver/rungs.h"

namespace sidegate::deliver::candidates_test {
namespace {

std::string text_of(const std::vector<Candidate>& all) {
  std::string out;
  for (const Candidate& c : all) {
    const char* tls = c.tls == TlsMode::kImplicit ? "implicit" : c.tls == TlsMode::kStartTls ? "starttls" : "none";
    out += (out.empty() ? "" : " ") + c.text() + "/" + tls;
  }
  return out;
}

RelaySettings relay(std::string host, std::vector<std::uint16_t> ports = {}) {
  RelaySettings settings;
  settings.host = std::move(host);
  settings.places.ports = std::move(ports);
  return settings;
}

TEST(Candidates, HostsTimesPorts) {
  auto one = relay("a.example");
  EXPECT_EQ(text_of(candidates_of(one)), "a.example:587/starttls");
  auto ladder = relay("a.example", {465, 587, 2525});
  EXPECT_EQ(text_of(candidates_of(ladder)), "a.example:465/implicit a.example:587/starttls a.example:2525/starttls");
  ladder.places.tls_given = true;
  ladder.tls = TlsMode::kNone;
  EXPECT_EQ(text_of(candidates_of(ladder)), "a.example:465/implicit a.example:587/none a.example:2525/none");
  auto hosts = relay("a.example", {465, 587});
  hosts.places.more_hosts = {"b.example", "c.example:2525", "d.example:465", "[192.0.2.1]:25"};
  EXPECT_EQ(text_of(candidates_of(hosts)),
            "a.example:465/implicit a.example:587/starttls b.example:465/implicit b.example:587/starttls "
            "c.example:2525/starttls d.example:465/implicit 192.0.2.1:25/starttls");
  auto both = candidates_of(hosts);
  EXPECT_EQ(both[0].tls_name, "a.example");
  EXPECT_EQ(both[2].tls_name, "b.example");
  hosts.tls_name = "z.example";
  EXPECT_EQ(candidates_of(hosts)[2].tls_name, "z.example");
}

TEST(Candidates, MxAreServersInOrderOfPreference) {
  auto settings = relay("isp.example");
  EXPECT_EQ(text_of(candidates_of_mx(settings, {"20 b.isp.example", "10 a.isp.example", "bad", "5"}, 1)),
            "a.isp.example:587/starttls b.isp.example:587/starttls");
  EXPECT_TRUE(candidates_of_mx(settings, {"0 ."}, 1).empty());
  std::set<std::string> orders;  // equals are shuffled
  for (std::uint32_t lot = 0; lot < 64; ++lot)
    orders.insert(text_of(candidates_of_mx(settings, {"10 a.example", "10 b.example"}, lot * 7919)));
  EXPECT_EQ(orders.size(), 2u);
}

TEST(Candidates, SrvByPriorityAndWeight) {
  auto settings = relay("isp.example");
  EXPECT_EQ(text_of(candidates_of_srv(settings, {"10 0 465 b.isp.example", "0 1 465 a.isp.example"}, true, 1)),
            "a.isp.example:465/implicit b.isp.example:465/implicit");
  EXPECT_EQ(text_of(candidates_of_srv(settings, {"0 0 2587 a.isp.example"}, false, 1)), "a.isp.example:2587/starttls");
  EXPECT_TRUE(candidates_of_srv(settings, {"0 0 0 ."}, true, 1).empty());
  EXPECT_TRUE(candidates_of_srv(settings, {"0 0 99999 a.example", "x", ""}, true, 1).empty());
  int heavy = 0;
  for (std::uint32_t lot = 0; lot < 200; ++lot)
    heavy += candidates_of_srv(settings, {"0 9 465 heavy.example", "0 1 465 light.example"}, true, lot * 104729)[0]
                 .host.starts_with("heavy");
  EXPECT_GT(heavy, 130);
  EXPECT_LT(heavy, 200);
}

// A forged answer may name a server that has a good certificate of its own.
TEST(Candidates, APasswordIsForTheDomainAlone) {
  auto settings = relay("isp.example");
  settings.user = "me";
  settings.password = "secret";
  auto all = candidates_of_mx(settings, {"10 mx.isp.example", "20 mx.evil.example", "30 evilisp.example"}, 1);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].tls_name, "mx.isp.example");
  EXPECT_EQ(all[1].tls_name, "isp.example");
  EXPECT_EQ(all[2].tls_name, "isp.example");
}

TEST(Rungs, WhatWorksIsRememberedAndTheTopLookedAtAgain) {
  const std::vector<Candidate> all = candidates_of(relay("a.example", {465, 587, 2525}));
  SteadyTime now{};
  Rungs rungs;
  EXPECT_EQ(rungs.in_order(all, now), all);
  EXPECT_TRUE(rungs.worked(all[1], all[0], now));
  EXPECT_FALSE(rungs.worked(all[1], all[0], now));
  EXPECT_EQ(rungs.current(), "a.example:587");
  auto order = rungs.in_order(all, now + 9min);
  EXPECT_EQ(text_of(order), "a.example:587/starttls a.example:465/implicit a.example:2525/starttls");
  EXPECT_EQ(rungs.in_order(all, now + 10min), all);    // one looks from the top
  EXPECT_EQ(rungs.in_order(all, now + 11min), order);  // the others do not
  EXPECT_FALSE(rungs.worked(all[1], all[0], now + 11min));
  EXPECT_EQ(rungs.in_order(all, now + 69min), order);
  EXPECT_EQ(rungs.in_order(all, now + 70min), all);  // then an hour later
  EXPECT_TRUE(rungs.worked(all[0], all[0], now + 70min));
  EXPECT_EQ(rungs.current(), "");
  EXPECT_EQ(rungs.in_order(all, now + 71min), all);
}

TEST(Rungs, TheFirstThatWorksIsNoNews) {
  const std::vector<Candidate> all = candidates_of(relay("a.example", {465, 587}));
  Rungs rungs;
  EXPECT_FALSE(rungs.worked(all[0], all[0], SteadyTime{}));
}

}  // namespace
}  // namespace sidegate::deliver::candidates_test
