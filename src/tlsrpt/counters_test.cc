#include "tlsrpt/counters.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tlsrpt/report.h"
#include "tlsrpt/row.h"

namespace sidegate::tlsrpt::counters_test {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr WallTime kNow{std::chrono::seconds(1'700'000'000)};  // 2023-11-14 22:13:20 UTC

Session session(std::string domain = "example.org", std::optional<ResultType> failure = {}) {
  return {.domain = std::move(domain),
          .policy = {PolicyType::kSts, {"version: STSv1", "mode: enforce"}, {"mail.example.org"}},
          .failure = failure,
          .sending_address = "192.0.2.1",
          .mx_host = "mail.example.org",
          .address = "198.51.100.12",
          .reason = failure ? "why" : ""};
}

TEST(TlsCounters, ByDayDomainAndPolicy) {
  Counters counters;
  counters.note(session(), kNow);
  counters.note(session("EXAMPLE.org"), kNow);
  counters.note(session("example.org", ResultType::kCertificateExpired), kNow);
  counters.note(session("example.org", ResultType::kCertificateExpired), kNow);
  counters.note(session("example.org", ResultType::kStartTlsNotSupported), kNow);
  Session plain = session();
  plain.policy = {};
  counters.note(plain, kNow);
  counters.note(session(), kNow + 2h);  // the next day
  counters.note(session("other.example"), kNow);
  auto days = counters.days("example.org");
  ASSERT_EQ(days.size(), 2u);
  EXPECT_EQ(days[0].date, "2023-11-14");
  EXPECT_EQ(days[1].date, "2023-11-15");
  ASSERT_EQ(days[0].policies.size(), 2u);
  const PolicyCount& sts = days[0].policies[0];
  EXPECT_EQ(sts.good, 2u);
  EXPECT_EQ(sts.bad, 3u);
  ASSERT_EQ(sts.failures.size(), 2u);
  EXPECT_EQ(sts.failures[0].sessions, 2u);
  EXPECT_EQ(days[0].policies[1].policy.type, PolicyType::kNoPolicyFound);
  EXPECT_EQ(counters.days().size(), 3u);
}

TEST(TlsCounters, OnDiskAndBack) {
  Counters counters;
  for (std::uint8_t type = 0; type < kResultTypes; ++type)
    counters.note(session("example.org", static_cast<ResultType>(type)), kNow);
  auto rows = counters.take_changes();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].first, "2023-11-14/example.org");
  EXPECT_TRUE(counters.take_changes().empty());
  Counters other;
  ASSERT_TRUE(other.restore(rows[0].first, rows[0].second, kNow + 3h));
  EXPECT_EQ(tlsrpt::json(other.days()[0]), tlsrpt::json(counters.days()[0]));
  other.note(session(), kNow);  // goes on where it stopped
  EXPECT_EQ(other.days()[0].policies[0].good, 1u);
  const std::string& row = rows[0].second;
  for (std::size_t n = 0; n < row.size(); ++n) EXPECT_FALSE(decode(row.substr(0, n))) << n;
  for (const char* key : {"", "2023-11-14", "2023-11-14/", "1999-01-01/example.org", "2030-01-01/example.org"})
    EXPECT_FALSE(other.restore(key, row, kNow)) << key;
}

TEST(TlsCounters, OldDaysGo) {
  Counters counters;
  counters.note(session(), kNow);
  (void)counters.take_changes();
  counters.forget_old(kNow + 24h * (kDaysKept - 1));
  EXPECT_EQ(counters.days().size(), 1u);
  counters.forget_old(kNow + 24h * kDaysKept);
  EXPECT_TRUE(counters.days().empty());
  auto rows = counters.take_changes();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows[0].second.empty());
}

TEST(TlsCounters, Bounded) {
  Counters counters;
  for (std::size_t n = 0; n < kMostDomains + 5; ++n) counters.note(session(fmt::format("d{}.example", n)), kNow);
  EXPECT_EQ(counters.days().size(), kMostDomains);
  EXPECT_EQ(counters.not_counted(), 5u);
  counters.note(session("d1.example"), kNow);  // who is known is counted on
  EXPECT_EQ(counters.days("d1.example")[0].policies[0].good, 2u);
  for (std::size_t n = 0; n < kMostFailures + 3; ++n) {
    Session bad = session("d2.example", ResultType::kValidationFailure);
    bad.address = fmt::format("198.51.100.{}", n);
    counters.note(bad, kNow);
  }
  const PolicyCount count = counters.days("d2.example")[0].policies[0];
  EXPECT_EQ(count.failures.size(), kMostFailures);
  EXPECT_EQ(count.not_detailed, 3u);
  EXPECT_EQ(count.bad, kMostFailures + 3);
  for (std::size_t n = 0; n < kMostPolicies + 3; ++n) {
    Session changed = session("d3.example");
    changed.policy.text = {fmt::format("{}", n)};
    counters.note(changed, kNow);
  }
  EXPECT_EQ(counters.days("d3.example")[0].policies.size(), kMostPolicies);
  Session large = session("d4.example");
  large.policy.text.assign(10'000, std::string(10'000, 'x'));
  counters.note(large, kNow);
  EXPECT_LE(encode(counters.days("d4.example")[0]).size(), 100'000u);
  EXPECT_TRUE(decode(encode(counters.days("d4.example")[0])));
}

// RFC 8460 section 4.4.
TEST(TlsCounters, AsJson) {
  Counters counters;
  counters.note(session(), kNow);
  Session bad = session("example.org", ResultType::kStsWebpkiInvalid);
  bad.address.clear();
  counters.note(bad, kNow);
  EXPECT_EQ(json::parse(tlsrpt::json(counters.days()[0])), json::parse(R"({
    "date": "2023-11-14", "domain": "example.org", "policies": [{
      "policy": {"policy-type": "sts", "policy-string": ["version: STSv1", "mode: enforce"],
                 "policy-domain": "example.org", "mx-host": ["mail.example.org"]},
      "summary": {"total-successful-session-count": 1, "total-failure-session-count": 1},
      "failure-details": [{"result-type": "sts-webpki-invalid", "sending-mta-ip": "192.0.2.1",
        "receiving-mx-hostname": "mail.example.org", "failed-session-count": 1, "failure-reason-code": "why"}]}]})"));
}

}  // namespace
}  // namespace sidegate::tlsrpt::counters_test
