#include "deliver/port25.h"

#include <gtest/gtest.h>

namespace sidegate::deliver::port25_test {
namespace {

using Step = Port25::Step;
using State = Port25::State;

const MxHost kDane{"mail.dane.example", "198.51.100.11"}, kSts{"mail.sts.example", "198.51.100.12"},
    kPlain{"mail.plain.example", "198.51.100.13"}, kDane2{"mail2.dane.example", "198.51.100.14"};

struct Port25Test : testing::Test {
  Port25 port;
  SteadyTime now{std::chrono::hours(1000)};
  Step fails(const MxHost& host, ErrorKind kind = ErrorKind::kTimeout) { return port.failed(now, host, kind); }
  Step answers(const MxHost& host, bool starttls = true) { return port.answered(now, host, host.name, true, starttls); }
  Step answers_as(const MxHost& host, const std::string& name, bool starttls) {
    return port.answered(now, host, name, name_belongs(name, host.name, organisation_of(host)), starttls);
  }
  static std::string organisation_of(const MxHost& host) { return host.name.substr(host.name.find('.') + 1); }
  void close() {
    fails(kDane), fails(kSts), fails(kPlain);
    ASSERT_EQ(port.evidence(now, true).kind, Step::kClosed);
  }
};

TEST_F(Port25Test, ThreeUnrelatedHostsAndSomethingElseThatAnswers) {
  EXPECT_EQ(fails(kDane).kind, Step::kNone);
  EXPECT_EQ(fails(kSts, ErrorKind::kRefused).kind, Step::kNone);
  EXPECT_EQ(fails(kPlain, ErrorKind::kUnreachable).kind, Step::kAsk);
  EXPECT_EQ(fails(kPlain).kind, Step::kNone);  // somebody asks already
  EXPECT_EQ(port.state(), State::kOpen);
  const Step step = port.evidence(now, true);
  EXPECT_EQ(step.kind, Step::kClosed);
  EXPECT_EQ(step.pause, 5min);
  EXPECT_EQ(port.state(), State::kClosed);
  for (const char* part :
       {"closed here", "mail.dane.example[198.51.100.11]: no answer", "mail.sts.example[198.51.100.12]: refused"})
    EXPECT_NE(port.reason().find(part), std::string::npos) << port.reason();
}

TEST_F(Port25Test, WhenNothingAnswersTheLineIsDownAndNotThePort) {
  fails(kDane), fails(kSts), fails(kPlain);
  EXPECT_EQ(port.evidence(now, false).kind, Step::kNone);
  EXPECT_EQ(fails(kSts).kind, Step::kNone);  // not at once again
  now += 1min;
  EXPECT_EQ(fails(kSts).kind, Step::kAsk);
  EXPECT_EQ(port.evidence(now, true).kind, Step::kClosed);
}

TEST_F(Port25Test, ARelaysConnectionIsEvidenceForAWhile) {
  port.other_answered(now);
  fails(kDane), fails(kSts);
  EXPECT_EQ(fails(kPlain).kind, Step::kClosed);
  Port25 other;
  other.other_answered(now);
  now += 11min;
  other.failed(now, kDane, ErrorKind::kTimeout), other.failed(now, kSts, ErrorKind::kTimeout);
  EXPECT_EQ(other.failed(now, kPlain, ErrorKind::kTimeout).kind, Step::kAsk);
}

TEST_F(Port25Test, HostsOfOneHouseAreOneWitness) {
  EXPECT_EQ(fails(kDane).kind, Step::kNone);
  EXPECT_EQ(fails(kDane2).kind, Step::kNone);
  EXPECT_EQ(fails({"mail3.dane.example", "198.51.100.15"}).kind, Step::kNone);
  EXPECT_EQ(fails({"other.example", "198.51.100.15"}).kind, Step::kNone);  // and one address one host
  // The hosts of one large provider stand in networks that have nothing to do with each other.
  Port25 wide;
  wide.failed(now, {"mx1.big.example", "142.250.1.1"}, ErrorKind::kTimeout);
  wide.failed(now, {"mx2.big.example", "64.233.1.1"}, ErrorKind::kTimeout);
  EXPECT_EQ(wide.failed(now, {"mx3.big.example", "2404:6800::1"}, ErrorKind::kTimeout).kind, Step::kAsk);
}

TEST_F(Port25Test, OneThatAnswersSaysThatItIsOpen) {
  fails(kDane), fails(kSts);
  EXPECT_FALSE(port.ever_open());
  EXPECT_EQ(answers(kDane2).kind, Step::kNone);
  EXPECT_TRUE(port.ever_open());
  EXPECT_EQ(fails(kPlain).kind, Step::kNone);
  fails(kSts);
  EXPECT_EQ(fails(kDane).kind, Step::kAsk);
}

TEST_F(Port25Test, OldFailuresDoNotCountAndOtherTroublesNever) {
  fails(kDane), fails(kSts);
  now += 31min;
  EXPECT_EQ(fails(kPlain).kind, Step::kNone);
  for (ErrorKind kind :
       {ErrorKind::kTls, ErrorKind::kClosed, ErrorKind::kProtocol, ErrorKind::kNotFound, ErrorKind::kOverload}) {
    for (const MxHost& host : {kDane, kSts, kPlain}) EXPECT_EQ(Port25().failed(now, host, kind).kind, Step::kNone);
  }
}

TEST_F(Port25Test, LookedAtMoreAndMoreRarelyAndBackByItself) {
  close();
  const Duration pauses[] = {10min, 20min, 40min, 1h, 1h};
  Duration last = 5min;
  for (Duration pause : pauses) {
    EXPECT_EQ(fails(kSts).pause, last);  // the others that were under way: no news
    now += last;
    last = pause;
    const Step step = fails(kDane);
    EXPECT_EQ(step.kind, Step::kStill);
    EXPECT_EQ(step.pause, pause);
  }
  EXPECT_EQ(answers(kSts).kind, Step::kOpen);
  EXPECT_EQ(port.state(), State::kOpen);
  EXPECT_EQ(port.reason(), "");
  close();  // and closed again: from the first pause on
}

TEST_F(Port25Test, TheFirstPauseIsASetting) {
  port.set_first_pause(3s);
  close();
  EXPECT_EQ(fails(kSts).pause, 3s);
  now += 3s;
  EXPECT_EQ(fails(kSts).pause, 6s);
  port.set_first_pause(1h);
  EXPECT_EQ(fails(kSts).pause, 6s);  // the one under way stays
  EXPECT_EQ(answers(kSts).kind, Step::kOpen);
  now += 1h;
  close();
  EXPECT_EQ(fails(kSts).pause, 1h);
}

TEST_F(Port25Test, OneNameForHostsThatHaveNothingToDoWithEachOther) {
  // Without TLS the first is not believed at once, the second gives it away.
  EXPECT_EQ(answers_as(kDane, "filter.isp.example", false).kind, Step::kSuspect);
  const Step step = answers_as(kSts, "Filter.ISP.example", false);
  EXPECT_EQ(step.kind, Step::kImpostor);
  EXPECT_EQ(port.state(), State::kIntercepted);
  EXPECT_EQ(port.interceptor(), "filter.isp.example");
  EXPECT_NE(port.reason().find("filter.isp.example answers in place of mail.dane.example"), std::string::npos)
      << port.reason();
  EXPECT_EQ(answers_as(kPlain, "filter.isp.example", false).kind, Step::kStill);
  EXPECT_EQ(fails(kPlain).kind, Step::kStill);
  EXPECT_EQ(answers(kPlain, false).kind, Step::kOpen);
}

TEST_F(Port25Test, WithTlsThreeAreNeeded) {
  EXPECT_EQ(answers_as(kDane, "mx.hoster.example", true).kind, Step::kNone);
  EXPECT_EQ(answers_as(kSts, "mx.hoster.example", true).kind, Step::kNone);
  EXPECT_EQ(answers_as(kPlain, "mx.hoster.example", true).kind, Step::kImpostor);
}

TEST_F(Port25Test, AnOddNameAloneIsCommon) {
  EXPECT_EQ(answers_as(kDane, "server123.hoster.example", false).kind, Step::kSuspect);
  EXPECT_EQ(answers_as(kDane, "server123.hoster.example", false).kind, Step::kSuspect);
  now += 30s;
  EXPECT_EQ(answers_as(kDane, "server123.hoster.example", false).kind, Step::kNone);
  EXPECT_EQ(answers_as(kSts, "box9.elsewhere.example", false).kind, Step::kSuspect);
  EXPECT_EQ(port.state(), State::kOpen);
}

TEST_F(Port25Test, StartTlsThatWasThereBefore) {
  EXPECT_EQ(answers(kDane).kind, Step::kNone);
  EXPECT_EQ(answers(kDane, false).kind, Step::kSuspect);
  EXPECT_EQ(answers(kPlain, false).kind, Step::kNone);  // never had it
  now += 1h;
  EXPECT_EQ(answers(kDane, false).kind, Step::kNone);  // it stays so: its own decision
  EXPECT_EQ(answers(kSts).kind, Step::kNone);
  EXPECT_EQ(answers(kDane2).kind, Step::kNone);
  EXPECT_EQ(answers(kSts, false).kind, Step::kSuspect);
  EXPECT_EQ(answers(kDane2, false).kind, Step::kImpostor);  // nobody's own
  EXPECT_NE(port.reason().find("STARTTLS"), std::string::npos);
  EXPECT_EQ(answers(kSts).kind, Step::kOpen);
}

TEST_F(Port25Test, StartTlsThatIsPublishedToBeThere) {
  // Never seen before: one host may be broken, two of different houses are not at one time.
  EXPECT_EQ(port.promise_broken(now, kDane).kind, Step::kSuspect);
  EXPECT_EQ(port.promise_broken(now, kDane2).kind, Step::kSuspect);
  EXPECT_EQ(port.state(), State::kOpen);
  EXPECT_EQ(port.promise_broken(now, kSts).kind, Step::kImpostor);
  EXPECT_EQ(port.state(), State::kIntercepted);
  EXPECT_NE(port.reason().find("mail2.dane.example and mail.sts.example are known to offer STARTTLS"),
            std::string::npos)
      << port.reason();
  EXPECT_EQ(port.promise_broken(now, kSts).kind, Step::kStill);
  EXPECT_EQ(answers(kDane).kind, Step::kOpen);
  // With TLS again, what was seen is forgotten; and a day later it is anyway.
  EXPECT_EQ(port.promise_broken(now, kSts).kind, Step::kSuspect);
  now += 25h;
  EXPECT_EQ(port.promise_broken(now, kDane).kind, Step::kSuspect);
}

TEST(Port25Names, WhatBelongsTogether) {
  EXPECT_TRUE(name_belongs("gw1.example.org", "mx.example.org", "customer.example"));
  EXPECT_TRUE(name_belongs("mail.customer.example", "mx.hoster.example", "customer.example"));
  EXPECT_FALSE(name_belongs("filter.isp.example", "mx.example.org", "customer.example"));
  EXPECT_FALSE(name_belongs("", "mx.example.org", "customer.example"));
}

}  // namespace
}  // namespace sidegate::deliver::port25_test
