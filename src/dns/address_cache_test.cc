#include "dns/address_cache.h"

#include <gtest/gtest.h>

namespace sidegate::dns::address_cache_test {
namespace {

using namespace std::chrono_literals;

TEST(AddressCache, FreshThenStaleThenGone) {
  AddressCache cache(24h);
  SteadyTime start{1000s};
  cache.put("a", {"192.0.2.1"}, 60s, start);
  EXPECT_TRUE(cache.fresh("a", start + 59s));
  EXPECT_FALSE(cache.fresh("a", start + 60s));
  EXPECT_FALSE(cache.fresh("b", start));
  EXPECT_FALSE(cache.last_good("b", start));

  const auto* entry = cache.last_good("a", start + 23h);
  ASSERT_TRUE(entry);
  EXPECT_TRUE(entry->stale);
  EXPECT_EQ(entry->list, std::vector<std::string>{"192.0.2.1"});
  EXPECT_TRUE(cache.fresh("a", start + 23h + 14s));  // no second time-out within the moment
  EXPECT_FALSE(cache.fresh("a", start + 23h + 15s));
  EXPECT_FALSE(cache.last_good("a", start + 24h));

  cache.put("a", {"192.0.2.2"}, 60s, start + 24h);
  EXPECT_FALSE(cache.fresh("a", start + 24h)->stale);
  cache.remove("a");
  EXPECT_FALSE(cache.last_good("a", start + 24h));
}

TEST(AddressCache, IsBounded) {
  AddressCache cache(24h, 100);
  for (int i = 0; i < 1000; ++i) cache.put(std::to_string(i), {"192.0.2.1"}, 60s, SteadyTime{});
  EXPECT_LE(cache.size(), 100u);
  EXPECT_TRUE(cache.fresh("999", SteadyTime{}));
}

}  // namespace
}  // namespace sidegate::dns::address_cache_test
