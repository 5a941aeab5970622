// What `explain sts` and `tls report` show: of the running server, and of the queue on disk.
#include "admin/tls_rows.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "deliver/tls_ledger.h"
#include "queue/memory_store.h"

namespace sidegate::admin::tls_rows_test {
namespace {

namespace json = boost::json;

TEST(TlsRows, APolicyAndWhatIsKnownOfIt) {
  const WallTime now{std::chrono::seconds(1'700'000'000)};
  mta_sts::Known known{.domain = "example.org", .record = "2", .record_trouble = {}, .in_force = {}};
  EXPECT_EQ(json::parse(sts_json(known, now)),
            json::parse(R"({"domain":"example.org","record":{"id":"2"},"in_force":"none"})"));
  known.in_force.policy = std::make_shared<const mta_sts::Policy>(
      mta_sts::Policy{mta_sts::Mode::kEnforce, std::chrono::hours(1), {"mx.example.org"}});
  known.in_force.id = "1";
  known.in_force.fetched = now - std::chrono::minutes(10);
  known.in_force.trouble = mta_sts::FetchTrouble{mta_sts::Failure::kWebPki, "why"};
  known.expires = now + std::chrono::minutes(50);
  EXPECT_EQ(json::parse(sts_json(known, now)), json::parse(R"({
    "domain":"example.org","record":{"id":"2"},
    "policy":{"mode":"enforce","mx":["mx.example.org"],"max_age":3600,"id":"1","fetched":"2023-11-14T22:03:20Z",
              "age":600,"expires":"2023-11-14T23:03:20Z"},
    "trouble":{"failure":"sts-webpki-invalid","reason":"why"},"in_force":"enforce"})"));
}

TEST(TlsRows, FromTheQueueOnDisk) {
  ManualClock clock;
  queue::MemoryCluster cluster{clock};
  queue::MemoryStore store{cluster, 0};
  auto note = [&](std::string key, std::string value) {
    store.commit(queue::Note{std::move(key), std::move(value)}, [](Status s) { EXPECT_TRUE(s); });
  };
  auto policy = std::make_shared<const mta_sts::Policy>(
      mta_sts::Policy{mta_sts::Mode::kTesting, std::chrono::hours(1), {"mx.example.org"}});
  note("sts/example.org", mta_sts::encode({policy, "1", clock.wall(), clock.wall()}));
  note("sts/example.organic", "nonsense");
  tlsrpt::Counters counters;
  counters.note({.domain = "example.org", .policy = {}, .failure = {}}, clock.wall());
  for (auto& [key, row] : counters.take_changes()) note("tlsrpt/" + key, row);
  note("tlsrpt/broken", "nonsense");
  auto in_force = [&](const std::string& domain) {
    return json::parse(*show_sts_offline(store, domain, clock.wall())).as_object().at("in_force").as_string();
  };
  EXPECT_EQ(in_force("Example.org"), "testing");
  EXPECT_EQ(in_force("example.organic"), "none");
  EXPECT_EQ(in_force("other.example"), "none");
  std::vector<std::string> rows;
  auto take = [&](std::string row) {
    rows.push_back(std::move(row));
    return true;
  };
  EXPECT_EQ(*report_tls_offline(store, "", clock.wall(), take), R"({"days":1,"offline":true})");
  EXPECT_EQ(rows, std::vector<std::string>{tlsrpt::json(counters.days()[0])});
  EXPECT_EQ(*report_tls_offline(store, "other.example", clock.wall(), take), R"({"days":0,"offline":true})");
  clock.advance(std::chrono::hours(1));
  EXPECT_EQ(in_force("example.org"), "none");
}

}  // namespace
}  // namespace sidegate::admin::tls_rows_test
