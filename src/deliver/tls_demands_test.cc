// What TLS with a peer must be, over real sockets: levels at mail exchangers, who hears how it went, and what a message
// itself demands (RFC 8689) of exchangers and relays.
#include <gmock/gmock.h>

#include "deliver/direct_opening.h"
#include "deliver/test_house.h"
#include "queue/families.h"

namespace sidegate::deliver::tls_demands_test {
namespace {

using testing::HasSubstr;
using enum TlsLevel;

constexpr const char* kThere = "[127.0.0.1]";
const Answers kWithTls{{"EHLO", "250-mx.example\r\n250-STARTTLS\r\n250 ENHANCEDSTATUSCODES"}};

struct Mx : House {
  explicit Mx(Answers answers, std::vector<std::string> names = {}) : House(std::vector<Answers>{}) {
    std::shared_ptr<const tls::ServerContext> context;
    if (!names.empty()) {
      const auto issued = authority.issue({.names = names});
      context = *tls::ServerContext::make({issued.cert_file, issued.key_file});
    }
    relays.push_back(std::make_unique<TestRelay>(loop, std::move(answers), context));
    settings.direct.port = relay().port;
    settings.direct.private_addresses = true;
    settings.direct.tls_ca_file = authority.ca_file();
  }
  void level(TlsLevel level, std::vector<std::string> match = {}) {
    settings.direct.tls_rules = {{kThere, level, std::move(match)}};
    apply();
  }
  QueueId send(mail::TlsDemand demand = mail::TlsDemand::kUsual, std::string from = "me@home.example") {
    return add({"a@" + std::string(kThere)}, [&](queue::Message& message) {
      message.envelope.tls = demand;
      message.envelope.reverse_path = from;
      message.envelope.ret = mail::Ret::kFull;
    });
  }
  std::optional<queue::WayStatus> member(mail::TlsDemand demand = mail::TlsDemand::kUsual) {
    return scheduler.way(scheduler.find_member(all_ways->direct->id, queue::member_name(kThere, demand)));
  }
  std::string reason_it_waits() {
    run_until([&] { return member() && !member()->up && scheduler.totals().active == 0; });
    return member() ? member()->reason : std::string();
  }

  test::TestCa authority;
};

TEST(TlsDemands, NothingIsSentWithLess) {
  struct {
    TlsLevel level;
    std::vector<std::string> match, names;  // of the policy; of the certificate: none: no STARTTLS
    const char* reason;                     // null: it goes
  } cases[] = {
      {kNone, {}, {"127.0.0.1"}, nullptr},
      {kMay, {}, {}, nullptr},
      {kMay, {}, {"other.example"}, nullptr},
      {kEncrypt, {}, {"other.example"}, nullptr},
      {kEncrypt, {}, {}, "offers no STARTTLS"},
      {kVerify, {}, {"127.0.0.1"}, nullptr},
      {kVerify, {}, {"other.example"}, "must be for 127.0.0.1"},
      {kVerify, {"mx.example", ".example"}, {"other.example"}, nullptr},
      {kSecure, {"mx.example"}, {"other.example"}, "must be for mx.example"},
      {kSecure, {}, {"127.0.0.1"}, "certificate is for 127.0.0.1"},
      {kVerify, {}, {}, "offers no STARTTLS"},
      {kDaneOnly, {}, {"127.0.0.1"}, "nobody signs it"},
      {kDane, {}, {"other.example"}, nullptr},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(name(c.level)) + " " + (c.names.empty() ? "-" : c.names.front()));
    Mx house(c.names.empty() ? Answers{} : kWithTls, c.names);
    house.level(c.level, c.match);
    const QueueId id = house.send();
    if (c.reason == nullptr) {
      house.run_until([&] { return house.gone(id); });
      EXPECT_EQ(house.relay().carried.size(), 1u);
      EXPECT_EQ(house.relay().said("STARTTLS"), c.level != kNone && !c.names.empty());
      continue;
    }
    const std::string reason = house.reason_it_waits();
    EXPECT_THAT(reason, HasSubstr(c.reason));
    EXPECT_THAT(reason, HasSubstr("[[tls_policy]] [127.0.0.1]"));
    EXPECT_FALSE(house.relay().said("MAIL"));
    EXPECT_FALSE(house.gone(id));
    EXPECT_TRUE(house.reports().empty());
  }
}

TEST(TlsDemands, ACertificateOfAnUnknownAuthority) {
  Mx house(kWithTls, {"127.0.0.1"});
  test::TestCa other("Other CA");
  house.settings.direct.tls_ca_file = other.ca_file();
  house.level(kVerify);
  house.send();
  EXPECT_THAT(house.reason_it_waits(), HasSubstr("unknown CA"));
}

// --- who else knows, and who hears of it

struct Publisher : PublishedPolicies {
  net::Awaitable<std::optional<TlsPolicy>> find(net::Loop&, std::string domain) override {
    asked.push_back(domain);
    co_return policy;
  }
  std::optional<TlsPolicy> policy;
  std::vector<std::string> asked;
};
struct Ear : TlsResults {
  void heard(const TlsResult& result) override { results.push_back(result); }
  std::vector<TlsResult> results;
};

net::Awaitable<void> open(DirectOpening& opening, std::optional<Opened>* out) {
  out->emplace(co_await opening.run());
}

TEST(TlsDemands, WhatThePublishedPolicySaysAndWhoHears) {
  const TlsPolicy sts{.level = kVerify, .why = policy_source::kMtaSts, .hosts = {"127.0.0.1"}};
  TlsPolicy elsewhere = sts;
  elsewhere.hosts = {"mx.example"};
  struct {
    std::optional<TlsPolicy> published;
    std::vector<std::string> names;
    bool opens;
    PolicyKind kind;
    const char* result;
  } cases[] = {
      {{}, {"other.example"}, true, PolicyKind::kNone, ""},
      {{}, {}, true, PolicyKind::kNone, "starttls-not-supported"},
      {sts, {"127.0.0.1"}, true, PolicyKind::kSts, ""},
      {sts, {"other.example"}, false, PolicyKind::kSts, "certificate-host-mismatch"},
      {sts, {}, false, PolicyKind::kSts, "starttls-not-supported"},
      {elsewhere, {"127.0.0.1"}, false, PolicyKind::kSts, "validation-failure"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.result);
    Mx house(c.names.empty() ? Answers{} : kWithTls, c.names);
    house.apply();
    Publisher publisher;
    publisher.policy = c.published;
    Ear ear;
    const queue::WayId id = queue::kFirstMember | 1;
    const auto way = house.all_ways->members->get(id, {house.all_ways->direct->id, kThere}, house.all_ways->direct,
                                                  system_clock().steady());
    DirectOpening opening(house.loop, house.resolver, *way, house.all_ways->settings, 1, {&publisher, &ear});
    std::optional<Opened> opened;
    house.loop.spawn("opening", open(opening, &opened));
    house.run_until([&] { return opened.has_value(); });
    EXPECT_EQ(opened->has_value(), c.opens);
    if (*opened) (**opened)->close();
    EXPECT_EQ(publisher.asked, std::vector<std::string>{kThere});
    ASSERT_EQ(ear.results.size(), 1u);
    EXPECT_EQ(ear.results[0].result, c.result);
    EXPECT_EQ(ear.results[0].kind, c.kind);
    EXPECT_EQ(ear.results[0].host, "127.0.0.1");
    EXPECT_EQ(ear.results[0].address, *c.result == 'v' ? "" : "127.0.0.1");
  }
}

// --- what a message demands

TEST(TlsDemands, RequireTlsNeedsAProvenExchanger) {
  Mx house(Answers{{"EHLO", "250-mx.example\r\n250-STARTTLS\r\n250 REQUIRETLS"}}, {"127.0.0.1"});
  house.apply();
  const QueueId id = house.send(mail::TlsDemand::kRequired);
  house.run_until([&] { return house.gone(id) && !house.reports().empty(); });
  const auto report = house.reports().front();
  const std::string text = house.report_text(report);
  EXPECT_THAT(text, HasSubstr("Status: 5.7.10"));
  EXPECT_THAT(text, HasSubstr("REQUIRETLS"));
  // RFC 8689 section 5: no body, and protected as the message was.
  EXPECT_THAT(text, testing::Not(HasSubstr("Hello")));
  EXPECT_EQ(report.message.envelope.tls, mail::TlsDemand::kRequired);
  EXPECT_EQ(house.relay().connections, 0u);
}

TEST(TlsDemands, WhoSaysThatTlsIsOfNoMatter) {
  Mx house(Answers{});
  house.level(kEncrypt);
  const QueueId careful = house.send(), careless = house.send(mail::TlsDemand::kOptional);
  house.run_until([&] { return house.gone(careless); });
  EXPECT_THAT(house.reason_it_waits(), HasSubstr("STARTTLS"));
  EXPECT_FALSE(house.gone(careful));
  EXPECT_TRUE(house.member(mail::TlsDemand::kOptional)->up);
}

TEST(TlsDemands, RequireTlsByARelay) {
  struct {
    bool offers, verified;
    const char *from, *status;  // null: it goes
    bool asked;                 // with the parameter
  } cases[] = {
      {true, true, "me@home.example", nullptr, true},
      {false, true, "me@home.example", "5.7.30", false},
      {true, false, "me@home.example", "5.7.10", false},
      {true, true, "", nullptr, true},
      {false, true, "", nullptr, false},  // RFC 8689 section 5: a report is not lost for it
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.from) + (c.offers ? " offers" : "") + (c.verified ? " verified" : ""));
    test::TestCa ca;
    const auto issued = ca.issue({.names = {"relay.example"}});
    House house(std::vector<Answers>{});
    Answers answers{
        {"EHLO", std::string("250-relay.example\r\n250-STARTTLS\r\n250 ") + (c.offers ? "REQUIRETLS" : "DSN")}};
    house.relays.push_back(std::make_unique<TestRelay>(house.loop, answers,
                                                       *tls::ServerContext::make({issued.cert_file, issued.key_file})));
    house.configure([&](RelaySettings& relay) {
      relay.tls = TlsMode::kStartTls;
      relay.tls_name = "relay.example";
      relay.tls_ca_file = ca.ca_file();
      relay.tls_verify = c.verified;
    });
    const QueueId id = house.add({"a@x.example"}, [&](queue::Message& message) {
      message.envelope.tls = mail::TlsDemand::kRequired;
      message.envelope.reverse_path = c.from;
    });
    house.run_until([&] { return house.gone(id); });
    EXPECT_EQ(house.relay().carried.size(), c.status ? 0u : 1u);
    const std::string mail = "MAIL FROM:<" + std::string(c.from) + "> REQUIRETLS";
    EXPECT_EQ(house.relay().said(mail), c.asked);
    if (!c.status) continue;
    house.run_until([&] { return !house.reports().empty(); });
    EXPECT_THAT(house.report_text(house.reports().front()), HasSubstr(std::string("Status: ") + c.status));
  }
}

}  // namespace
}  // namespace sidegate::deliver::tls_demands_test
