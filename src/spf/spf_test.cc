#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "spf/dmarc.h"
#include "spf/evaluate.h"
#include "spf/macro.h"

namespace sidegate::spf::spf_test {
namespace {

Answer found(std::vector<std::string> list) {
  return {Answer::Kind::kFound, std::move(list)};
}

// RFC 7208 appendix A.
Answers zone() {
  Answers all;
  all[{Type::kA, "example.com"}] = found({"192.0.2.10", "192.0.2.11"});
  all[{Type::kMx, "example.com"}] = found({"mail-a.example.com", "mail-b.example.com."});
  all[{Type::kA, "amy.example.com"}] = found({"192.0.2.65"});
  all[{Type::kA, "bob.example.com"}] = found({"192.0.2.66"});
  all[{Type::kA, "mail-a.example.com"}] = found({"192.0.2.129"});
  all[{Type::kA, "mail-b.example.com"}] = found({"192.0.2.130"});
  all[{Type::kMx, "example.org"}] = found({"mail-c.example.org"});
  all[{Type::kA, "mail-c.example.org"}] = found({"192.0.2.140"});
  all[{Type::kPtr, "192.0.2.10"}] = found({"example.com"});
  all[{Type::kPtr, "192.0.2.65"}] = found({"amy.example.com"});
  all[{Type::kPtr, "192.0.2.140"}] = found({"mail-c.example.org"});
  all[{Type::kPtr, "10.0.0.4"}] = found({"bob.example.com"});
  return all;
}

// What is not in the zone is not there.
Evaluation check(Answers all, const std::string& address, const std::string& domain = "example.com",
                 const std::string& sender = "strong-bad@example.com") {
  for (unsigned asked = 0; asked <= kMostQuestions; ++asked) {
    Evaluation e = evaluate({address, domain, sender, "mail.example.net"}, all);
    if (!e.needed) return e;
    EXPECT_FALSE(all.contains(*e.needed)) << "asked twice";
    all[*e.needed] = Answer{};
  }
  ADD_FAILURE() << "too many questions";
  return {};
}

std::string result(const std::string& record, const std::string& address, Answers all = zone()) {
  all[{Type::kTxt, "example.com"}] = found({record});
  return name(check(std::move(all), address).result);
}

TEST(Spf, TheRfcsExamples) {
  const struct {
    const char* record;
    const char* address;
    const char* result;
  } kCases[] = {
      {"v=spf1 +all", "203.0.113.1", "pass"},
      {"v=spf1 a -all", "192.0.2.10", "pass"},
      {"v=spf1 a -all", "192.0.2.65", "fail"},
      {"v=spf1 a:example.org -all", "192.0.2.10", "fail"},
      {"v=spf1 mx -all", "192.0.2.129", "pass"},
      {"v=spf1 mx -all", "192.0.2.140", "fail"},
      {"v=spf1 mx:example.org -all", "192.0.2.140", "pass"},
      {"v=spf1 mx mx:example.org -all", "192.0.2.130", "pass"},
      {"v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.131", "pass"},
      {"v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.143", "pass"},
      {"v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.132", "fail"},
      {"v=spf1 ptr -all", "192.0.2.10", "pass"},
      {"v=spf1 ptr -all", "192.0.2.65", "pass"},
      {"v=spf1 ptr -all", "192.0.2.140", "fail"},
      {"v=spf1 ptr -all", "10.0.0.4", "fail"},
      {"v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.65", "fail"},
      {"v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.129", "pass"},
  };
  for (const auto& c : kCases) EXPECT_EQ(result(c.record, c.address), c.result) << c.record << " " << c.address;
}

TEST(Spf, Results) {
  const struct {
    const char* record;
    const char* address;
    const char* result;
  } kCases[] = {
      {"v=spf1", "192.0.2.1", "neutral"},
      {"v=spf1 ~all", "192.0.2.1", "softfail"},
      {"v=spf1 ?all", "192.0.2.1", "neutral"},
      {"V=SPF1 A -ALL", "192.0.2.10", "pass"},
      {"v=spf10 -all", "192.0.2.1", "none"},
      {"spf1 -all", "192.0.2.1", "none"},
      {"v=spf1 ip4:1.1.1.1/33 -all", "192.0.2.1", "permerror"},
      {"v=spf1 ip4:1.1.1.1/032 -all", "192.0.2.1", "permerror"},
      {"v=spf1 ip4:1.1.1/24 -all", "192.0.2.1", "permerror"},
      {"v=spf1 ip4 -all", "192.0.2.1", "permerror"},
      {"v=spf1 ip6:2001:db8::/32 -all", "2001:db8:1::1", "pass"},
      {"v=spf1 ip6:2001:db8::/32 -all", "192.0.2.1", "fail"},
      {"v=spf1 ip4:0.0.0.0/0 -all", "2001:db8::1", "fail"},
      {"v=spf1 ip4:192.0.2.0/24 -all", "::ffff:192.0.2.7", "pass"},
      {"v=spf1 a/0 -all", "203.0.113.9", "pass"},
      {"v=spf1 a/33", "192.0.2.1", "permerror"},
      {"v=spf1 a//129", "192.0.2.1", "permerror"},
      {"v=spf1 a/24//64 -all", "192.0.2.77", "pass"},
      {"v=spf1 a//64 -all", "192.0.2.11", "pass"},
      {"v=spf1 a/", "192.0.2.1", "permerror"},
      {"v=spf1 a:", "192.0.2.1", "permerror"},
      {"v=spf1 a:museum", "192.0.2.1", "permerror"},
      {"v=spf1 a:museum.", "192.0.2.1", "permerror"},
      {"v=spf1 a:111.222.33.44", "192.0.2.1", "permerror"},
      {"v=spf1 a:example.-com", "192.0.2.1", "permerror"},
      {"v=spf1 a:foo:bar/baz.example.com ~all", "192.0.2.1", "softfail"},
      {"v=spf1 ptr/24", "192.0.2.1", "permerror"},
      {"v=spf1 exists -all", "192.0.2.1", "permerror"},
      {"v=spf1 exists:amy.%{d} -all", "192.0.2.1", "pass"},
      {"v=spf1 exists:amy.%{d} -all", "2001:db8::1", "pass"},
      {"v=spf1 exists:%{e0} -all", "192.0.2.1", "permerror"},
      {"v=spf1 exists:%(ip).example.com -all", "192.0.2.1", "permerror"},
      {"v=spf1 exists:%{d0} -all", "192.0.2.1", "permerror"},
      {"v=spf1 exists:%{c}.example.com -all", "192.0.2.1", "permerror"},
      {"v=spf1 all.foo", "192.0.2.1", "permerror"},
      {"v=spf1 mx ipv4:1.2.3.4 -all", "192.0.2.129", "permerror"},
      {"v=spf1 moo.cow-far_out=man:dog/cat ip4:192.0.2.1 -all", "192.0.2.1", "pass"},
      {"v=spf1 moo=%(x) -all", "192.0.2.1", "permerror"},
      {"v=spf1 include:example.net -all", "192.0.2.1", "permerror"},
      {"v=spf1 include -all", "192.0.2.1", "permerror"},
      {"v=spf1 redirect=example.net", "192.0.2.1", "permerror"},
      {"v=spf1 redirect=a.example.net redirect=b.example.net", "192.0.2.1", "permerror"},
      {"v=spf1 exp=a.example.net exp=b.example.net", "192.0.2.1", "permerror"},
      {"v=spf1 ip4:192.0.2.1 redirect=example.net", "192.0.2.1", "pass"},
      {"v=spf1 include:example.com -all", "192.0.2.1", "permerror"},
      {"v=spf1 redirect=example.com", "192.0.2.1", "permerror"},
  };
  for (const auto& c : kCases) EXPECT_EQ(result(c.record, c.address), c.result) << c.record << " " << c.address;
}

TEST(Spf, IncludeAndRedirect) {
  Answers all = zone();
  all[{Type::kTxt, "spf.isp.example"}] = found({"unrelated", "v=spf1 ip4:203.0.113.0/24 -all"});
  EXPECT_EQ(result("v=spf1 include:spf.isp.example ~all", "203.0.113.25", all), "pass");
  EXPECT_EQ(result("v=spf1 include:spf.isp.example ~all", "192.0.2.1", all), "softfail") << "its -all is no match";
  EXPECT_EQ(result("v=spf1 -include:spf.isp.example +all", "203.0.113.25", all), "fail");
  EXPECT_EQ(result("v=spf1 redirect=spf.isp.example", "192.0.2.1", all), "fail");
  all[{Type::kTxt, "example.com"}] = found({"v=spf1 include:SPF.isp.example. -all"});
  Evaluation e = check(all, "203.0.113.25");
  EXPECT_EQ(e.by, "include:SPF.isp.example.");
  EXPECT_THAT(e.visited, testing::ElementsAre("spf.isp.example"));
  EXPECT_EQ(e.record, "v=spf1 include:SPF.isp.example. -all");
  all[{Type::kTxt, "spf.isp.example"}] = {Answer::Kind::kTrouble, {}};
  EXPECT_EQ(check(all, "203.0.113.25").result, Verdict::kTempError);
}

TEST(Spf, SeveralRecordsAndNone) {
  Answers all = zone();
  all[{Type::kTxt, "example.com"}] = found({"v=spf1 -all", "v=spf1 +all"});
  EXPECT_EQ(check(all, "192.0.2.1").result, Verdict::kPermError);
  EXPECT_EQ(check({}, "192.0.2.1").result, Verdict::kNone);
  EXPECT_EQ(check(all, "192.0.2.1", "localhost").result, Verdict::kNone);
  EXPECT_EQ(check(all, "192.0.2.1", "a..b").result, Verdict::kNone);
  all[{Type::kTxt, "example.com"}] = {Answer::Kind::kTrouble, {}};
  EXPECT_EQ(check(all, "192.0.2.1").result, Verdict::kTempError);
}

TEST(Spf, Limits) {
  Answers all = zone();
  std::string ten = "v=spf1", eleven;
  for (int i = 0; i < 10; ++i) ten += " a:amy.example.com";
  eleven = ten + " a:amy.example.com -all";
  EXPECT_EQ(result(ten + " -all", "192.0.2.1"), "fail");
  EXPECT_EQ(result(eleven, "192.0.2.1"), "permerror");
  EXPECT_EQ(result(eleven, "192.0.2.65"), "pass") << "what matches first counts";
  EXPECT_EQ(result("v=spf1 a:x.example.com a:y.example.com ip4:192.0.2.1 -all", "192.0.2.1"), "pass");
  EXPECT_EQ(result("v=spf1 a:x.example.com a:y.example.com a:z.example.com ip4:192.0.2.1 -all", "192.0.2.1"),
            "permerror");
  std::vector<std::string> hosts;
  for (int i = 0; i < 11; ++i) hosts.push_back("amy.example.com");
  all[{Type::kMx, "example.com"}] = found(hosts);
  EXPECT_EQ(result("v=spf1 mx -all", "192.0.2.1", all), "permerror");
  hosts.pop_back();
  all[{Type::kMx, "example.com"}] = found(hosts);
  EXPECT_EQ(result("v=spf1 mx -all", "192.0.2.1", all), "fail");
}

TEST(Spf, Macros) {
  const struct {
    const char* text;
    const char* want;
  } kCases[] = {
      {"%{s}", "strong-bad@email.example.com"},
      {"%{o}", "email.example.com"},
      {"%{d}", "email.example.com"},
      {"%{d4}", "email.example.com"},
      {"%{d3}", "email.example.com"},
      {"%{d2}", "example.com"},
      {"%{d1}", "com"},
      {"%{dr}", "com.example.email"},
      {"%{d2r}", "example.email"},
      {"%{l}", "strong-bad"},
      {"%{l-}", "strong.bad"},
      {"%{lr}", "strong-bad"},
      {"%{lr-}", "bad.strong"},
      {"%{l1r-}", "strong"},
      {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
      {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
      {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
      {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
      {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
      {"%{S}", "strong-bad%40email.example.com"},
      {"%%%_%-x.example", "% %20x.example"},
  };
  const MacroWords words{"strong-bad@email.example.com", "email.example.com", "192.0.2.3", "mail.example.net"};
  for (const auto& c : kCases) EXPECT_EQ(expand(c.text, words).value_or("?"), c.want) << c.text;
  MacroWords six = words;
  six.address = "2001:db8::cb01";
  EXPECT_EQ(expand("%{ir}.%{v}._spf.%{d2}", six).value_or("?"),
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com");
  for (const char* bad : {"%", "%x", "%{", "%{}", "%{x}", "%{s", "%{s!}", "%{0s}", "a b"})
    EXPECT_FALSE(expand(bad, words)) << bad;
}

TEST(Spf, TooLongANameLosesItsLeftEnd) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "label" + std::to_string(i) + ".";
  auto out = expand(text + "example.org", {});
  ASSERT_TRUE(out);
  EXPECT_LE(out->size(), 253u);
  EXPECT_TRUE(out->ends_with("example.org"));
}

// Whatever stands in DNS, the evaluation ends, asks nothing twice and not without bound.
RC_GTEST_PROP(Spf, Ends, ()) {
  static const std::vector<std::string> kTerms = {"a",
                                                  "mx",
                                                  "ptr",
                                                  "include:example.com",
                                                  "include:b.example",
                                                  "redirect=b.example",
                                                  "exists:%{i}.%{d}",
                                                  "ip4:192.0.2.0/24",
                                                  "-all",
                                                  "~all",
                                                  "a:%{l}.example.com",
                                                  "bad!",
                                                  "include:%{d2}",
                                                  "redirect=%{d}"};
  auto record = [] {
    std::string text = "v=spf1";
    for (const std::string& term : *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kTerms)))
      text += " " + term;
    return text;
  };
  Answers all = zone();
  all[{Type::kTxt, "example.com"}] = found({record()});
  all[{Type::kTxt, "b.example"}] = found({record()});
  Evaluation e = check(all, "192.0.2.1");
  RC_ASSERT(!e.needed);
  RC_ASSERT(e.lookups <= kMostLookups + 1);
}

// Any octets: a record or an error, and what is read reads the same again.
RC_GTEST_PROP(Spf, AnyOctets, (const std::string& text)) {
  auto record = parse_record("v=spf1 " + text);
  if (record) {
    std::string again = "v=spf1";
    for (const Directive& d : record->directives) again += " " + d.text;
    auto second = parse_record(again);
    RC_ASSERT(second.has_value());
    RC_ASSERT(second->directives.size() == record->directives.size());
  }
  (void)parse_dmarc("v=DMARC1;" + text);
}

TEST(Dmarc, Records) {
  auto d = parse_dmarc("v=DMARC1; p=quarantine; sp=reject; aspf=s; adkim=r; rua=mailto:a@example.org; x=y;;");
  ASSERT_TRUE(d);
  EXPECT_EQ(*d, (Dmarc{Policy::kQuarantine, Policy::kReject, true, false, "mailto:a@example.org"}));
  d = parse_dmarc("v = DMARC1 ;P=Reject");
  ASSERT_TRUE(d);
  EXPECT_EQ(d->policy, Policy::kReject);
  EXPECT_EQ(d->subdomains, Policy::kReject);
  EXPECT_TRUE(parse_dmarc("v=DMARC1; rua=mailto:a@example.org")) << "stands for p=none";
  for (const char* bad : {"", "v=DMARC1", "v=DMARC2; p=none", "p=none; v=DMARC1", "v=DMARC1; p=maybe", "v=spf1 -all"})
    EXPECT_FALSE(parse_dmarc(bad)) << bad;
}

TEST(Dmarc, Alignment) {
  EXPECT_TRUE(is_aligned("example.org", "example.org", true));
  EXPECT_FALSE(is_aligned("example.org", "mail.example.org", true));
  EXPECT_TRUE(is_aligned("example.org", "mail.example.org", false));
  EXPECT_TRUE(is_aligned("Mail.example.co.jp", "example.co.jp.", false));
  EXPECT_FALSE(is_aligned("a.co.jp", "b.co.jp", false));
  EXPECT_FALSE(is_aligned("example.org", "example.net", false));
  EXPECT_FALSE(is_aligned("example.org", "", false));
  EXPECT_EQ(organizational_domain("a.b.example.com"), "example.com");
  EXPECT_EQ(organizational_domain("example"), "example");
}

TEST(Record, MergedWithWhatItLacks) {
  struct {
    std::vector<std::string> records, terms;
    const char* want;
  } cases[] = {
      {{}, {"include:spf.isp.example"}, "v=spf1 include:spf.isp.example ~all"},
      {{"v=spf1 mx -all"}, {"include:a.example", "ip4:192.0.2.1"}, "v=spf1 mx include:a.example ip4:192.0.2.1 -all"},
      {{"v=spf1 mx"}, {"a"}, "v=spf1 mx a ~all"},
      {{"v=spf1 a:vps.example foo:bar -all"}, {"a"}, "v=spf1 a:vps.example a -all"},
      {{"V=SPF1 Include:A.example ?all"}, {"include:a.example"}, "v=spf1 Include:A.example ?all"},
      {{"v=spf1 mx -all", "v=spf1 a mx -all"}, {"ptr"}, "v=spf1 mx a ptr -all"},
      {{"v=spf1 mx -all", "v=spf1 a ?all"}, {}, "v=spf1 mx a ~all"},
      {{"v=spf1 redirect=x.example"}, {"a"}, "v=spf1 a redirect=x.example"},
      {{"v=spf1 redirect=x.example", "v=spf1 mx -all"}, {}, "v=spf1 mx include:x.example -all"},
      {{"v=spf1 exp=e.example redirect=x.example -all"}, {"a"}, "v=spf1 a -all exp=e.example"},
      {{"another text"}, {"a"}, "v=spf1 a ~all"},
  };
  for (const auto& c : cases) EXPECT_EQ(merged(c.records, c.terms), c.want);
}

}  // namespace
}  // namespace sidegate::spf::spf_test
