#include "deliver/guise.h"

#include <gtest/gtest.h>

#include "deliver/test_house.h"
#include "rewrite/srs.h"

namespace sidegate::deliver {
namespace {

const WallTime kNow{std::chrono::seconds(1'763'770'000)};

DeliverSettings settings_with(ForwardSender rule) {
  DeliverSettings settings;
  settings.hostname = "gate.example";
  settings.forward_sender = rule;
  settings.srs = {"gate.example", {"0123456789abcdef"}, {}};
  return settings;
}

TEST(Guise, Senders) {
  struct {
    const char* why;
    const char *reverse_path, *return_path;
    bool forwarded;
    Identity identity;
    const char* address;
    ForwardSender rule;
    const char* expected;  // "srs": an address of ours that leads back
  } cases[] = {
      {"as it is", "a@x", "", false, Identity::kKeep, "me@isp", ForwardSender::kSrs, "a@x"},
      {"the account", "a@x", "", false, Identity::kAccount, "me@isp", ForwardSender::kSrs, "me@isp"},
      {"a null one stays", "", "", false, Identity::kAccount, "me@isp", ForwardSender::kSrs, ""},
      {"a null one stays, whatever the alias says", "", "owner@gate", true, Identity::kKeep, "", ForwardSender::kSrs,
       ""},
      {"owner", "a@x", "owner@gate", false, Identity::kKeep, "", ForwardSender::kSrs, "owner@gate"},
      {"owner leads back by itself", "a@x", "owner@gate", true, Identity::kKeep, "", ForwardSender::kSrs, "owner@gate"},
      {"forwarded", "a@x", "", true, Identity::kKeep, "", ForwardSender::kSrs, "srs"},
      {"forwarded, kept", "a@x", "", true, Identity::kKeep, "me@isp", ForwardSender::kKeep, "a@x"},
      {"forwarded by the account", "a@x", "", true, Identity::kKeep, "me@isp", ForwardSender::kAccount, "me@isp"},
      {"without an account", "a@x", "", true, Identity::kKeep, "", ForwardSender::kAccount, "srs"},
      {"a strict way first", "a@x", "owner@gate", true, Identity::kAccount, "me@isp", ForwardSender::kSrs, "me@isp"},
  };
  for (const auto& c : cases) {
    RelaySettings way;
    way.identity = c.identity;
    way.address = c.address;
    mail::Envelope envelope;
    envelope.reverse_path = c.reverse_path;
    mail::Recipient recipient;
    recipient.address = "r@elsewhere";
    recipient.return_path = c.return_path;
    recipient.forwarded = c.forwarded;
    DeliverSettings settings = settings_with(c.rule);
    std::string sender = sender_for(way, settings, envelope, recipient, kNow);
    if (std::string_view(c.expected) == "srs") {
      EXPECT_EQ(rewrite::srs_reverse(settings.srs, sender, kNow).value_or("?"), c.reverse_path) << c.why << sender;
    } else {
      EXPECT_EQ(sender, c.expected) << c.why;
    }
  }
}

TEST(Guise, NothingIsCopiedWhereNothingChanges) {
  queue::Content content{std::make_shared<queue::Message>(), std::make_shared<const std::string>("From: a@x\r\n"),
                         nullptr};
  Guise guise(content, {}, settings_with(ForwardSender::kSrs), kNow);
  EXPECT_EQ(guise.content().header.get(), content.header.get());
  EXPECT_FALSE(guise.is_wrapped() || guise.from_unread() || guise.breaks_signature());
}

// --- Through the courier

void strict(RelaySettings& relay) {
  relay.identity = Identity::kAccount;
  relay.address = "me@isp.example";
}

const char* kFrom = "From: Ann <ann@home.example>\r\nSubject: x\r\n";

TEST(Identity, TheAccountsAddressAndTheRightSize) {
  House house(Answers{}, strict);
  auto id = house.add({"a@x.example"}, {}, long_body(3000), Duration(0), kFrom);
  house.settle();
  EXPECT_TRUE(house.gone(id));
  ASSERT_EQ(house.relay().carried.size(), 1u);
  const auto& carried = house.relay().carried[0];
  EXPECT_EQ(carried.content,
            "From: Ann <me@isp.example>\r\nX-Original-From: Ann <ann@home.example>\r\nReply-To: Ann "
            "<ann@home.example>\r\nSubject: x\r\n" +
                long_body(3000));
  EXPECT_EQ(carried.mail, "MAIL FROM:<me@isp.example> SIZE=" + std::to_string(carried.content.size()));
}

TEST(Identity, ANullSenderStaysNull) {
  House house(Answers{}, strict);
  house.add({"a@x.example"}, [](queue::Message& m) { m.envelope.reverse_path.clear(); }, "\r\n", Duration(0), kFrom);
  house.settle();
  ASSERT_EQ(house.relay().carried.size(), 1u);
  EXPECT_TRUE(house.relay().carried[0].mail.starts_with("MAIL FROM:<> "));
  EXPECT_TRUE(house.relay().carried[0].content.starts_with("From: Ann <me@isp.example>\r\n"));
}

TEST(Identity, AnotherWayBeginsAnewFromTheOriginal) {
  House house(std::vector<Answers>{{{"RCPT", "550 5.7.1 relay access denied"}}, {}}, [](RelaySettings& relay) {
    if (relay.name == "relay0") strict(relay);
  });
  house.add({"a@x.example"}, {}, "\r\n", Duration(0), kFrom);
  house.run_until([&] { return house.relay(1).carried.size() == 1; });
  EXPECT_TRUE(house.relay(0).said("MAIL FROM:<me@isp.example>"));
  EXPECT_TRUE(house.relay(1).carried[0].mail.starts_with("MAIL FROM:<me@home.example>"));
  EXPECT_EQ(house.relay(1).carried[0].content, std::string(kFrom) + "\r\n");
}

TEST(Identity, AFromThatCannotBeReadIsSaid) {
  House house(Answers{}, strict);
  house.add({"a@x.example"}, {}, "\r\n", Duration(0), "DKIM-Signature: v=1\r\nFrom: a b c\r\n");
  house.settle();
  ASSERT_EQ(house.relay().carried.size(), 1u);
  EXPECT_EQ(house.relay().carried[0].content,
            "DKIM-Signature: v=1\r\nFrom: me@isp.example\r\nX-Original-From: a b c\r\n\r\n");
  std::string log = house.log_text();
  EXPECT_EQ(House::count(log, "from_replaced"), 1);
  EXPECT_EQ(House::count(log, "signature_broken"), 1);
}

TEST(Forwarding, EachSenderIsATransactionOfItsOwn) {
  House house;
  house.settings.srs = {"gate.example", {"0123456789abcdef"}, {}};
  house.apply();
  auto id = house.add({"a@x.example", "b@x.example", "c@x.example", "d@x.example"}, [](queue::Message& m) {
    m.envelope.recipients[1].forwarded = true;
    m.envelope.recipients[2].return_path = "owner-list@gate.example";
    m.envelope.recipients[3].forwarded = true;
  });
  house.settle();
  EXPECT_TRUE(house.gone(id));
  ASSERT_EQ(house.relay().carried.size(), 3u);
  EXPECT_EQ(house.relay().connections, 1u);
  EXPECT_TRUE(house.relay().carried[0].mail.starts_with("MAIL FROM:<me@home.example>"));
  EXPECT_EQ(house.relay().carried[0].rcpt, (std::vector<std::string>{"RCPT TO:<a@x.example>"}));
  EXPECT_TRUE(house.relay().carried[1].mail.starts_with("MAIL FROM:<SRS0="));
  EXPECT_EQ(house.relay().carried[1].rcpt,
            (std::vector<std::string>{"RCPT TO:<b@x.example>", "RCPT TO:<d@x.example>"}));
  EXPECT_TRUE(house.relay().carried[2].mail.starts_with("MAIL FROM:<owner-list@gate.example>"));
}

TEST(Forwarding, ARefusedSenderStopsItsOwnRecipientsOnly) {
  House house(Answers{{"MAIL FROM:<me@home", "550 5.1.8 bad sender domain"}});
  house.add({"a@x.example", "b@x.example"},
            [](queue::Message& m) { m.envelope.recipients[1].return_path = "owner@gate.example"; });
  house.run_until([&] { return !house.relay().carried.empty(); });
  EXPECT_EQ(house.relay().carried[0].rcpt, (std::vector<std::string>{"RCPT TO:<b@x.example>"}));
}

TEST(Forwarding, ReportsGoToEachReturnPath) {
  House house(
      Answers{{"RCPT", "550 5.1.1 no such user"}, {"RCPT TO:<me@home", "450 later"}, {"RCPT TO:<owner@", "450 later"}});
  house.add({"a@x.example", "b@x.example"},
            [](queue::Message& m) { m.envelope.recipients[1].return_path = "owner@gate.example"; });
  house.run_until([&] { return house.reports().size() == 2; });
  auto reports = house.reports();
  EXPECT_EQ(reports[0].message.envelope.recipients[0].address, "me@home.example");
  EXPECT_EQ(reports[1].message.envelope.recipients[0].address, "owner@gate.example");
  EXPECT_NE(house.report_text(reports[0]).find("a@x.example"), std::string::npos);
  EXPECT_EQ(house.report_text(reports[0]).find("Final-Recipient: rfc822;b@x.example"), std::string::npos);
  EXPECT_NE(house.report_text(reports[1]).find("Final-Recipient: rfc822;b@x.example"), std::string::npos);
}

// --- A relay that takes nothing from <>

void null_sender(queue::Message& m) {
  m.envelope.reverse_path.clear();
  m.is_report = true;
}
const char* kReportHeader =
    "From: Mail Delivery System <MAILER-DAEMON@client.example>\r\nAuto-Submitted: auto-replied\r\n";
const char* kYandex = "553 5.7.1 Sender address rejected: not owned by auth user.";

void expect_wrapped(const Carried& carried, const std::string& sender) {
  EXPECT_TRUE(carried.mail.starts_with("MAIL FROM:<" + sender + "> SIZE=" + std::to_string(carried.content.size())))
      << carried.mail;
  EXPECT_TRUE(carried.content.starts_with("From: Mail Delivery System <" + sender + ">\r\n")) << carried.content;
  EXPECT_NE(carried.content.find("X-Loop: wrapped-report@client.example\r\n\r\nHello\r\n.dot\r\n"), std::string::npos);
}

TEST(NullSender, RefusedAtEachStepIsWrappedInTheSameAttempt) {
  for (const char* key : {"MAIL FROM:<>", "RCPT", "."}) {
    SCOPED_TRACE(key);
    House house(Answers{{key, kYandex}}, [](RelaySettings& relay) { relay.address = "me@isp.example"; });
    house.add({"a@x.example"}, null_sender, "\r\nHello\r\n.dot\r\n", Duration(0), kReportHeader);
    if (std::string_view(key) != "MAIL FROM:<>") {
      house.run_until([&] { return house.relay().said("MAIL FROM:<me@isp"); });
      continue;  // the table refuses the second one too
    }
    house.settle();
    ASSERT_EQ(house.relay().carried.size(), 1u);
    expect_wrapped(house.relay().carried[0], "me@isp.example");
    EXPECT_EQ(house.relay().connections, 1u);
    house.add({"b@x.example"}, null_sender, "\r\nHello\r\n.dot\r\n", Duration(0), kReportHeader);
    house.settle();
    ASSERT_EQ(house.relay().carried.size(), 2u);
    EXPECT_EQ(std::ranges::count_if(house.relay().lines, [](auto& l) { return l.starts_with("MAIL FROM:<>"); }), 1);
    std::string log = house.log_text();
    EXPECT_EQ(House::count(log, "null_sender_refused"), 1);
    EXPECT_EQ(House::count(log, "report_wrapped"), 2);
  }
}

TEST(NullSender, FromThePostmasterWhereTheRelayHasNoAddress) {
  House house(Answers{{"MAIL FROM:<>", "501 5.1.7 Bad sender address syntax"}});
  house.settings.postmaster = "pm@home.example";
  house.apply();
  house.add({"a@x.example"}, null_sender, "\r\nHello\r\n.dot\r\n", Duration(0), kReportHeader);
  house.settle();
  ASSERT_EQ(house.relay().carried.size(), 1u);
  expect_wrapped(house.relay().carried[0], "pm@home.example");
}

TEST(NullSender, ByTheNextWayThatTakesIt) {
  House house(std::vector<Answers>{{{"MAIL FROM:<>", kYandex}}, {}});
  auto id = house.add({"a@x.example"}, null_sender, "\r\n", Duration(0), kReportHeader);
  house.run_until([&] { return house.gone(id); });
  ASSERT_EQ(house.relay(1).carried.size(), 1u);
  EXPECT_TRUE(house.relay(1).carried[0].mail.starts_with("MAIL FROM:<>"));
  EXPECT_TRUE(house.relay(0).carried.empty());
}

TEST(NullSender, NeverWrappedTwice) {
  for (bool in_body : {false, true}) {
    House house(Answers{{"MAIL FROM:<>", kYandex}});
    std::string header = kReportHeader, body = "\r\nHello\r\n";
    (in_body ? body : header) += "X-Loop: wrapped-report@client.example\r\n";
    auto id = house.add({"a@x.example"}, null_sender, body, Duration(0), header);
    house.settle();
    EXPECT_TRUE(house.relay().carried.empty());
    EXPECT_FALSE(house.gone(id));  // no postmaster: kept as a dead letter
    EXPECT_EQ(House::count(house.log_text(), "status=held"), 1);
  }
}

TEST(NullSender, AWrappedOneThatIsRefusedGoesToThePostmasterAndEndsThere) {
  House house(Answers{{"MAIL FROM:<>", kYandex}, {"RCPT TO:<a@", "550 5.1.1 no such user"}});
  house.settings.postmaster = "pm@home.example";
  house.apply();
  house.add({"a@x.example"}, null_sender, "\r\nHello\r\n.dot\r\n", Duration(0), kReportHeader);
  house.run_until([&] { return !house.relay().carried.empty(); });
  EXPECT_EQ(house.relay().carried[0].rcpt, (std::vector<std::string>{"RCPT TO:<pm@home.example>"}));
  EXPECT_NE(house.relay().carried[0].content.find("a@x.example"), std::string::npos);
}

TEST(NullSender, ARefusalThatEndsTheConnectionDefers) {
  House house(Answers{{"MAIL FROM:<>", std::string(kYandex) + "CUT"}});
  auto id = house.add({"a@x.example"}, null_sender);
  house.settle();
  EXPECT_FALSE(house.gone(id));
  EXPECT_EQ(House::count(house.log_text(), "status=bounced"), 0);
}

TEST(NullSender, WhatIsNoSuchRefusal) {
  struct {
    smtp::Phase phase;
    int code;
    const char* text;
    bool refuses;
  } cases[] = {
      {smtp::Phase::kMail, 550, "Sender rejected", true},
      {smtp::Phase::kMail, 501, "Syntax error in parameters", true},
      {smtp::Phase::kMail, 554, "Null sender is not allowed", true},
      {smtp::Phase::kMail, 450, "Sender rejected", false},
      {smtp::Phase::kMail, 503, "Bad sequence", false},
      {smtp::Phase::kMail, 530, "Authentication required", false},
      {smtp::Phase::kMail, 550, "Daily sending quota exceeded", false},
      {smtp::Phase::kMail, 552, "Message size exceeds fixed limit", false},
      {smtp::Phase::kRcpt, 550, "No such user", false},
      {smtp::Phase::kRcpt, 553, "Sender address rejected: not owned by user me", true},
      {smtp::Phase::kFinal, 550, "Client does not have permissions to send as this sender", true},
      {smtp::Phase::kFinal, 550, "Looks like spam", false},
  };
  for (const auto& c : cases) {
    mail::Reply reply(c.code, c.text);
    Event event{.phase = c.phase, .reply = &reply};
    EXPECT_EQ(refuses_null_sender(RelaySettings(), event), c.refuses) << c.code << " " << c.text;
  }
}

TEST(NullSender, IsAskedAgainTheNextDay) {
  NullSender learnt;
  SteadyTime now{std::chrono::hours(100)};
  EXPECT_FALSE(learnt.refused(now));
  EXPECT_TRUE(learnt.learn(now));
  EXPECT_FALSE(learnt.learn(now + std::chrono::hours(1)));
  EXPECT_TRUE(learnt.refused(now + std::chrono::hours(24)));
  EXPECT_FALSE(learnt.refused(now + std::chrono::hours(26)));
}

}  // namespace
}  // namespace sidegate::deliver
