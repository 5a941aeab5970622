#include "login/failures.h"

#include <gtest/gtest.h>

#include "login/credential_cache.h"

namespace sidegate::login::failures_test {
namespace {

using namespace std::chrono_literals;

SteadyTime at(Duration d) {
  return SteadyTime(std::chrono::hours(1)) + d;
}

TEST(Failures, ByAddressUntilTheyFlowOff) {
  Failures f({.per_address = 5, .per_user = 0});
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(f.may_try("192.0.2.1", "me", at(0ms)));
    f.failed("192.0.2.1", "u" + std::to_string(i), at(0ms));
  }
  EXPECT_FALSE(f.may_try("192.0.2.1", "me", at(0ms)));
  EXPECT_TRUE(f.may_try("192.0.2.2", "me", at(0ms)));
  EXPECT_TRUE(f.may_try("192.0.2.1", "me", at(10min)));
}

TEST(Failures, AnIpv6ClientIsItsNetwork) {
  EXPECT_EQ(failure_key("2001:db8:0:1:2:3:4:5"), "2001:db8:0:1::/64");
  EXPECT_EQ(failure_key("192.0.2.1"), "192.0.2.1");
  Failures f({.per_address = 2, .per_user = 0});
  f.failed("2001:db8::1", "a", at(0ms));
  f.failed("2001:db8::2", "b", at(0ms));
  EXPECT_FALSE(f.may_try("2001:db8::3", "me", at(0ms)));
  EXPECT_TRUE(f.may_try("2001:db8:0:1::3", "me", at(0ms)));
}

TEST(Failures, WhoWasHereBeforeIsNotLockedOut) {
  Failures f({.per_address = 3, .per_user = 3});
  f.succeeded("192.0.2.1", "me", at(0ms));
  for (int i = 0; i < 10; ++i) f.failed("192.0.2.1", "other", at(0ms));
  for (int i = 0; i < 10; ++i) f.failed("198.51.100." + std::to_string(i), "me", at(0ms));
  EXPECT_TRUE(f.may_try("192.0.2.1", "me", at(0ms)));
  EXPECT_FALSE(f.may_try("192.0.2.1", "other", at(0ms)));
  EXPECT_FALSE(f.may_try("203.0.113.9", "me", at(0ms)));  // the attacked user from an address never seen
  EXPECT_TRUE(f.may_try("203.0.113.9", "you", at(0ms)));
  for (int i = 0; i < 20; ++i) f.failed("192.0.2.1", "me", at(0ms));
  EXPECT_FALSE(f.may_try("192.0.2.1", "me", at(0ms)));  // who was here before may not guess for ever
}

TEST(Failures, DelaysGrow) {
  Failures f({.per_address = 0, .per_user = 0, .delay = 500ms});
  std::vector<Duration::rep> delays;
  for (int i = 0; i < 9; ++i) delays.push_back(f.failed("192.0.2.1", "me", at(0ms)).count());
  EXPECT_EQ(delays, (std::vector<Duration::rep>{500, 500, 500, 1000, 2000, 4000, 8000, 8000, 8000}));
  EXPECT_EQ(f.failed("192.0.2.7", "ghost", at(0ms)), 500ms);  // known or not
  EXPECT_EQ(f.failed("192.0.2.1", "me", at(2h)), 500ms);
  EXPECT_TRUE(f.may_try("192.0.2.1", "me", at(0ms)));
}

TEST(Failures, MemoryIsBounded) {
  Failures f({.per_address = 3}, 1024);
  for (int i = 0; i < 20'000; ++i)
    f.failed("10." + std::to_string(i / 250) + ".0." + std::to_string(i % 250), "u" + std::to_string(i), at(0ms));
  EXPECT_LE(f.size(), 1024u + 16);
}

TEST(CredentialCache, KnowsWhatWasVerifiedAndForgets) {
  CredentialCache cache(4);
  const std::string key = cache.key('p', "me", "pass");
  EXPECT_EQ(cache.get(key, at(0ms)), std::nullopt);
  cache.put(key, "me", at(1min), cache.generation());
  EXPECT_EQ(cache.get(key, at(0ms)), "me");
  EXPECT_EQ(cache.get(key, at(1min)), std::nullopt);
  EXPECT_NE(key, cache.key('p', "mep", "ass"));
  EXPECT_NE(key, cache.key('t', "me", "pass"));
  EXPECT_NE(key, CredentialCache().key('p', "me", "pass"));
  const auto before = cache.generation();
  cache.clear();
  EXPECT_EQ(cache.get(key, at(0ms)), std::nullopt);
  cache.put(key, "me", at(1min), before);  // of a check that began before the change
  EXPECT_EQ(cache.get(key, at(0ms)), std::nullopt);
  for (int i = 0; i < 100; ++i) cache.put(std::to_string(i), "x", at(1min), cache.generation());
}

}  // namespace
}  // namespace sidegate::login::failures_test
