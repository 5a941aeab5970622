#include "doctor/judge_domain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sidegate::doctor::judge_domain_test {
namespace {

using testing::HasSubstr;

const Finding& find(const Findings& all, const std::string& check) {
  static const Finding kNone{"none"};
  for (const Finding& f : all) {
    if (f.check == check) return f;
  }
  return kNone;
}

WayAdmitted way(spf::Verdict verdict, std::string host = "smtp.isp.example") {
  WayAdmitted w{"isp", std::move(host), {}, "spf.isp.example", false};
  if (w.host.empty()) w.way = "direct", w.include.clear();
  spf::Evaluation e;
  e.result = verdict;
  w.tried.push_back({"203.0.113.25", e});
  return w;
}

DomainSeen domain(spf::Verdict verdict, std::string record) {
  DomainSeen seen;
  seen.domain = "home.example";
  seen.exchangers = std::vector<std::string>{"10 mail.plain.example"};
  if (record.empty()) {
    seen.spf = fail(ErrorKind::kNotFound, "none");
  } else {
    seen.spf = std::vector<std::string>{std::move(record)};
  }
  seen.ways = {way(verdict)};
  seen.dmarc_domain = seen.domain;
  seen.dmarc = std::vector<std::string>{"v=DMARC1; p=quarantine"};
  return seen;
}

TEST(Domain, AllIsWell) {
  const Findings f = judge_domain(domain(spf::Verdict::kPass, "v=spf1 include:spf.isp.example -all"));
  EXPECT_EQ(worst(f), Mark::kGood);
  EXPECT_THAT(find(f, "dmarc").text, HasSubstr("would pass by SPF"));
}

TEST(Domain, SpfThatLacksTheWay) {
  const struct {
    spf::Verdict verdict;
    const char* record;
    Mark mark;
    const char* paste;
  } kCases[] = {
      {spf::Verdict::kFail, "v=spf1 mx -all", Mark::kWarning, "\"v=spf1 mx include:spf.isp.example -all\""},
      {spf::Verdict::kSoftFail, "v=spf1 mx ~all", Mark::kWarning, "\"v=spf1 mx include:spf.isp.example ~all\""},
      {spf::Verdict::kNeutral, "v=spf1 mx", Mark::kWarning, "\"v=spf1 mx include:spf.isp.example ~all\""},
      {spf::Verdict::kNone, "", Mark::kWarning, "\"v=spf1 include:spf.isp.example ~all\""},
      {spf::Verdict::kFail, "v=spf1 redirect=x.example", Mark::kWarning,
       "\"v=spf1 include:spf.isp.example redirect=x.example\""},
      {spf::Verdict::kPermError, "v=spf1 a:vps.example foo:bar -all", Mark::kWarning,
       "\"v=spf1 a:vps.example include:spf.isp.example -all\""},
      {spf::Verdict::kTempError, "v=spf1 mx -all", Mark::kNote, ""},
  };
  for (const auto& c : kCases) {
    const Findings all = judge_domain(domain(c.verdict, c.record));
    EXPECT_EQ(find(all, "spf").mark, c.mark) << c.record;
    EXPECT_THAT(find(all, "spf").paste, HasSubstr(c.paste)) << c.record;
    if (*c.paste != '\0') EXPECT_THAT(find(all, "spf").paste, HasSubstr("home.example. IN TXT \""));
  }
}

TEST(Domain, DirectNeedsAllItsAddresses) {
  DomainSeen seen = domain(spf::Verdict::kPass, "v=spf1 ip4:192.0.2.10 -all");
  WayAdmitted direct = way(spf::Verdict::kPass, "");
  spf::Evaluation six;
  six.result = spf::Verdict::kFail;
  direct.tried.push_back({"2001:db8:1::10", six});
  EXPECT_FALSE(direct.admitted());
  seen.ways = {direct};
  EXPECT_THAT(find(judge_domain(seen), "spf").paste, HasSubstr("ip4:192.0.2.10 ip6:2001:db8:1::10 -all"));
}

std::vector<std::string> pastes(const DomainSeen& seen) {
  std::vector<std::string> out;
  for (const Finding& f : judge_domain(seen)) {
    if (f.check == "spf" && !f.paste.empty()) out.push_back(f.paste);
  }
  return out;
}

// Two records for one name would be a permerror (RFC 7208 section 4.5).
TEST(Domain, OneRecordForAllItsWays) {
  DomainSeen seen = domain(spf::Verdict::kFail, "v=spf1 mx -all");
  WayAdmitted other = way(spf::Verdict::kFail, "smtp.provider.example");
  other.way = "prov", other.include = "spf.provider.example";
  seen.ways.push_back(other);
  EXPECT_THAT(pastes(seen), testing::ElementsAre("home.example. IN TXT \"v=spf1 mx include:spf.isp.example "
                                                 "include:spf.provider.example -all\""));
  EXPECT_THAT(judge_domain(seen).at(2).next, HasSubstr("above"));
  seen.ways[0].include_found = true;
  EXPECT_THAT(pastes(seen),
              testing::ElementsAre("home.example. IN TXT \"v=spf1 mx include:spf.provider.example -all\""));
  seen.ways[1].tried.clear();  // of what is not known nothing is published
  EXPECT_THAT(pastes(seen), testing::ElementsAre());
}

TEST(Domain, TwoRecordsBecomeOne) {
  DomainSeen seen = domain(spf::Verdict::kPermError, "v=spf1 mx -all");
  seen.spf->push_back("v=spf1 include:spf.isp.example -all");
  EXPECT_THAT(pastes(seen), testing::ElementsAre("home.example. IN TXT \"v=spf1 include:spf.isp.example mx -all\""));
  EXPECT_THAT(find(judge_domain(seen), "spf").next, HasSubstr("in the place of all"));
}

TEST(Domain, ARecordThatAsksTooOften) {
  DomainSeen seen = domain(spf::Verdict::kFail, "v=spf1 mx -all");
  seen.remedy = Remedy::kNetworks;
  seen.ways[0].networks = {"ip4:203.0.113.0/24", "ip6:2001:db8:1::/48"};
  EXPECT_THAT(pastes(seen),
              testing::ElementsAre("home.example. IN TXT \"v=spf1 mx ip4:203.0.113.0/24 ip6:2001:db8:1::/48 -all\""));
  seen.ways[0].include.clear(), seen.ways[0].networks.clear();
  EXPECT_THAT(pastes(seen), testing::ElementsAre("home.example. IN TXT \"v=spf1 mx ip4:203.0.113.25 -all\""));
  seen.remedy = Remedy::kNone;
  seen.remedy_why = "more than 10 terms that ask DNS";
  EXPECT_THAT(pastes(seen), testing::ElementsAre());
  EXPECT_THAT(find(judge_domain(seen), "spf").next, HasSubstr("more than 10 terms"));
}

TEST(Domain, BesideAnAliasNothingCanStand) {
  DomainSeen seen = domain(spf::Verdict::kFail, "v=spf1 -all");
  seen.alias_of = "web.host.example";
  EXPECT_THAT(pastes(seen), testing::ElementsAre());
  EXPECT_THAT(find(judge_domain(seen), "spf").next, HasSubstr("CNAME) of web.host.example"));
}

TEST(Domain, AProvidersIncludeCounts) {
  DomainSeen seen = domain(spf::Verdict::kSoftFail, "v=spf1 include:spf.isp.example ~all");
  seen.ways[0].include_found = true;
  EXPECT_EQ(worst(judge_domain(seen)), Mark::kGood);
}

TEST(Domain, Dkim) {
  DomainSeen seen = domain(spf::Verdict::kSoftFail, "v=spf1 mx ~all");
  KeyPublished key{"s1", "s1._domainkey.home.example", "v=DKIM1; k=rsa; p=QUJD", "QUJD", {}};
  key.found = std::vector<std::string>{"v=DKIM1; k=rsa; p=QU JD"};
  seen.keys = {key};
  Findings f = judge_domain(seen);
  EXPECT_EQ(find(f, "dkim").mark, Mark::kGood);
  EXPECT_EQ(find(f, "spf").mark, Mark::kNote) << "DKIM makes up for it";
  EXPECT_THAT(find(f, "dmarc").text, HasSubstr("would pass by DKIM"));
  seen.keys[0].found = std::vector<std::string>{"v=DKIM1; p=other"};
  f = judge_domain(seen);
  EXPECT_EQ(find(f, "dkim").mark, Mark::kWarning);
  EXPECT_EQ(find(f, "dkim").paste, "s1._domainkey.home.example. IN TXT \"v=DKIM1; k=rsa; p=QUJD\"");
  EXPECT_EQ(find(f, "dmarc").mark, Mark::kWarning);
}

TEST(Domain, ThatDoesNotExist) {
  DomainSeen seen = domain(spf::Verdict::kNone, "");
  seen.exchangers = seen.addresses = fail(ErrorKind::kNotFound, "x");
  EXPECT_EQ(worst(judge_domain(seen)), Mark::kWarning);
  EXPECT_EQ(judge_domain(seen).size(), 1u);
  seen.guessed = true;
  EXPECT_EQ(worst(judge_domain(seen)), Mark::kNote);
  seen.exchangers = fail(ErrorKind::kTimeout, "x");
  EXPECT_EQ(worst(judge_domain(seen)), Mark::kNote);
  seen.exchangers = std::vector<std::string>{"0 ."};
  seen.guessed = false;
  EXPECT_EQ(find(judge_domain(seen), "sender_domain").mark, Mark::kWarning);
}

TEST(Domain, NoPolicy) {
  DomainSeen seen = domain(spf::Verdict::kPass, "v=spf1 include:spf.isp.example -all");
  seen.dmarc = fail(ErrorKind::kNotFound, "x");
  EXPECT_EQ(find(judge_domain(seen), "dmarc").paste, "_dmarc.home.example. IN TXT \"v=DMARC1; p=none\"");
  seen.dmarc = std::vector<std::string>{"v=DMARC1; p=none", "v=DMARC1; p=reject"};
  EXPECT_THAT(find(judge_domain(seen), "dmarc").text, HasSubstr("several"));
}

TEST(Domain, LongRecordsAreSplit) {
  const std::string line = txt_line("a.example", std::string(300, 'x'));
  EXPECT_EQ(line, "a.example. IN TXT \"" + std::string(255, 'x') + "\" \"" + std::string(45, 'x') + "\"");
  EXPECT_STREQ(include_of_provider("smtp.gmail.com"), "_spf.google.com");
  EXPECT_STREQ(include_of_provider("email-smtp.us-east-1.amazonaws.com"), "amazonses.com");
  EXPECT_EQ(include_of_provider("smtp.isp.example"), nullptr);
}

}  // namespace
}  // namespace sidegate::doctor::judge_domain_test
