#include "deliver/busy.h"

#include <gtest/gtest.h>

namespace sidegate::deliver::busy_test {
namespace {

TEST(Busy, OneCommandHasItsPlacesAndNoMore) {
  Busy busy;
  SteadyTime now{};
  EXPECT_FALSE(busy.enter("a", {1}, 2, now));
  EXPECT_FALSE(busy.enter("a", {2}, 2, now));
  EXPECT_TRUE(busy.enter("a", {3}, 2, now));
  EXPECT_FALSE(busy.enter("b", {4}, 2, now));  // another command is not concerned
  busy.leave("a", Duration(10), now);
  EXPECT_FALSE(busy.enter("a", {3}, 2, now));
  EXPECT_TRUE(busy.enter("a", {5}, 2, now));
}

TEST(Busy, WaitsGrowWithWhatHangsAndAreBounded) {
  Busy busy;
  SteadyTime now{};
  EXPECT_FALSE(busy.enter("a", {1}, 1, now));
  Duration early = *busy.enter("a", {2}, 1, now);
  now += std::chrono::minutes(1);
  Duration late = *busy.enter("a", {2}, 1, now);
  EXPECT_LT(early, Duration(1000));
  EXPECT_GT(late, Duration(59'000));
  now += std::chrono::hours(5);
  for (std::uint64_t id = 10; id < 2000; ++id) EXPECT_LE(*busy.enter("a", {id}, 1, now), Duration(5 * 60'000));
}

TEST(Busy, AQuickCommandIsComeBackToQuickly) {
  Busy busy;
  SteadyTime now{};
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(busy.enter("a", {1}, 1, now));
    now += std::chrono::milliseconds(1);
    busy.leave("a", Duration(1), now);
  }
  EXPECT_FALSE(busy.enter("a", {1}, 1, now));
  for (std::uint64_t id = 10; id < 110; ++id) EXPECT_LE(*busy.enter("a", {id}, 1, now), Duration(1000)) << id;
}

}  // namespace
}  // namespace sidegate::deliver::busy_test
