#include "deliver/outcome.h"

#include <gtest/gtest.h>

#include "deliver/reply_rules.h"

namespace sidegate::deliver::outcome_test {
namespace {

using smtp::Phase;

struct Case {
  Phase phase;
  int code;
  const char* status;
  const char* text;
  bool authenticated;
  Scope scope;
  Action action;
  const char* meaning;
};

class Replies : public testing::TestWithParam<Case> {};

TEST_P(Replies, AreJudged) {
  const Case& c = GetParam();
  mail::Reply reply(c.code, c.text);
  reply.status = mail::EnhancedCode::parse(c.status);
  Verdict v =
      judge(RelaySettings{}, Event{.phase = c.phase, .reply = &reply, .authenticated = c.authenticated, .tls = true});
  EXPECT_STREQ(name(v.scope), name(c.scope)) << c.text;
  EXPECT_STREQ(name(v.action), name(c.action)) << c.text;
  EXPECT_EQ(v.meaning, c.meaning) << c.text;
  // What is tried again never carries a class 5 status into a log line or a report.
  if (v.action != Action::kFail && !(v.action == Action::kNextWay && v.otherwise == Action::kFail))
    EXPECT_NE(v.status.cls, 5) << c.text;
}

constexpr bool kIn = true, kOut = false;

INSTANTIATE_TEST_SUITE_P(
    Table, Replies,
    testing::Values(
        Case{Phase::kFinal, 250, "2.0.0", "ok", kIn, Scope::kMessage, Action::kDelivered, "delivered"},
        Case{Phase::kRcpt, 550, "5.1.1", "no such user", kIn, Scope::kRecipient, Action::kFail, "user-unknown"},
        Case{Phase::kRcpt, 450, "4.2.0", "busy", kIn, Scope::kRecipient, Action::kDefer, "temporary-remote"},
        Case{Phase::kRcpt, 599, "", "hm", kIn, Scope::kRecipient, Action::kFail, "permanent-remote"},
        Case{Phase::kRcpt, 499, "", "hm", kIn, Scope::kRecipient, Action::kDefer, "temporary-remote"},
        Case{Phase::kFinal, 554, "5.7.1", "spam", kIn, Scope::kMessage, Action::kFail, "content-rejected"},
        Case{Phase::kData, 554, "", "hm", kIn, Scope::kMessage, Action::kFail, "permanent-remote"},
        Case{Phase::kData, 451, "", "hm", kIn, Scope::kMessage, Action::kDefer, "temporary-remote"},
        Case{Phase::kRcpt, 421, "", "shutting down", kIn, Scope::kWay, Action::kHoldWay, "temporary-remote"},
        Case{Phase::kGreeting, 554, "", "no", kOut, Scope::kWay, Action::kHoldWay, "permanent-remote"},
        Case{Phase::kEhlo, 550, "", "no", kOut, Scope::kWay, Action::kHoldWay, "permanent-remote"},
        Case{Phase::kStartTls, 454, "", "TLS not available", kOut, Scope::kWay, Action::kHoldWay, "tls-not-offered"},
        Case{Phase::kAuth, 535, "5.7.8", "bad credentials", kOut, Scope::kAccount, Action::kHoldWay,
             "auth-bad-credentials"},
        Case{Phase::kAuth, 454, "4.7.0", "later", kOut, Scope::kAccount, Action::kHoldWay, "auth-throttled"},
        Case{Phase::kRcpt, 550, "5.4.5", "Daily user sending quota exceeded.", kIn, Scope::kAccount, Action::kHoldWay,
             "quota-exceeded"},
        Case{Phase::kMail, 454, "", "Throttling failure: Maximum sending rate exceeded.", kIn, Scope::kAccount,
             Action::kHoldWay, "rate-limited"},
        Case{Phase::kMail, 530, "5.7.0", "Authentication required", kOut, Scope::kAccount, Action::kHoldWay,
             "auth-required"},
        Case{Phase::kRcpt, 530, "5.7.0", "Authentication required", kIn, Scope::kRecipient, Action::kDefer,
             "auth-required"},
        Case{Phase::kRcpt, 554, "5.7.1", "<a@b>: Relay access denied", kIn, Scope::kRecipient, Action::kNextWay,
             "relay-denied"},
        Case{Phase::kFinal, 550, "5.7.60", "SMTP; Client does not have permissions to send as this sender", kIn,
             Scope::kMessage, Action::kNextWay, "sender-not-allowed"},
        Case{Phase::kMail, 552, "5.3.4", "Message size exceeds fixed limit", kIn, Scope::kMessage, Action::kNextWay,
             "message-too-big"},
        Case{Phase::kFinal, 452, "4.3.4", "Message too big for system", kIn, Scope::kMessage, Action::kNextWay,
             "message-too-big"},
        Case{Phase::kRcpt, 452, "4.5.3", "Too many recipients", kIn, Scope::kRecipient, Action::kDefer,
             "too-many-recipients"},
        Case{Phase::kRcpt, 552, "5.5.3", "Too many recipients", kIn, Scope::kRecipient, Action::kDefer,
             "too-many-recipients"},
        Case{Phase::kRcpt, 503, "5.5.1", "bad sequence", kIn, Scope::kRecipient, Action::kDefer, "protocol-error"},
        Case{Phase::kRcpt, 550, "", "mailbox unavailable. Try again later", kIn, Scope::kRecipient, Action::kDefer,
             "rate-limited"}));

struct ErrorCase {
  Phase phase;
  ErrorKind kind;
  Scope scope;
  Action action;
  const char* meaning;
};

TEST(Errors, AreTheWaysTroubleAndNeverTheMessages) {
  for (const ErrorCase& c :
       {ErrorCase{Phase::kResolve, ErrorKind::kNotFound, Scope::kWay, Action::kHoldWay, "host-not-found"},
        ErrorCase{Phase::kResolve, ErrorKind::kTimeout, Scope::kWay, Action::kHoldWay, "dns-failed"},
        ErrorCase{Phase::kConnect, ErrorKind::kRefused, Scope::kWay, Action::kHoldWay, "connect-failed"},
        ErrorCase{Phase::kConnect, ErrorKind::kBadInput, Scope::kWay, Action::kHoldWay, "source-address"},
        ErrorCase{Phase::kGreeting, ErrorKind::kTimeout, Scope::kWay, Action::kHoldWay, "timeout"},
        ErrorCase{Phase::kGreeting, ErrorKind::kClosed, Scope::kWay, Action::kHoldWay, "connection-lost"},
        ErrorCase{Phase::kStartTls, ErrorKind::kTls, Scope::kWay, Action::kHoldWay, "tls-not-offered"},
        ErrorCase{Phase::kTls, ErrorKind::kTls, Scope::kWay, Action::kHoldWay, "tls-failed"},
        ErrorCase{Phase::kAuth, ErrorKind::kAuth, Scope::kAccount, Action::kHoldWay, "auth-not-possible"},
        ErrorCase{Phase::kMail, ErrorKind::kClosed, Scope::kWay, Action::kHoldWay, "connection-lost"},
        ErrorCase{Phase::kRcpt, ErrorKind::kProtocol, Scope::kWay, Action::kHoldWay, "protocol-broken"},
        ErrorCase{Phase::kContent, ErrorKind::kStorage, Scope::kMessage, Action::kDefer, "our-trouble"}}) {
    Error error{c.kind, "x"};
    Verdict v = judge(RelaySettings{}, Event{.phase = c.phase, .error = &error});
    EXPECT_EQ(v.scope, c.scope) << c.meaning;
    EXPECT_EQ(v.action, c.action) << c.meaning;
    EXPECT_EQ(v.meaning, c.meaning);
    EXPECT_EQ(v.status.cls, 4) << c.meaning;
    EXPECT_EQ(v.explanation.find("465"), std::string_view::npos) << v.explanation;  // said where it was tried
    EXPECT_EQ(v.explanation.find("tls_fingerprints") != std::string_view::npos, v.meaning == "tls-failed");
    EXPECT_FALSE(v.explanation.empty());
  }
}

TEST(Errors, OfAnMxHostSpeakOfNoRelay) {
  RelaySettings direct, relay;
  direct.protocol = Protocol::kDirect;
  using enum ErrorKind;
  for (Phase phase : {Phase::kResolve, Phase::kConnect, Phase::kGreeting, Phase::kEhlo, Phase::kStartTls, Phase::kTls,
                      Phase::kMail, Phase::kRcpt, Phase::kContent, Phase::kFinal}) {
    for (ErrorKind kind : {kNotFound, kRefused, kTimeout, kClosed, kTls, kProtocol, kTooLarge}) {
      Error error{kind, "x"};
      const Event event{.phase = phase, .error = &error};
      const Verdict there = judge(direct, event), same = judge(relay, event);
      EXPECT_EQ(there.explanation.find("relay"), std::string_view::npos) << there.explanation;
      EXPECT_EQ(there.meaning, same.meaning);
      EXPECT_EQ(there.action, same.action);
    }
  }
  Error ours{kBadInput, "x"};
  const Event event{.phase = Phase::kConnect, .error = &ours};
  EXPECT_NE(judge(direct, event).explanation.find("source_address"), std::string_view::npos);
}

TEST(Uncertain, DefersTheMessageAndSaysSo) {
  Error error{ErrorKind::kClosed, "cut"};
  Verdict v = judge(RelaySettings{}, Event{.phase = Phase::kFinal, .error = &error, .uncertain = true});
  EXPECT_EQ(v.action, Action::kDefer);
  EXPECT_EQ(v.scope, Scope::kMessage);
  EXPECT_TRUE(v.uncertain);
}

// Promise 4, for every way in which a reply may come: nothing of ours, and nothing temporary, ever fails a recipient.
TEST(Every4yz, NeverFails) {
  for (int code = 400; code < 500; ++code) {
    for (auto phase :
         {Phase::kGreeting, Phase::kEhlo, Phase::kAuth, Phase::kMail, Phase::kRcpt, Phase::kData, Phase::kFinal}) {
      mail::Reply reply(code, "mailbox full, user unknown, virus, spam, 8-bit, relay denied");
      Verdict v = judge(RelaySettings{}, Event{.phase = phase, .reply = &reply});
      EXPECT_TRUE(v.action != Action::kFail && !(v.action == Action::kNextWay && v.otherwise == Action::kFail)) << code;
    }
  }
}

// What means "later" waits, whatever its code says.
TEST(Later, IsNoFailureWith5yzEither) {
  struct {
    int code;
    const char* text;
    const char* meaning;
  } cases[] = {
      {550, "Greylisted, come back in 10 minutes", "greylisted"},
      {552, "Insufficient system storage", "temporary-remote"},
      {554, "cox too many sessions from 192.0.2.1", "too-many-connections"},
      {550, "You have exceeded the hourly limit", "rate-limited"},
      {554, "STOREDRV.Submission.Exception:SubmissionQuotaExceededException", "quota-exceeded"},
      {550, "Service refused, please try later", "rate-limited"},
  };
  for (const auto& c : cases) {
    for (auto phase : {Phase::kMail, Phase::kRcpt, Phase::kData, Phase::kFinal}) {
      mail::Reply reply(c.code, c.text);
      const Verdict v = judge(RelaySettings{}, Event{.phase = phase, .reply = &reply, .authenticated = true});
      EXPECT_EQ(v.meaning, c.meaning) << c.text;
      EXPECT_TRUE(v.action == Action::kDefer || v.action == Action::kHoldWay) << c.text;
      EXPECT_EQ(v.status.cls, 4) << c.text;
    }
  }
}

TEST(OwnRules, SayWhatARepliesMeans) {
  RelaySettings way;
  way.name = "isp";
  way.host = "smtp.gmail.com";
  const std::vector<ReplyRule> blocks = {
      {.ways = {"ISP"},
       .provider = "",
       .stages = {"rcpt"},
       .code = "450",
       .status = "",
       .text = "unknown",
       .meaning = "user-unknown"},
      {.ways = {"other"}, .provider = "", .stages = {}, .code = "5", .status = "", .text = "", .meaning = "greylisted"},
      {.ways = {},
       .provider = "gmail",
       .stages = {},
       .code = "552",
       .status = "",
       .text = "",
       .meaning = "mailbox-full"},
  };
  give_replies(way, blocks);
  const auto verdict = [&](Phase phase, int code, const char* text) {
    mail::Reply reply(code, text);
    return judge(way, Event{.phase = phase, .reply = &reply, .authenticated = true});
  };
  EXPECT_EQ(verdict(Phase::kRcpt, 450, "unknown here").action, Action::kFail);  // the operator says that it is for good
  EXPECT_EQ(verdict(Phase::kRcpt, 450, "unknown here").status.cls, 5);
  EXPECT_EQ(verdict(Phase::kMail, 450, "unknown here").action, Action::kDefer);
  EXPECT_EQ(verdict(Phase::kRcpt, 550, "5.1.1 user unknown").action, Action::kFail);
  EXPECT_EQ(verdict(Phase::kFinal, 552, "x").action, Action::kDefer);  // built in: too big, for ever
  mail::Reply reply(552, "x");
  EXPECT_EQ(rule_for(way, Event{.phase = Phase::kFinal, .reply = &reply}).from, "[[reply]] 3");
}

TEST(BeforeMail, NothingFails) {
  for (int code = 500; code < 600; ++code) {
    for (auto phase : {Phase::kGreeting, Phase::kEhlo, Phase::kStartTls, Phase::kAuth}) {
      mail::Reply reply(code, "no");
      EXPECT_EQ(judge(RelaySettings{}, Event{.phase = phase, .reply = &reply}).action, Action::kHoldWay) << code;
    }
  }
}

}  // namespace
}  // namespace sidegate::deliver::outcome_test
