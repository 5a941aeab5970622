#include "mta_sts/cache.h"

#include <gtest/gtest.h>

#include "base/octets.h"

namespace sidegate::mta_sts::cache_test {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kNow{std::chrono::seconds(1'700'000'000)};

Entry entry(std::chrono::seconds max_age = 86400s, WallTime at = kNow, Mode mode = Mode::kEnforce) {
  return {std::make_shared<const Policy>(Policy{mode, max_age, {"mail.example.org", "*.example.net"}}), "20260101", at,
          at};
}

TEST(StsCache, ForAsLongAsItSays) {
  Cache cache;
  EXPECT_EQ(cache.find("example.org", kNow), nullptr);
  cache.put("example.org", entry(600s));
  ASSERT_NE(cache.find("example.org", kNow + 599s), nullptr);
  EXPECT_EQ(cache.find("example.org", kNow + 599s)->id, "20260101");
  EXPECT_EQ(cache.find("example.org", kNow + 600s), nullptr);
  cache.drop_expired(kNow + 600s);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.octets(), 0u);
  // What says that it may not be kept holds for the mail in hand.
  cache.put("example.org", entry(0s));
  EXPECT_NE(cache.find("example.org", kNow + 1s), nullptr);
  EXPECT_EQ(cache.find("example.org", kNow + kLeastLife), nullptr);
}

TEST(StsCache, DueLongBeforeItExpiresAndOnlyWhileItIsUsed) {
  Cache cache;
  cache.put("short.example", entry(1000s));
  cache.put("long.example", entry(kLongestAge));
  EXPECT_TRUE(cache.due(kNow + 499s, 10).empty());
  EXPECT_EQ(cache.due(kNow + 500s, 10), (std::vector<std::string>{"short.example"}));
  EXPECT_EQ(cache.due(kNow + 24h, 10), (std::vector<std::string>{"long.example"}));  // the other one has expired
  EXPECT_TRUE(cache.due(kNow + 24h * 31, 10).empty());
  cache.touch("long.example", kNow + 24h * 30);
  EXPECT_EQ(cache.due(kNow + 24h * 31, 10).size(), 1u);
  EXPECT_TRUE(cache.due(kNow + 24h * 31, 0).empty());
}

TEST(StsCache, RowsGoThereAndBack) {
  Cache cache;
  cache.put("example.org", entry());
  cache.put("gone.example", entry());
  cache.drop("gone.example");
  auto rows = cache.take_changes();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_TRUE(cache.take_changes().empty());
  EXPECT_EQ(rows[1].first, "gone.example");
  EXPECT_TRUE(rows[1].second.empty());
  Cache other;
  ASSERT_TRUE(other.restore("example.org", rows[0].second, kNow + 1h));
  EXPECT_TRUE(other.take_changes().empty());
  const Entry* read = other.find("example.org", kNow + 1h);
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(*read->policy, *entry().policy);
  EXPECT_EQ(read->fetched, kNow);
  // An hour is noted as no use; a day is.
  cache.touch("example.org", kNow + 1h);
  EXPECT_TRUE(cache.take_changes().empty());
  cache.touch("example.org", kNow + 25h);
  EXPECT_EQ(cache.take_changes().size(), 1u);
}

TEST(StsCache, ABrokenRowIsNotTaken) {
  const std::string row = encode(entry());
  Cache cache;
  EXPECT_FALSE(cache.restore("example.org", row, kNow + 25h));  // expired
  EXPECT_FALSE(cache.restore("Example.org", row, kNow));
  EXPECT_FALSE(cache.restore("../x", row, kNow));
  EXPECT_FALSE(cache.restore("", row, kNow));
  for (std::size_t n = 0; n < row.size(); ++n) EXPECT_FALSE(cache.restore("example.org", row.substr(0, n), kNow)) << n;
  EXPECT_FALSE(cache.restore("example.org", row + "x", kNow));
  EXPECT_EQ(cache.size(), 0u);
  std::string hostile;
  OctetWriter write(hostile);
  for (std::uint64_t number : {1, 2, 86400}) write.number(number);
  write.number(static_cast<std::uint64_t>(kNow.time_since_epoch().count()));
  write.number(0);
  write.string("id");
  write.number(1);
  write.string("a.example\nmx: evil.example");  // one pattern that would be two
  EXPECT_TRUE(!decode(hostile) || decode(hostile)->policy->mx.size() == 2);
  // The clock went back: no longer than from now on.
  ASSERT_TRUE(cache.restore("example.org", row, kNow - 24h * 365));
  EXPECT_EQ(cache.find("example.org", kNow - 24h * 363), nullptr);
}

TEST(StsCache, BoundedByWhoWasWrittenToLast) {
  Cache cache(100, 1 << 20);
  for (int n = 0; n < 101; ++n)
    cache.put(fmt::format("d{:03}.example", n), entry(86400s, kNow + std::chrono::seconds(n)));
  EXPECT_EQ(cache.size(), 90u);
  EXPECT_EQ(cache.find("d010.example", kNow + 200s), nullptr);
  EXPECT_NE(cache.find("d100.example", kNow + 200s), nullptr);
  Cache small(1000, 10'000);
  for (int n = 0; n < 200; ++n)
    small.put(fmt::format("d{:03}.example", n), entry(86400s, kNow + std::chrono::seconds(n)));
  EXPECT_LE(small.octets(), 10'000u);
  EXPECT_GT(small.size(), 10u);
}

}  // namespace
}  // namespace sidegate::mta_sts::cache_test
