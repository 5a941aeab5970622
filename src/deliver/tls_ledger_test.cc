// Policies that others publish and counters of sessions, between direct delivery and the store.
#include "deliver/tls_ledger.h"

#include <gtest/gtest.h>

#include <future>

#include "queue/memory_store.h"

namespace sidegate::deliver::tls_ledger_test {
namespace {

using mta_sts::Mode;
using tlsrpt::PolicyType;
using tlsrpt::ResultType;

struct Known : testing::Test {
  ManualClock clock;
  queue::MemoryCluster cluster{clock};
  queue::MemoryStore store{cluster, 0};
  net::Loop loop{0, clock, null_log()};
  // Nobody is asked: what is known is in the store.
  dns::Resolver resolver{{.servers = {"127.0.0.1@1"}, .timeout = Duration(200)}, clock};
  std::unique_ptr<mta_sts::Policies> policies;
  std::unique_ptr<TlsLedger> ledger;
  std::thread thread{[this] { loop.run(); }};

  Known() { restart(); }
  ~Known() override {
    loop.stop();
    thread.join();
  }
  void restart() {
    ledger.reset();
    mta_sts::PolicySettings settings;
    settings.record_limit = Duration(200);
    policies = std::make_unique<mta_sts::Policies>(resolver, clock, null_log(), settings);
    ledger = std::make_unique<TlsLedger>(*policies, store, loop);
    ASSERT_TRUE(ledger->load(clock.wall()));
  }
  void note(const std::string& key, std::string value) {
    store.commit(queue::Note{key, std::move(value)}, [](Status s) { EXPECT_TRUE(s); });
  }
  void publish(const std::string& domain, Mode mode) {
    auto policy = std::make_shared<const mta_sts::Policy>(
        mta_sts::Policy{mode, std::chrono::hours(24), {"mx." + domain, "*.backup.example"}});
    note(kStsNotes + domain, mta_sts::encode({policy, "42", clock.wall(), clock.wall()}));
    restart();
  }
  static net::Awaitable<void> ask(TlsLedger* ledger, net::Loop& loop, std::string domain,
                                  std::promise<std::optional<TlsPolicy>>* to) {
    auto found = co_await ledger->find(loop, std::move(domain));
    to->set_value(std::move(found));
  }
  std::optional<TlsPolicy> find(const std::string& domain) {
    std::promise<std::optional<TlsPolicy>> promise;
    loop.spawn("find", ask(ledger.get(), loop, domain, &promise));
    return promise.get_future().get();
  }
  TlsResult result(PolicyKind kind, std::string_view word = {}) {
    return {.domain = "example.org",
            .host = "mx.example.org",
            .address = "198.51.100.1",
            .our_address = "192.0.2.1",
            .kind = kind,
            .tlsa = kind == PolicyKind::kTlsa ? std::vector<std::string>{"3 1 1 ab"} : std::vector<std::string>{},
            .result = word};
  }
  tlsrpt::PolicyCount counted() {
    auto days = ledger->counters().days("example.org");
    return days.empty() ? tlsrpt::PolicyCount{} : days[0].policies.back();
  }
};

TEST_F(Known, WhatIsEnforcedAndWhatIsNot) {
  publish("example.org", Mode::kEnforce);
  publish("testing.example", Mode::kTesting);
  publish("none.example", Mode::kNone);
  auto policy = find("Example.org");
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->level, TlsLevel::kVerify);
  EXPECT_EQ(policy->match, std::vector<std::string>{"hostname"});
  EXPECT_EQ(policy->why, policy_source::kMtaSts);
  EXPECT_EQ(policy->hosts, (std::vector<std::string>{"mx.example.org", "*.backup.example"}));
  EXPECT_EQ(policy->published, "id 42");
  for (const char* domain : {"testing.example", "none.example", "other.example", "[192.0.2.1]"})
    EXPECT_FALSE(find(domain)) << domain;
}

TEST_F(Known, ByWhatASessionIsCounted) {
  ledger->heard(result(PolicyKind::kTlsa));
  EXPECT_EQ(counted().policy, (tlsrpt::Policy{PolicyType::kTlsa, {"3 1 1 ab"}, {"mx.example.org"}}));
  EXPECT_EQ(counted().good, 1u);
  ledger->heard(result(PolicyKind::kNone, "starttls-not-supported"));
  EXPECT_EQ(counted().policy.type, PolicyType::kNoPolicyFound);
  ASSERT_EQ(counted().failures.size(), 1u);
  EXPECT_EQ(counted().failures[0].type, ResultType::kStartTlsNotSupported);
  EXPECT_EQ(counted().failures[0].sending_address, "192.0.2.1");
  ledger->heard(result(PolicyKind::kTlsa, "a new word"));
  EXPECT_EQ(ledger->counters().days("example.org")[0].policies[0].failures[0].type, ResultType::kValidationFailure);
  publish("example.org", Mode::kEnforce);
  ledger->heard(result(PolicyKind::kSts, "certificate-expired"));
  EXPECT_EQ(counted().policy.type, PolicyType::kSts);
  EXPECT_EQ(counted().policy.text.front(), "version: STSv1");
  EXPECT_EQ(counted().failures[0].type, ResultType::kCertificateExpired);
  TlsResult literal = result(PolicyKind::kNone);
  literal.domain = "[192.0.2.1]";
  ledger->heard(literal);
  EXPECT_EQ(ledger->counters().days().size(), 1u);
}

// RFC 8461 section 5: mail goes, and what would have been refused is told.
TEST_F(Known, InTesting) {
  publish("example.org", Mode::kTesting);
  ledger->heard(result(PolicyKind::kNone));
  EXPECT_EQ(counted().policy.type, PolicyType::kSts);
  EXPECT_EQ(counted().good, 1u);
  TlsResult wrong = result(PolicyKind::kNone);
  wrong.authenticated = "certificate-not-trusted";
  ledger->heard(wrong);
  EXPECT_EQ(counted().failures.at(0).type, ResultType::kCertificateNotTrusted);
  wrong.host = "mx.other.example";
  ledger->heard(wrong);
  EXPECT_EQ(counted().failures.at(1).type, ResultType::kValidationFailure);
  wrong.host = "one.backup.example";
  wrong.authenticated = {};
  ledger->heard(wrong);
  EXPECT_EQ(counted().good, 2u);
}

TEST_F(Known, OverARestart) {
  publish("example.org", Mode::kEnforce);
  note(std::string(kStsNotes) + "broken.example", "nonsense");
  note(std::string(kReportNotes) + "2001-01-01/example.org", "old");
  ledger->heard(result(PolicyKind::kSts));
  ledger->write();
  restart();
  EXPECT_EQ(counted().good, 1u);
  EXPECT_TRUE(find("example.org"));
  EXPECT_EQ(store.notes(kStsNotes)->size(), 1u);
  EXPECT_EQ(store.notes(kReportNotes)->size(), 1u);
  // What comes after the end is not written any more.
  ledger->finish();
  ledger->heard(result(PolicyKind::kSts));
  ledger->write();
  restart();
  EXPECT_EQ(counted().good, 1u);
  clock.advance(std::chrono::hours(24) * tlsrpt::kDaysKept);
  ledger->forget_old();
  ledger->write();
  EXPECT_TRUE(store.notes(kReportNotes)->empty());
}

}  // namespace
}  // namespace sidegate::deliver::tls_ledger_test
