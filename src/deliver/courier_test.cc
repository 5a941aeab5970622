// The courier against a relay on loopback, with the real scheduler and a store in memory: every fault, at each step.
#include "deliver/courier.h"

#include <gtest/gtest.h>

#include "deliver/test_house.h"

namespace sidegate::deliver::courier_test {
namespace {

using queue::RecipientState;

TEST(Courier, DeliversByteForByteAndKeepsTheConnection) {
  House house;
  auto first = house.add({"a@x.example"});
  house.settle();
  auto second = house.add({"b@y.example"}, {}, long_body(7000));
  house.settle();
  EXPECT_TRUE(house.gone(first) && house.gone(second));
  ASSERT_EQ(house.relay().carried.size(), 2u);
  EXPECT_EQ(house.relay().carried[0].content, "Subject: x\r\n\r\nHello\r\n.dot\r\n");
  EXPECT_EQ(house.relay().carried[1].content, "Subject: x\r\n" + long_body(7000));
  EXPECT_EQ(house.relay().connections, 1u);
  EXPECT_TRUE(house.relay().said("MAIL FROM:<me@home.example> SIZE="));
}

TEST(Courier, OneRefusedOfThreeIsReportedAlone) {
  House house(Answers{{"RCPT TO:<b@", "550 5.1.1 no such user here"}});
  auto id = house.add({"a@x.example", "b@x.example", "c@x.example"});
  house.relay().answers()["RCPT TO:<me@home"] = "450 4.2.0 later";  // so that the report stays to be looked at
  house.settle();
  EXPECT_TRUE(house.gone(id));
  ASSERT_EQ(house.relay().carried.size(), 1u);
  EXPECT_EQ(house.relay().carried[0].rcpt.size(), 2u);
  auto reports = house.reports();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].message.envelope.reverse_path, "");
  EXPECT_EQ(reports[0].message.envelope.recipients[0].address, "me@home.example");
  std::string text = house.report_text(reports[0]);
  EXPECT_NE(text.find("Final-Recipient: rfc822;b@x.example"), std::string::npos) << text;
  EXPECT_EQ(text.find("Final-Recipient: rfc822;a@x.example"), std::string::npos);
  EXPECT_NE(text.find("no such user here"), std::string::npos);
}

TEST(Courier, ReportsGoOutToo) {
  House house(Answers{{"RCPT TO:<b@", "550 5.1.1 no such user here"}});
  house.add({"b@x.example"});
  house.run_until([&] { return house.relay().carried.size() == 1; });
  house.settle();
  EXPECT_TRUE(house.relay().carried[0].mail.starts_with("MAIL FROM:<>"));
  EXPECT_TRUE(house.reports().empty());
}

struct Deferral {
  const char* key;
  const char* answer;
};
class Defers : public testing::TestWithParam<Deferral> {};
TEST_P(Defers, TheMessageWaitsAndNothingBounces) {
  House house(Answers{{GetParam().key, GetParam().answer}});
  auto id = house.add({"a@x.example"});
  house.settle();
  EXPECT_FALSE(house.gone(id));
  EXPECT_TRUE(house.reports().empty());
  EXPECT_TRUE(house.relay().carried.empty());
  auto rows = *house.store.recipients(id);
  for (const auto& row : rows) EXPECT_EQ(row.state, RecipientState::kPending);
  EXPECT_EQ(house.scheduler.totals().messages, 1u);
}
INSTANTIATE_TEST_SUITE_P(
    Steps, Defers,
    testing::Values(Deferral{"GREETING", "554 no"}, Deferral{"GREETING", "421 busyCUT"}, Deferral{"GREETING", "CUT"},
                    Deferral{"EHLO", "CUT"}, Deferral{"EHLO", "421 busyCUT"}, Deferral{"MAIL", "451 4.3.0 later"},
                    Deferral{"MAIL", "421 4.3.0 byeCUT"}, Deferral{"MAIL", "CUT"}, Deferral{"MAIL", "nonsense"},
                    Deferral{"RCPT", "450 4.2.0 later"}, Deferral{"RCPT", "421 4.3.0 byeCUT"}, Deferral{"RCPT", "CUT"},
                    Deferral{"DATA", "451 4.3.0 later"}, Deferral{"DATA", "421 4.3.0 byeCUT"}, Deferral{"DATA", "CUT"},
                    Deferral{".", "451 4.3.0 later"}, Deferral{".", "421 4.3.0 byeCUT"}, Deferral{".", "CUT"},
                    Deferral{"RCPT", "550 5.4.5 Daily user sending quota exceeded."}));

class Fails : public testing::TestWithParam<Deferral> {};
TEST_P(Fails, TheMessageIsReportedOnce) {
  House house(Answers{{GetParam().key, GetParam().answer}, {"MAIL FROM:<>", "450 4.2.0 later"}});
  auto id = house.add({"a@x.example", "b@y.example"});
  house.settle();
  EXPECT_TRUE(house.gone(id));
  EXPECT_EQ(house.reports().size(), 1u);
}
INSTANTIATE_TEST_SUITE_P(Steps, Fails,
                         testing::Values(Deferral{"MAIL", "552 5.3.4 too big"}, Deferral{"MAIL FROM:<me", "599 hm"},
                                         Deferral{"RCPT", "550 5.1.1 who"}, Deferral{"DATA", "554 5.0.0 no"},
                                         Deferral{".", "554 5.7.1 spam"}));

TEST(Courier, AReplyLostAfterTheDotIsUncertain) {
  House house(Answers{{".", "CUT"}});
  auto id = house.add({"a@x.example"});
  house.settle();
  auto rows = *house.store.recipients(id);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows[0].uncertain);
  EXPECT_EQ(rows[0].attempts, 1);
  auto attempts = *house.store.attempts(id);
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_TRUE(attempts[0].uncertain);
  EXPECT_EQ(attempts[0].meaning, "final-reply-lost");
  EXPECT_TRUE(attempts[0].next.has_value());
}

TEST(Courier, AuthFailureHoldsTheAccountWithOneLine) {
  House house(Answers{{"EHLO", "250-relay.example\r\n250 AUTH PLAIN"},
                      {"AUTH", "535 5.7.8 Username and Password not accepted"}},
              [](RelaySettings& s) {
                s.user = "taro";
                s.password = "geheim";
                s.insecure_auth = auth::InsecureAuth::kAll;
              });
  std::vector<QueueId> all;
  for (int i = 0; i < 5; ++i) all.push_back(house.add({"a@x.example"}));
  house.settle();
  EXPECT_FALSE(house.relay().said("MAIL"));
  EXPECT_EQ(house.relay().connections, 1u);  // a wrong password is tried once, however much waits
  for (auto id : all) EXPECT_FALSE(house.gone(id));
  EXPECT_TRUE(house.reports().empty());
  EXPECT_FALSE(house.scheduler.ways()[0].up);
  EXPECT_NE(house.scheduler.ways()[0].reason.find("not accepted"), std::string::npos);
  std::string log = house.log_text();
  EXPECT_EQ(House::count(log, "way_down"), 1) << log;
  EXPECT_EQ(log.find("geheim"), std::string::npos);
}

TEST(Courier, NoAuthOfferedWhereCredentialsAreSetSendsNothing) {
  House house(Answers{}, [](RelaySettings& s) {
    s.user = "taro";
    s.password = "geheim";
    s.insecure_auth = auth::InsecureAuth::kAll;
  });
  auto id = house.add({"a@x.example"});
  house.settle();
  EXPECT_FALSE(house.gone(id));
  EXPECT_FALSE(house.relay().said("MAIL") || house.relay().said("AUTH"));
}

TEST(Courier, PlainCredentialsNeedTlsUnlessTheBlockSaysOtherwise) {
  House house(Answers{{"EHLO", "250-relay.example\r\n250 AUTH PLAIN LOGIN"}}, [](RelaySettings& s) {
    s.user = "taro";
    s.password = "geheim";
  });
  house.add({"a@x.example"});
  house.settle();
  EXPECT_FALSE(house.relay().said("MAIL") || house.relay().said("AUTH"));
}

TEST(Courier, NoStartTlsSendsNothingAndNames465) {
  House house(Answers{}, [](RelaySettings& s) { s.tls = TlsMode::kStartTls; });
  auto id = house.add({"a@x.example"});
  house.settle();
  EXPECT_FALSE(house.gone(id));
  EXPECT_FALSE(house.relay().said("MAIL") || house.relay().said("STARTTLS"));
  EXPECT_NE(house.scheduler.ways()[0].reason.find("465"), std::string::npos) << house.scheduler.ways()[0].reason;
}

std::unique_ptr<TestRelay> tls_relay(net::Loop& loop, test::TestCa& ca) {
  auto issued = ca.issue({.names = {"relay.example"}});
  auto context = *tls::ServerContext::make({issued.cert_file, issued.key_file});
  Answers answers{{"EHLO", "250-relay.example\r\n250-STARTTLS\r\n250 AUTH PLAIN"}};
  return std::make_unique<TestRelay>(loop, answers, context);
}

void with_tls(RelaySettings& s) {
  s.tls = TlsMode::kStartTls;
  s.tls_name = "relay.example";
  s.user = "taro";
  s.password = "geheim";
}

TEST(Courier, ABadCertificateSendsNothing) {
  House house(tls_relay, with_tls);  // the test CA is not among the system's
  auto id = house.add({"a@x.example"});
  house.settle();
  EXPECT_FALSE(house.gone(id));
  EXPECT_FALSE(house.relay().said("MAIL") || house.relay().said("AUTH"));
  EXPECT_NE(house.scheduler.ways()[0].reason.find("certificate"), std::string::npos)
      << house.scheduler.ways()[0].reason;
}

TEST(Courier, UnverifiedTlsCarriesMailButNoCredentials) {
  House house(tls_relay, [](RelaySettings& s) {
    with_tls(s);
    s.tls_verify = false;
  });
  house.add({"a@x.example"});
  house.settle();
  EXPECT_FALSE(house.relay().said("AUTH") || house.relay().said("MAIL"));
}

TEST(Courier, LogsInOverVerifiedTls) {
  std::string ca_file;
  static std::string* ca_path = nullptr;
  ca_path = &ca_file;
  House house(
      [](net::Loop& loop, test::TestCa& ca) {
        *ca_path = ca.ca_file();
        return tls_relay(loop, ca);
      },
      [](RelaySettings& s) {
        with_tls(s);
        s.tls_ca_file = *ca_path;
      });
  auto id = house.add({"a@x.example"});
  house.settle();
  EXPECT_TRUE(house.gone(id)) << house.scheduler.ways()[0].reason;
  EXPECT_TRUE(house.relay().said("AUTH PLAIN"));
  std::string log = house.log_text();
  EXPECT_EQ(House::count(log, "verified=true"), 1) << log;
  EXPECT_EQ(House::count(log, "status=sent"), 1) << log;
}

TEST(Courier, AConnectionThatDiedIdleCostsNothing) {
  House house(Answers{{".", "250 2.0.0 okCUT"}});  // closes after each message
  auto first = house.add({"a@x.example"});
  house.settle();
  auto second = house.add({"b@y.example"});
  house.settle();
  EXPECT_TRUE(house.gone(first) && house.gone(second));
  EXPECT_EQ(house.relay().connections, 2u);
  EXPECT_EQ(House::count(house.log_text(), "way_down"), 0);
}

// As when the line at home gets another address: nothing comes back any more on what was open.
TEST(Courier, AConnectionWhosePathDiedIdleCostsNoDelivery) {
  House house(Answers{{"EHLO", "250 relay.example"}}, [](RelaySettings& s) { s.timeouts.mail = 300ms; });
  auto first = house.add({"a@x.example"});
  house.settle();
  ASSERT_TRUE(house.gone(first));
  house.relay().answers()["MAIL"] = "SILENT";
  auto second = house.add({"b@x.example"});
  house.run_until(
      [&] { return std::ranges::count_if(house.relay().lines, [](auto& l) { return l.starts_with("MAIL"); }) == 2; });
  house.relay().answers().erase("MAIL");
  house.settle();
  EXPECT_TRUE(house.gone(second));
  EXPECT_EQ(house.relay().connections, 2u);
  EXPECT_EQ(House::count(house.log_text(), "way_down"), 0);
}

TEST(Courier, MessagesPerConnection) {
  House house(Answers{}, [](RelaySettings& s) { s.messages_per_connection = 2, s.connections = 1; });
  for (int i = 0; i < 5; ++i) house.add({"a@x.example"});
  house.run_until([&] { return house.relay().carried.size() == 5; });
  EXPECT_EQ(house.relay().connections, 3u);
}

TEST(Courier, MoreThanAHundredRecipientsGoInSeveralTransactions) {
  House house;
  std::vector<std::string> to;
  for (int i = 0; i < 250; ++i) to.push_back("u" + std::to_string(i) + "@x.example");
  auto id = house.add(to);
  house.settle();
  EXPECT_TRUE(house.gone(id));
  ASSERT_EQ(house.relay().carried.size(), 3u);
  EXPECT_EQ(house.relay().carried[0].rcpt.size(), 100u);
  EXPECT_EQ(house.relay().carried[2].rcpt.size(), 50u);
}

TEST(Courier, BdatWhereOfferedAndLearntOff) {
  House house(Answers{{"EHLO", "250-relay.example\r\n250-PIPELINING\r\n250 CHUNKING"}});
  auto first = house.add({"a@x.example"});
  house.settle();
  EXPECT_TRUE(house.gone(first));
  EXPECT_TRUE(house.relay().said("BDAT"));
  ASSERT_EQ(house.relay().carried.size(), 1u);
  EXPECT_EQ(house.relay().carried[0].content, "Subject: x\r\n\r\nHello\r\n.dot\r\n");
  house.relay().answers()["BDAT"] = "503 5.5.1 what";
  auto second = house.add({"b@x.example"});
  house.settle();
  EXPECT_TRUE(house.gone(second));
  EXPECT_TRUE(house.relay().said("DATA"));
  EXPECT_TRUE(house.all_ways->list[0]->bdat_broken);
}

// A port that nothing listens at, before the relay's own.
void put_closed_port_first(RelaySettings& r) {
  auto fds = net::bind_listener({"127.0.0.1", 0}, 1);
  ASSERT_TRUE(fds);
  r.places.ports = {static_cast<std::uint16_t>(net::bound_port(fds->front())), r.port};
  r.places.tls_given = true;
  ::close(fds->front());
}

TEST(Courier, TheNextPortOfTheLadderCarriesTheMail) {
  House house(Answers{}, put_closed_port_first);
  auto first = house.add({"a@x.example"});
  house.settle();
  EXPECT_TRUE(house.gone(first));
  ASSERT_EQ(house.relay().carried.size(), 1u);
  EXPECT_TRUE(house.scheduler.ways()[0].up);  // a closed port is no trouble of the relay
  EXPECT_EQ(house.all_ways->list[0]->rungs.current(), "127.0.0.1:" + std::to_string(house.relay().port));
  EXPECT_EQ(House::count(house.log_text(), "relay_place"), 1);
}

TEST(Courier, WhereNothingAnswersEveryPortIsNamed) {
  House house(Answers{}, [](RelaySettings& r) {
    put_closed_port_first(r);
    std::uint16_t closed = r.places.ports[0];
    put_closed_port_first(r);
    r.places.ports[1] = closed;
    r.port = closed;
  });
  auto id = house.add({"a@x.example"});
  house.run_until([&] { return !house.scheduler.ways()[0].up; });
  EXPECT_FALSE(house.gone(id));
  const std::string reason = house.scheduler.ways()[0].reason;
  const auto& ports = house.all_ways->list[0]->settings.places.ports;
  for (std::uint16_t port : ports) EXPECT_NE(reason.find(":" + std::to_string(port)), std::string::npos) << reason;
}

// Another port does not know the password either; trying it there is what providers lock accounts for.
TEST(Courier, ARefusedPasswordIsNotTriedAtTheNextPort) {
  House house(Answers{{"EHLO", "250-relay.example\r\n250 AUTH PLAIN"}, {"AUTH", "535 5.7.8 bad credentials"}},
              [](RelaySettings& r) {
                r.user = "me", r.password = "wrong";
                r.insecure_auth = auth::InsecureAuth::kAll;
                r.places.more_hosts = {"[127.0.0.1]:" + std::to_string(r.port)};
                r.places.tls_given = true;
              });
  house.add({"a@x.example"});
  house.run_until([&] { return !house.scheduler.ways()[0].up; });
  EXPECT_EQ(house.relay().connections, 1u);
}

TEST(Courier, ARouteDiscardsOrRefuses) {
  House house;
  RouteSettings discard, refuse;
  discard.conditions.recipients = {"hole.example"};
  discard.action = RouteAction::kDiscard;
  refuse.conditions.recipients = {"bad.example"};
  refuse.action = RouteAction::kFail;
  refuse.text = "we do not write to them";
  house.settings.routes = {discard, refuse};
  house.apply();
  auto gone = house.add({"a@hole.example"});
  auto bounced = house.add({"a@bad.example"});
  house.relay().answers()["RCPT TO:<me@home"] = "450 4.2.0 later";  // so that the report stays to be looked at
  house.run_until([&] { return house.gone(gone) && house.gone(bounced); });
  EXPECT_TRUE(house.relay().carried.empty());
  auto reports = house.reports();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_NE(house.report_text(reports[0]).find("we do not write to them"), std::string::npos);
}

TEST(Courier, AFailedReportIsHeldAndNothingIsLost) {
  House house(Answers{{"RCPT", "550 5.1.1 no such user"}});
  house.add({"a@x.example"});
  house.settle();
  auto reports = house.reports();
  ASSERT_EQ(reports.size(), 1u);
  ASSERT_EQ(reports[0].due.size(), 1u);
  EXPECT_TRUE(reports[0].due[0].held);
  EXPECT_EQ(house.scheduler.totals().held, 1u);
  EXPECT_EQ(House::count(house.log_text(), "status=held"), 1);
}

TEST(Courier, AFailedReportGoesToThePostmaster) {
  House house(Answers{{"RCPT TO:<a@", "550 5.1.1 no such user"}, {"RCPT TO:<me@", "550 5.1.1 no such user"}});
  house.settings.postmaster = "postmaster@home.example";
  house.apply();
  house.add({"a@x.example"});
  house.run_until([&] { return house.relay().carried.size() == 1; });
  house.settle();
  EXPECT_EQ(house.relay().carried[0].rcpt, std::vector<std::string>{"RCPT TO:<postmaster@home.example>"});
  EXPECT_TRUE(house.reports().empty());
}

TEST(Courier, AReportThatFailsBehindThePostmastersAliasIsKept) {
  House house(Answers{{"RCPT TO:<a@", "550 5.1.1 no such user"}});
  house.settings.postmaster = "postmaster@home.example";
  house.apply();
  house.add({"a@x.example"}, [](queue::Message& m) {
    m.envelope.reverse_path.clear();
    m.envelope.recipients[0].original = "Postmaster@home.example";
  });
  house.settle();
  EXPECT_EQ(house.scheduler.totals().held, 1u);  // and not told to the postmaster again, without end
}

TEST(Courier, AnOldMessageExpires) {
  House house(Answers{{"RCPT TO:<a@", "450 4.2.0 later"}, {"RCPT TO:<me@", "450 4.2.0 later"}});
  auto id = house.add({"a@x.example"}, {}, "\r\nx\r\n", Duration(6 * 24h));
  house.settle();
  EXPECT_TRUE(house.gone(id));
  ASSERT_EQ(house.reports().size(), 1u);
  EXPECT_NE(house.report_text(house.reports()[0]).find("Status: 4.4.7"), std::string::npos);
}

TEST(Courier, ADelayIsReportedOnce) {
  House house(Answers{{"RCPT", "450 4.2.0 later"}});
  auto id = house.add({"a@x.example"}, {}, "\r\nx\r\n", Duration(5h));
  house.settle();
  EXPECT_FALSE(house.gone(id));
  ASSERT_EQ(house.reports().size(), 1u);
  EXPECT_NE(house.report_text(house.reports()[0]).find("Action: delayed"), std::string::npos);
  house.scheduler.retry_now(id);
  house.settle();
  EXPECT_EQ(house.reports().size(), 1u);
}

TEST(Courier, ADelayToldWhileTheWayWasDownIsNotToldAgain) {
  House house(
      Answers{{"GREETING", "421 busyCUT"}, {"RCPT TO:<a@", "450 4.2.0 later"}, {"RCPT TO:<me@", "450 4.2.0 later"}});
  house.in_memory = true;
  auto id = house.add({"a@x.example"}, {}, "\r\nx\r\n", Duration(5h));
  house.run_until([&] { return !house.scheduler.ways()[0].up && house.scheduler.totals().active == 0; });
  house.courier.look_overdue();
  house.run_until([&] { return house.reports().size() == 1; });
  house.relay().answers().erase("GREETING");
  house.run_until([&] {
    house.scheduler.retry_now(id);
    return house.relay().said("RCPT TO:<a@x.example>");
  });
  house.settle();
  EXPECT_EQ(house.reports().size(), 1u);
}

// Several transactions, and the account is spent in the second one, which is no attempt: who has it does not get it
// again.
TEST(Courier, WhatWasDeliveredBeforeTheAccountWasSpentIsNotSentAgain) {
  House house;
  house.in_memory = true;
  std::vector<std::string> to;
  for (int i = 0; i < 150; ++i) to.push_back("r" + std::to_string(i) + "@x.example");
  house.relay().answers()["RCPT TO:<r"] = "550 5.4.5 Daily user sending quota exceeded.";
  for (int i = 0; i < 100; ++i) house.relay().answers()["RCPT TO:<r" + std::to_string(i) + "@"] = "250 2.1.5 ok";
  auto id = house.add(to);
  house.run_until([&] { return !house.scheduler.ways()[0].up && house.scheduler.totals().active == 0; });
  house.relay().answers().clear();
  house.run_until([&] {
    house.scheduler.retry_now(id);
    return house.gone(id);
  });
  std::map<std::string, int> copies;
  for (const Carried& one : house.relay().carried) {
    for (const std::string& rcpt : one.rcpt) ++copies[rcpt];
  }
  EXPECT_EQ(copies.size(), 150u);
  for (const auto& [rcpt, n] : copies) EXPECT_EQ(n, 1) << rcpt;
}

TEST(Courier, NotifyNeverAndSuccess) {
  House house(Answers{{"RCPT TO:<never@", "550 5.1.1 no such user"}, {"MAIL FROM:<>", "450 4.2.0 later"}});
  auto silent = house.add({"never@x.example"}, [](queue::Message& m) { m.envelope.recipients[0].notify.never = true; });
  house.settle();
  EXPECT_TRUE(house.gone(silent));
  EXPECT_TRUE(house.reports().empty());
  auto wanted = house.add({"b@x.example"}, [](queue::Message& m) { m.envelope.recipients[0].notify.success = true; });
  house.settle();
  EXPECT_TRUE(house.gone(wanted));
  ASSERT_EQ(house.reports().size(), 1u);
  EXPECT_NE(house.report_text(house.reports()[0]).find("Action: relayed"), std::string::npos);
}

TEST(Courier, ADomainBeyondAsciiGoesAsItIsOrInItsAsciiForm) {
  for (bool offered : {true, false}) {
    House house(Answers{{"EHLO", offered ? "250-relay.example\r\n250 SMTPUTF8" : "250-relay.example\r\n250 DSN"}});
    const QueueId id = house.add({"taro@例え.jp", "b@x.example"}, [](queue::Message& m) {
      m.envelope.smtputf8 = true;
      m.envelope.reverse_path = "me@bücher.example";
      m.envelope.recipients[0].orcpt = "utf-8;taro@例え.jp";
    });
    house.settle();
    EXPECT_TRUE(house.gone(id));
    ASSERT_EQ(house.relay().carried.size(), 1u);
    EXPECT_TRUE(
        house.relay().said(offered ? "MAIL FROM:<me@bücher.example> SMTPUTF8" : "MAIL FROM:<me@xn--bcher-kva.example>"))
        << house.relay().carried[0].mail;
    EXPECT_TRUE(house.relay().said(offered ? "RCPT TO:<taro@例え.jp>" : "RCPT TO:<taro@xn--r8jz45g.jp>"));
    EXPECT_FALSE(house.relay().said("RCPT TO:<taro@xn--r8jz45g.jp> ORCPT"));  // RFC 6533 section 3
    EXPECT_TRUE(house.relay().said("RCPT TO:<b@x.example>"));
  }
}

TEST(Courier, WhatHasNoAsciiFormNeedsSmtputf8) {
  for (const char* address : {"太郎@例え.jp", "a@-ü.example", "a@[ü]"}) {
    House house(Answers{{"EHLO", "250 relay.example"}, {"MAIL FROM:<>", "450 4.2.0 later"}});
    const QueueId id = house.add({address}, [](queue::Message& m) { m.envelope.smtputf8 = true; });
    house.settle();
    EXPECT_TRUE(house.gone(id)) << address;
    EXPECT_FALSE(house.relay().said("MAIL FROM:<me")) << address;
  }
}

TEST(Courier, WhatTheRelayLacks) {
  House house(Answers{{"EHLO", "250-relay.example\r\n250 SIZE 1000"}});
  house.relay().answers()["MAIL FROM:<>"] = "450 4.2.0 later";
  auto big = house.add({"a@x.example"}, {}, "\r\n" + std::string(900, 'x') + "\r\n" + std::string(900, 'x') + "\r\n");
  auto utf8 = house.add({"ü@x.example"}, [](queue::Message& m) { m.envelope.smtputf8 = true; });
  house.settle();
  EXPECT_TRUE(house.gone(big) && house.gone(utf8));
  EXPECT_FALSE(house.relay().said("MAIL FROM:<me"));
  EXPECT_EQ(house.reports().size(), 2u);
  EXPECT_EQ(house.scheduler.largest(), 1000u);  // what is larger need not come in
  const std::string words = house.report_text(house.reports()[0]) + house.report_text(house.reports()[1]);
  std::size_t said = 0;
  for (auto at = words.find("than any way"); at != words.npos; at = words.find("than any way", at + 1)) ++said;
  EXPECT_EQ(said, 1u) << words;
}

TEST(Courier, ConvertsWhatARelayWithout8BitMimeCannotCarry) {
  House house(Answers{{"EHLO", "250 relay.example"}}, [](RelaySettings& s) { s.eight_bit = EightBit::kConvert; });
  auto id = house.add({"a@x.example"}, [](queue::Message& m) { m.eight_bit_body = true; }, "\r\ngr\xfc\xdf\r\n");
  house.settle();
  EXPECT_TRUE(house.gone(id));
  ASSERT_EQ(house.relay().carried.size(), 1u);
  EXPECT_NE(house.relay().carried[0].content.find("\r\n\r\ngr=FC=DF\r\n"), std::string::npos)
      << house.relay().carried[0].content;
}

TEST(Courier, TheNextWayTakesOverWhenOneIsDown) {
  House house(Answers{{"GREETING", "554 no"}});
  auto second = std::make_unique<TestRelay>(house.loop, Answers{});
  RelaySettings other = house.settings.relays[0];
  other.name = "other";
  other.port = second->port;
  house.relays.push_back(std::move(second));
  house.settings.relays.push_back(other);
  house.apply();
  auto id = house.add({"a@x.example"});
  house.run_until([&] { return house.gone(id); });
  EXPECT_EQ(house.relay(1).carried.size(), 1u);
  EXPECT_TRUE(house.relay(0).carried.empty());
}

TEST(Courier, WhatOneWayLacksGoesByTheNext) {
  House house(Answers{{"EHLO", "250-relay.example\r\n250 SIZE 10"}});
  auto second = std::make_unique<TestRelay>(house.loop, Answers{});
  RelaySettings other = house.settings.relays[0];
  other.name = "other";
  other.port = second->port;
  house.relays.push_back(std::move(second));
  house.settings.relays.push_back(other);
  house.apply();
  auto id = house.add({"a@x.example"});
  house.run_until([&] { return house.gone(id); });
  EXPECT_EQ(house.relay(1).carried.size(), 1u);
  EXPECT_FALSE(house.relay(0).said("MAIL"));
  EXPECT_EQ(house.scheduler.largest(), 1'000'000u);  // what the other one takes
}

TEST(Courier, AMessageThatBreaksConnectionsHoldsUpNoOther) {
  House house(Answers{{"RCPT TO:<poison@", "CUT"}}, [](RelaySettings& s) { s.connections = 1; });
  auto poison = house.add({"poison@x.example"});
  std::vector<QueueId> others;
  for (int i = 0; i < 5; ++i) others.push_back(house.add({"a@y.example"}));
  house.run_until([&] { return house.relay().carried.size() == 5; });
  EXPECT_FALSE(house.gone(poison));
  EXPECT_TRUE(house.reports().empty());
}

TEST(Courier, WhatWaitsForAWayThatIsDownIsReportedAndExpires) {
  House house(Answers{{"GREETING", "554 no"}});
  auto fresh = house.add({"a@x.example"});
  auto late = house.add({"b@x.example"}, {}, "\r\nx\r\n", Duration(5h));
  auto old = house.add({"c@x.example"}, {}, "\r\nx\r\n", Duration(6 * 24h));
  house.settle();
  EXPECT_FALSE(house.scheduler.ways()[0].up);
  for (int i = 0; i < 3; ++i) {
    house.courier.look_overdue();
    house.settle();
  }
  EXPECT_TRUE(house.gone(old));
  EXPECT_FALSE(house.gone(fresh) || house.gone(late));
  auto reports = house.reports();
  ASSERT_EQ(reports.size(), 2u);
  std::string both = house.report_text(reports[0]) + house.report_text(reports[1]);
  EXPECT_EQ(House::count(both, "Action: delayed"), 1) << both;
  EXPECT_EQ(House::count(both, "Status: 4.4.7"), 1) << both;
  EXPECT_EQ(house.relay().connections, 1u);
}

// What a local delivery writes for each recipient as it ends; a crash before its class's end leaves no more than that.
queue::Outcome first_delivered(QueueId id) {
  queue::Outcome outcome;
  outcome.id = id;
  queue::RecipientRow& row = outcome.recipients.emplace_back();
  row.n = 0;
  row.state = RecipientState::kDelivered;
  return outcome;
}

TEST(Courier, WhatEndedAndIsStillScheduledIsRemoved) {
  House house;
  auto whole = house.add({"a@x.example"}), half = house.add({"a@x.example", "b@y.example"});
  for (QueueId id : {whole, half}) house.store.commit(first_delivered(id), [](Status s) { EXPECT_TRUE(s); });
  house.settle();
  house.run_until([&] { return house.gone(whole) && house.gone(half); });
  ASSERT_EQ(house.relay().carried.size(), 1u);
  EXPECT_TRUE(house.relay().said("RCPT TO:<b@y.example>"));
  EXPECT_FALSE(house.relay().said("RCPT TO:<a@x.example>"));
}

TEST(Courier, WhatEndedIsRemovedWhileItsWayIsDown) {
  House house(Answers{{"GREETING", "554 no"}});
  auto id = house.add({"a@x.example"}, {}, "\r\nx\r\n", Duration(6 * 24h));
  house.store.commit(first_delivered(id), [](Status s) { EXPECT_TRUE(s); });
  house.settle();
  EXPECT_FALSE(house.scheduler.ways()[0].up);
  house.courier.look_overdue();
  house.settle();
  house.run_until([&] { return house.gone(id); });
  EXPECT_TRUE(house.reports().empty());
}

TEST(Courier, StopsWhileARelayIsSilent) {
  House house(Answers{{"GREETING", "SILENT"}});
  auto id = house.add({"a@x.example"});
  house.run_until([&] { return house.relay().connections == 1; });
  bool stopped = false;
  house.loop.spawn("stop", house.stop(&stopped));
  house.run_until([&] { return stopped; });
  EXPECT_EQ(house.courier.connections(), 0u);
  EXPECT_FALSE(house.gone(id));
}

TEST(Courier, ManyMessagesOverSeveralConnections) {
  House house;
  std::vector<QueueId> all;
  for (int i = 0; i < 300; ++i) all.push_back(house.add({"a@x" + std::to_string(i % 7) + ".example"}));
  house.run_until([&] { return house.relay().carried.size() == 300; });
  house.settle();
  for (auto id : all) EXPECT_TRUE(house.gone(id));
  EXPECT_LE(house.relay().connections, 10u);
  EXPECT_GE(house.relay().connections, 2u);
}

}  // namespace
}  // namespace sidegate::deliver::courier_test
