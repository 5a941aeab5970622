#include "deliver/guise.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "deliver/sender_story.h"
#include "deliver/test_house.h"
#include "rewrite/srs.h"

namespace sidegate::deliver::guise_test {
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

std::shared_ptr<const rewrite::Outgoing> home_rules() {
  rewrite::Outgoing rules;
  rules.own = {"nas.home.example", {"localhost"}, "+"};
  rules.masquerade.domains = {"home.example"};
  rules.generic = rewrite::AddressMap({{"root@home.example", "me@isp.example"}});
  return std::make_shared<const rewrite::Outgoing>(std::move(rules));
}

queue::Content content_of(const char* sender, const char* header) {
  auto message = std::make_shared<queue::Message>();
  message->envelope.reverse_path = sender;
  message->envelope.recipients.emplace_back().address = "ann@pc.home.example";
  message->envelope.recipients.emplace_back().address = "root@home.example";
  return {message, std::make_shared<const std::string>(header), nullptr};
}

TEST(Guise, RulesThenIdentity) {
  DeliverSettings settings = settings_with(ForwardSender::kSrs);
  settings.rewrite = home_rules();
  RelaySettings way;
  queue::Content content =
      content_of("root@nas.home.example", "From: R <root@nas.home.example>\r\nTo: ann@pc.home.example\r\n");
  Guise guise(content, way, settings, kNow);
  EXPECT_EQ(guise.sender(0), "me@isp.example");
  EXPECT_EQ(guise.recipient(0), "");  // hosts of recipients stay
  EXPECT_EQ(guise.recipient(1), "me@isp.example");
  EXPECT_EQ(*guise.content().header, "From: R <me@isp.example>\r\nTo: ann@home.example\r\n");

  way.rewrite = std::make_shared<const rewrite::Outgoing>();  // of its own: none
  EXPECT_EQ(Guise(content, way, settings, kNow).sender(0), "root@nas.home.example");
  way.rewrite = nullptr;
  way.protocol = Protocol::kLmtp;
  EXPECT_EQ(Guise(content, way, settings, kNow).content().header.get(), content.header.get());

  way.protocol = Protocol::kSmtp;
  way.identity = Identity::kAllowed;
  way.address = "account@isp.example";
  way.allowed = {"me@isp.example"};
  EXPECT_EQ(Guise(content, way, settings, kNow).sender(0), "me@isp.example");
  EXPECT_EQ(*Guise(content, way, settings, kNow).content().header,
            "From: R <me@isp.example>\r\nTo: ann@home.example\r\n");
  queue::Content other = content_of("bob@nas.home.example", "From: bob@nas.home.example\r\n");
  EXPECT_EQ(Guise(other, way, settings, kNow).sender(0), "account@isp.example");
  EXPECT_EQ(*Guise(other, way, settings, kNow).content().header,
            "From: bob <account@isp.example>\r\nX-Original-From: bob@home.example\r\nReply-To: bob@home.example\r\n");
  way.allowed = {"@home.example"};
  EXPECT_EQ(*Guise(other, way, settings, kNow).content().header, "From: bob@home.example\r\n");
  queue::Content report = content_of("", "From: MAILER-DAEMON@nas.home.example\r\n");
  EXPECT_TRUE(Guise(report, way, settings, kNow).is_null());
}

TEST(Guise, ASignatureIsBrokenOnlyByWhatItSigns) {
  DeliverSettings settings = settings_with(ForwardSender::kSrs);
  settings.rewrite = home_rules();
  for (const auto& [list, broken] : {std::pair("From:Subject", false), std::pair("From:To", true)}) {
    std::string header =
        fmt::format("DKIM-Signature: v=1; h={}; b=x\r\nFrom: x@y.example\r\nTo: ann@pc.home.example\r\n", list);
    EXPECT_EQ(Guise(content_of("x@y.example", header.c_str()), {}, settings, kNow).breaks_signature(), broken) << list;
  }
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

TEST(Identity, AHeaderThatBreaksOffIsEnded) {
  struct {
    const char *body, *between;
  } cases[] = {{"garbage\r\nTo: b@x.example\r\n\r\nHello\r\n", "\r\n"},
               {"\r\ngarbage\r\n", ""},
               {"", ""},
               {"Trunc\r\n", "\r\n"}};
  for (const auto& c : cases) {
    for (bool changes : {true, false}) {
      House house;
      if (changes) strict(house.settings.relays.at(0));
      house.apply();
      house.add({"a@x.example"}, {}, c.body, Duration(0), kFrom);
      house.settle();
      ASSERT_EQ(house.relay().carried.size(), 1u);
      const std::string& content = house.relay().carried[0].content;
      EXPECT_TRUE(
          content.ends_with(std::string(changes ? "Subject: x\r\n" : kFrom) + (changes ? c.between : "") + c.body))
          << content;
    }
  }
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
  EXPECT_EQ(
      house.relay().carried[0].content,
      "DKIM-Signature: v=1\r\nFrom: me@isp.example\r\nX-Original-From: a b c\r\nReply-To: me@home.example\r\n\r\n");
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

// --- A relay that does not take this sender

void strict_relay(RelaySettings& relay) {
  relay.address = "me@isp.example";
  relay.on_sender_refused = OnSenderRefused::kAccount;
}
const char* kNotOwned = "553 5.7.1 <me@home.example>: Sender address rejected: not owned by user me@isp.example";

TEST(SenderRefused, OnceMoreAsTheAccount) {
  for (const char* key : {"MAIL FROM:<me@home", "RCPT TO:<a@x", "."}) {
    SCOPED_TRACE(key);
    const bool at_rcpt = std::string_view(key).starts_with("RCPT");
    House house(std::string_view(key) == "." ? Answers{{"MAIL FROM:<me@home", kNotOwned}} : Answers{{key, kNotOwned}},
                strict_relay);
    auto id = house.add({"a@x.example", "b@x.example"}, {}, "\r\n", Duration(0), kFrom);
    if (at_rcpt) {  // b goes as it is; a was refused both times
      house.run_until([&] { return house.relay().said("MAIL FROM:<me@isp"); });
      EXPECT_EQ(house.relay().carried[0].rcpt, (std::vector<std::string>{"RCPT TO:<b@x.example>"}));
      continue;
    }
    house.settle();
    EXPECT_TRUE(house.gone(id));
    ASSERT_EQ(house.relay().carried.size(), 1u);
    EXPECT_TRUE(house.relay().carried[0].mail.starts_with("MAIL FROM:<me@isp.example>"));
    EXPECT_EQ(house.relay().carried[0].rcpt.size(), 2u);
    EXPECT_TRUE(house.relay().carried[0].content.starts_with(
        "From: Ann <me@isp.example>\r\nX-Original-From: Ann <ann@home.example>\r\n"));
    std::string log = house.log_text();
    EXPECT_EQ(House::count(log, "sender_refused"), 1);
    EXPECT_NE(log.find("identity = "), std::string::npos);
  }
}

TEST(SenderRefused, AsTheAccountToo) {
  House house(Answers{{"MAIL FROM", kNotOwned}}, strict_relay);
  auto id = house.add({"a@x.example"}, {}, "\r\n", Duration(0), kFrom);
  house.run_until([&] { return house.relay().said("MAIL FROM:<me@isp"); });
  house.settle();
  EXPECT_FALSE(house.gone(id));  // it waits, nothing bounces
  EXPECT_EQ(House::count(house.log_text(), "status=bounced"), 0);
}

// By itself only what comes from this machine.
TEST(SenderRefused, UnlessToldOwnSendersAlone) {
  for (bool own : {false, true}) {
    House house(Answers{{"MAIL FROM:<me@home", kNotOwned}},
                [](RelaySettings& relay) { relay.address = "me@isp.example"; });
    if (own) house.settings.srs.own = {"home.example"};
    house.apply();
    auto id = house.add({"a@x.example"}, {}, "\r\n", Duration(0), kFrom);
    house.settle();
    EXPECT_EQ(house.gone(id), own);
    EXPECT_EQ(house.relay().carried.size(), own ? 1u : 0u);
    EXPECT_EQ(House::count(house.log_text(), "sender_refused"), 1);
  }
}

// "Not owned by user" stays as it is whenever one tries: the account's address gets through now.
TEST(SenderRefused, ForNowIsOnceMoreAsTheAccountToo) {
  House house(
      Answers{{"MAIL FROM:<me@home", "450 4.7.1 <me@home.example>: Sender address rejected: not owned by user x"}},
      strict_relay);
  auto id = house.add({"a@x.example"}, {}, "\r\n", Duration(0), kFrom);
  house.settle();
  EXPECT_TRUE(house.gone(id));
  ASSERT_EQ(house.relay().carried.size(), 1u);
  EXPECT_TRUE(house.relay().carried[0].mail.starts_with("MAIL FROM:<me@isp.example>"));
  // By a setting that returns it, too, it is only put off.
  House strict(Answers{{"MAIL FROM:<me@home", "450 4.7.1 Sender address rejected: not owned by user x"}},
               [](RelaySettings& relay) { relay.on_sender_refused = OnSenderRefused::kFail; });
  id = strict.add({"a@x.example"}, {}, "\r\n", Duration(0), kFrom);
  strict.settle();
  EXPECT_FALSE(strict.gone(id));
  EXPECT_TRUE(strict.reports().empty());
}

TEST(SenderRefused, TheRuleToWriteIsOneThatHelps) {
  RelaySettings way;
  way.name = "isp";
  DeliverSettings settings;
  settings.hostname = "home.example";
  const auto rule = [&](const char* sender) { return rule_for_refused_sender(way, settings, sender); };
  EXPECT_NE(rule("ann@other.example").find("identity = \"account\""), std::string::npos);
  way.address = "me@isp.example";
  EXPECT_NE(rule("ann@other.example").find("identity = \"account\""), std::string::npos);
  // The account's own address is what is refused: as whom it went out, or went out again.
  const std::string refused =
      "address = \"...\", one that the provider lets this account send from; \"me@isp.example\"";
  EXPECT_NE(rule("me@isp.example").find(refused), std::string::npos);
  EXPECT_NE(rule("root@home.example").find(refused), std::string::npos);
  way.on_sender_refused = OnSenderRefused::kNext;
  EXPECT_EQ(rule("root@home.example").find(refused), std::string::npos);
  way.identity = Identity::kAccount;
  EXPECT_NE(rule("ann@other.example").find(refused), std::string::npos);
}

TEST(SenderRefused, ByTheSetting) {
  for (OnSenderRefused action : {OnSenderRefused::kNext, OnSenderRefused::kHold, OnSenderRefused::kFail}) {
    House house(std::vector<Answers>{{{"MAIL FROM:<me@home", kNotOwned}}, {}}, [&](RelaySettings& relay) {
      strict_relay(relay);
      relay.on_sender_refused = action;
    });
    auto id = house.add({"a@x.example"}, {}, "\r\n", Duration(0), kFrom);
    if (action == OnSenderRefused::kNext) {
      house.run_until([&] { return house.gone(id); });
      EXPECT_EQ(house.relay(1).carried.size(), 1u);
    } else if (action == OnSenderRefused::kFail) {
      house.run_until([&] { return !house.reports().empty(); });
      EXPECT_TRUE(house.gone(id));
    } else {
      house.settle();
      EXPECT_FALSE(house.gone(id));
      EXPECT_TRUE(house.relay(1).carried.empty());
      EXPECT_EQ(house.scheduler.totals().held, 1u);
    }
    EXPECT_FALSE(house.relay(0).said("MAIL FROM:<me@isp"));
  }
}

// --- Signed as it leaves

std::shared_ptr<const dkim::Signers> a_key(dkim::Form form = dkim::Form::kRelaxed) {
  dkim::Signer signer;
  signer.domain = "home.example";
  signer.selector = "s1";
  signer.header_form = signer.body_form = form;
  signer.key = std::make_shared<const dkim::Key>(dkim::Key::generate(dkim::Algorithm::kEd25519).value());
  return std::make_shared<const dkim::Signers>(std::vector<dkim::Signer>{signer});
}

std::string body_hash_in(const std::string& content) {
  auto at = content.find("bh=");
  return at == std::string::npos ? "" : content.substr(at + 3, content.find(';', at) - at - 3);
}

std::string relaxed_hash(std::string_view body) {
  dkim::BodyHasher hasher(false, true);
  hasher.push(body);
  hasher.finish();
  const dkim::Hash hash = hasher.relaxed();
  return base64({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

TEST(Signed, OwnMailAlone) {
  House house;
  house.settings.dkim = a_key();
  house.apply();
  house.add({"a@x.example"}, [](queue::Message& m) { m.submitted = true; }, "\r\nHello \r\n\r\n", Duration(0), kFrom);
  house.settle();
  house.add({"a@x.example"}, {}, "\r\nHello\r\n", Duration(0), kFrom);  // a stranger's, who says that he is Ann
  house.settle();
  ASSERT_EQ(house.relay().carried.size(), 2u);
  const auto& carried = house.relay().carried[0];
  EXPECT_TRUE(carried.content.starts_with("DKIM-Signature: v=1; a=ed25519-sha256;")) << carried.content;
  EXPECT_TRUE(carried.content.ends_with(std::string(kFrom) + "\r\nHello \r\n\r\n"));
  EXPECT_EQ(body_hash_in(carried.content), relaxed_hash("Hello\r\n"));
  EXPECT_NE(carried.mail.find("SIZE=" + std::to_string(carried.content.size())), std::string::npos) << carried.mail;
  EXPECT_EQ(house.relay().carried[1].content, std::string(kFrom) + "\r\nHello\r\n");
}

TEST(Signed, NotWhereTheHeaderBreaksOff) {
  struct {
    const char *header, *body;
    bool is_signed;
  } cases[] = {
      {kFrom, "\r\nHello\r\n", true},
      {kFrom, "", true},  // RFC 5322 section 3.5: there need be no body
      {kFrom, "\r\n", true},
      {kFrom, "no field\r\nSubject: seen by some\r\n\r\nHello\r\n", false},
      {kFrom, ": no name\r\n\r\nHello\r\n", false},
      {kFrom, "-- =\r\n", false},
      {kFrom, "Trunc\r\n", false},
  };
  House house;
  house.settings.dkim = a_key();
  house.apply();
  int unsigned_ones = 0;
  for (const auto& c : cases) {
    const QueueId id =
        house.add({"a@x.example"}, [](queue::Message& m) { m.submitted = true; }, c.body, Duration(0), c.header);
    house.run_until([&] { return house.gone(id); });
    const std::string& content = house.relay().carried.back().content;
    EXPECT_EQ(content.starts_with("DKIM-Signature:"), c.is_signed) << content;
    EXPECT_TRUE(content.ends_with(std::string(c.header) + c.body)) << content;
    unsigned_ones += c.is_signed ? 0 : 1;
  }
  const std::string log = house.log_text();
  EXPECT_EQ(House::count(log, "not_signed"), unsigned_ones) << log;
}

TEST(Signed, TheHashMadeAsItCameInIsUsed) {
  House house;
  house.settings.dkim = a_key();
  house.apply();
  house.add(
      {"a@x.example"},
      [](queue::Message& m) {
        m.submitted = true;
        m.body_hash_relaxed.fill(7);
      },
      "\r\nHello\r\n", Duration(0), kFrom);
  house.settle();
  dkim::Hash sevens;
  sevens.fill(7);
  EXPECT_EQ(body_hash_in(house.relay().carried.at(0).content),
            base64({reinterpret_cast<const char*>(sevens.data()), sevens.size()}));
}

TEST(Signed, WhatWasConvertedIsHashedAnew) {
  House house(Answers{{"EHLO", "250-relay.example\r\n250 PIPELINING"}},
              [](RelaySettings& relay) { relay.eight_bit = EightBit::kConvert; });
  house.settings.dkim = a_key();
  house.apply();
  house.add(
      {"a@x.example"},
      [](queue::Message& m) {
        m.submitted = true;
        m.eight_bit_body = true;
        m.body_hash_relaxed.fill(7);
      },
      "\r\n\xc3\xa4\r\n", Duration(0), kFrom);
  house.settle();
  ASSERT_EQ(house.relay().carried.size(), 1u);
  const std::string& content = house.relay().carried[0].content;
  EXPECT_TRUE(content.ends_with("\r\n\r\n=C3=A4\r\n")) << content;
  EXPECT_EQ(body_hash_in(content), relaxed_hash("=C3=A4\r\n"));
}

TEST(Signed, NotWhereTheDomainHasDoneSoAndItHolds) {
  const std::string before = "DKIM-Signature: v=1; d=home.example; s=other; h=From; b=x\r\n";
  for (bool changed : {false, true}) {
    House house(Answers{}, [&](RelaySettings& relay) {
      if (!changed) return;
      rewrite::Outgoing rules;
      rules.generic = rewrite::AddressMap({{"ann@home.example", "me@home.example"}});
      relay.rewrite = std::make_shared<const rewrite::Outgoing>(std::move(rules));
    });
    house.settings.dkim = a_key();
    house.apply();
    house.add({"a@x.example"}, [](queue::Message& m) { m.submitted = true; }, "\r\n", Duration(0), before + kFrom);
    house.settle();
    ASSERT_EQ(house.relay().carried.size(), 1u);
    EXPECT_EQ(House::count(house.relay().carried[0].content, "DKIM-Signature"), changed ? 2 : 1);
  }
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
}  // namespace sidegate::deliver::guise_test
