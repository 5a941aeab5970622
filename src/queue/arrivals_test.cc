#include "queue/arrivals.h"

#include <gtest/gtest.h>

namespace sidegate::queue::arrivals_test {
namespace {

using namespace std::chrono_literals;

// A clock, the ids it gives, and what the table makes of them.
class ArrivalsTest : public ::testing::Test {
 protected:
  ArrivalsTest() { look(); }
  Duration look() {
    auto steady = std::chrono::duration_cast<Duration>(clock.steady().time_since_epoch());
    return arrivals.look(steady.count(), clock.wall(), newest);
  }
  QueueId accept() {
    newest = ids.next();
    return newest;
  }
  Duration jump(Duration by) {
    clock.jump(by);
    return look();
  }
  void pass(Duration by) {
    clock.advance(by);
    look();
  }
  Duration age(QueueId id) const { return clock.wall() - arrivals.of(id); }

  ManualClock clock;
  QueueIdSource ids{clock};
  QueueId newest;
  Arrivals arrivals;
};

TEST_F(ArrivalsTest, AgesGrowWithTheSteadyClock) {
  QueueId id = accept();
  pass(3h);
  EXPECT_EQ(age(id), 3h);
  EXPECT_EQ(jump(29s), 0s);  // how clocks are kept right
  EXPECT_EQ(age(id), 3h + 29s);
}

TEST_F(ArrivalsTest, AJumpForwardMakesNothingOlder) {
  QueueId before = accept();
  pass(1h);
  EXPECT_EQ(jump(240h), 240h);
  EXPECT_EQ(look(), 0h);  // told once
  QueueId after = accept();
  EXPECT_EQ(age(before), 1h);
  EXPECT_EQ(age(after), 0h);
  pass(2h);
  EXPECT_EQ(age(before), 3h);
  EXPECT_EQ(age(after), 2h);
}

TEST_F(ArrivalsTest, AJumpBackMakesNothingOlderAndStallsNothing) {
  QueueId before = accept();
  pass(2h);
  EXPECT_EQ(jump(-24h), -24h);
  EXPECT_EQ(age(before), 2h);
  QueueId after = accept();
  EXPECT_GT(after, before);  // ids only grow
  EXPECT_LE(age(after), 0h);
  pass(30h);
  EXPECT_EQ(age(before), 32h);
  EXPECT_LE(age(after), 30h);
  EXPECT_GE(age(after), 4h);
}

TEST_F(ArrivalsTest, AheadForAWhile) {
  QueueId before = accept();
  pass(1h);
  jump(240h);
  QueueId between = accept();
  pass(10min);
  jump(-240h);
  EXPECT_EQ(age(before), 70min);
  EXPECT_EQ(age(between), 10min);
  QueueId after = accept();
  EXPECT_LE(age(after), 0min);
  pass(300h);
  EXPECT_EQ(age(before), 300h + 70min);
  EXPECT_LE(age(after), 300h);
}

TEST_F(ArrivalsTest, BehindForAWhile) {
  QueueId before = accept();
  pass(1h);
  jump(-24h);
  QueueId between = accept();  // its id has the time of the one before
  pass(10min);
  jump(24h);
  EXPECT_EQ(age(before), 70min);
  EXPECT_LE(age(between), 70min);
  QueueId after = accept();
  EXPECT_EQ(age(after), 0min);
}

// A machine without a clock of its own begins in 1970 and learns the time later: stored messages have the right time.
TEST_F(ArrivalsTest, WhatWasStampedInTheFutureIsNotMovedByTheJumpToIt) {
  QueueId stored = accept();
  clock.jump(-20'000h);
  Arrivals fresh;
  arrivals = fresh;
  look();
  pass(1min);
  jump(20'000h);
  EXPECT_EQ(age(stored), 1min);
}

TEST_F(ArrivalsTest, BoundedWhateverTheClockDoes) {
  QueueId id = accept();
  for (int i = 0; i < 2000; ++i) {
    pass(1s);
    jump(i % 2 == 0 ? 24h : -24h);
  }
  EXPECT_LE(age(id), 2000s + 48h);
}

}  // namespace
}  // namespace sidegate::queue::arrivals_test
