#include "intake/user_limits.h"

#include <gtest/gtest.h>

namespace sidegate::intake {
namespace {

using namespace std::chrono_literals;

TEST(UserLimits, ConnectionsAreCountedByUser) {
  UserLimits limits;
  limits.set({.connections = 2});
  UserLimits::Place a, b, c, other;
  EXPECT_TRUE(limits.enter(1000, &a));
  EXPECT_TRUE(limits.enter(1000, &b));
  EXPECT_FALSE(limits.enter(1000, &c));
  EXPECT_TRUE(limits.enter(1001, &other));
  a = {};
  EXPECT_TRUE(limits.enter(1000, &c));
  limits.set({.connections = 0});
  UserLimits::Place d;
  EXPECT_TRUE(limits.enter(1000, &d));
}

TEST(UserLimits, MessagesFlowOff) {
  ManualClock clock;
  UserLimits limits;
  limits.set({.messages_per_minute = 3});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(limits.may_send(1, clock.steady()));
    limits.sent(1, clock.steady());
  }
  EXPECT_FALSE(limits.may_send(1, clock.steady()));
  EXPECT_TRUE(limits.may_send(2, clock.steady()));
  clock.advance(19s);
  EXPECT_FALSE(limits.may_send(1, clock.steady()));
  clock.advance(2s);
  EXPECT_TRUE(limits.may_send(1, clock.steady()));
  limits.sent(1, clock.steady());
  EXPECT_FALSE(limits.may_send(1, clock.steady()));
  limits.set({.messages_per_minute = 0});
  for (int i = 0; i < 100; ++i) limits.sent(1, clock.steady());
  EXPECT_TRUE(limits.may_send(1, clock.steady()));
}

}  // namespace
}  // namespace sidegate::intake
