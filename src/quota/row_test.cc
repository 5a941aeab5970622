#include "quota/row.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sidegate::quota::row_test {
namespace {

using namespace std::chrono_literals;
using enum Measure;
using enum Span;

constexpr Kind kPlan[] = {{kMessages, kMinute}, {kMessages, kDay}, {kRecipients, kHour}, {kOctets, kDay}};
const WallTime kWall{std::chrono::seconds(1'700'000'000)};

SteadyTime at(std::chrono::nanoseconds t) {
  return SteadyTime(1h + t);
}

TEST(Counters, SayWhichLimitIsInTheWay) {
  Counters c(kPlan);
  const Limit limits[] = {{{kMessages, kMinute}, 3}, {{kMessages, kDay}, 5}, {{kOctets, kDay}, 0}};
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(c.over(limits, kMessages, 1, at(0s)));
    c.add(kMessages, 1, at(0s));
  }
  auto over = c.over(limits, kMessages, 1, at(0s));
  ASSERT_TRUE(over);
  EXPECT_EQ(over->limit.kind.span, kMinute);
  EXPECT_GE(over->room_in, 1min);
  EXPECT_LE(over->room_in, 65s);
  c.add(kMessages, 2, at(70s));
  over = c.over(limits, kMessages, 1, at(70s));
  ASSERT_TRUE(over);
  EXPECT_EQ(over->limit.kind.span, kDay);
  EXPECT_FALSE(c.over(limits, kRecipients, 1'000'000, at(70s)));  // no limit on them
  EXPECT_FALSE(c.over(limits, kOctets, ~0ull, at(70s)));          // 0: none
  over = c.over(limits, kMessages, 6, at(70s));
  EXPECT_TRUE(over && over->never);
  c.take_back(kMessages, 2, at(70s));
  EXPECT_FALSE(c.over(limits, kMessages, 1, at(70s)));
  EXPECT_EQ(c.count({kRecipients, kMinute}, at(70s)), 0u);  // not in the plan
}

// Several sessions ask before they count; the limit holds in any stretch of its length.
TEST(Counters, ALimitHoldsInEveryStretch) {
  EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& pauses) {
    Counters c(kPlan);
    const Limit limits[] = {{{kMessages, kMinute}, 4}};
    std::vector<std::chrono::nanoseconds> taken;
    std::chrono::nanoseconds now{0};
    for (std::uint8_t pause : pauses) {
      now += pause * 100ms;
      if (c.over(limits, kMessages, 1, at(now))) continue;
      c.add(kMessages, 1, at(now));
      taken.push_back(now);
      if (taken.size() > 4) RC_ASSERT(taken[taken.size() - 1] - taken[taken.size() - 5] > 1min);
    }
  }));
}

TEST(Usual, IsTheAverageOfBusyHours) {
  Usual usual;
  EXPECT_EQ(usual.far_over(10, 100, at(0s)), 100);
  for (int day = 0; day < 40; ++day) {
    for (int i = 0; i < 20; ++i) usual.add(1, at(24h * day + 1min * i));
  }
  const SteadyTime later = at(24h * 40);
  EXPECT_NEAR(usual.per_hour(later), 20, 0.1);
  EXPECT_NEAR(usual.far_over(10, 100, later), 200, 1);
  EXPECT_NEAR(usual.far_over(10, 500, later), 500, 1);
  usual.add(5000, later);  // one hour more moves it by a sixteenth
  EXPECT_NEAR(usual.per_hour(later), 20, 0.1);
  EXPECT_NEAR(usual.per_hour(later + 1h), 20 + 4980.0 / 16, 1);
}

TEST(Usual, WhatWasLetPassIsLearntAtOnce) {
  Usual usual;
  usual.let_pass(201, at(0s));
  EXPECT_TRUE(usual.lets_pass(at(1h)));
  usual.add(299, at(1min));
  usual.add(201, at(2min));
  EXPECT_FALSE(usual.lets_pass(at(2h)));
  EXPECT_EQ(usual.far_over(0, 100, at(24h * 30)), 1000);
}

Row any_row(SteadyTime now) {
  Row row(kPlan);
  row.counters.add(kMessages, *rc::gen::inRange(0, 1000), now - 10s);
  row.counters.add(kMessages, *rc::gen::inRange(0, 1000), now);
  row.counters.add(kRecipients, *rc::gen::inRange(0, 100'000), now);
  row.usual.add(static_cast<std::uint64_t>(*rc::gen::inRange(0, 1000)), now);
  row.last_used = kWall - Duration(*rc::gen::inRange(0, 1'000'000));
  row.program = *rc::gen::arbitrary<bool>();
  if (*rc::gen::arbitrary<bool>())
    row.stop = Stop{kWall, *rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<std::string>(),
                    *rc::gen::inRange<std::uint64_t>(0, 1000)};
  return row;
}

TEST(Row, ComesBackAsItWas) {
  EXPECT_TRUE(rc::check([] {
    const Row row = any_row(at(0s));
    const std::string text = encode(row, at(0s), kWall);
    // Another process, whose steady clock is another.
    const SteadyTime now(5min);
    auto back = decode(text, kPlan, now, kWall);
    RC_ASSERT(back.has_value());
    for (const Kind& kind : kPlan) RC_ASSERT(back->counters.count(kind, now) == row.counters.count(kind, at(0s)));
    RC_ASSERT(back->stop.has_value() == row.stop.has_value());
    if (row.stop)
      RC_ASSERT(back->stop->reason == row.stop->reason && back->stop->told == row.stop->told &&
                back->stop->sent == row.stop->sent);
    RC_ASSERT(back->last_used == row.last_used && back->program == row.program);
    RC_ASSERT(encode(*back, now, kWall) == text);
    for (std::size_t cut = 0; cut < text.size(); ++cut) RC_ASSERT(!decode(text.substr(0, cut), kPlan, now, kWall));
    RC_ASSERT(!decode(text + "x", kPlan, now, kWall));
  }));
}

TEST(Row, TimeThatPassedMeanwhileCounts) {
  Row row(kPlan);
  row.counters.add(kMessages, 3, at(0s));
  const std::string text = encode(row, at(0s), kWall);
  struct {
    Duration away;
    std::uint64_t minute, day;
  } cases[] = {{0s, 3, 3}, {50s, 3, 3}, {70s, 0, 3}, {23h, 0, 3}, {26h, 0, 0}, {-48h, 3, 3} /* set back */};
  for (const auto& c : cases) {
    auto back = decode(text, kPlan, SteadyTime(1s), kWall + c.away);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->counters.count(kPlan[0], SteadyTime(1s)), c.minute) << c.away.count();
    EXPECT_EQ(back->counters.count(kPlan[1], SteadyTime(1s)), c.day) << c.away.count();
  }
}

TEST(Row, AnotherPlanKeepsWhatItKnows) {
  Row row(kPlan);
  row.counters.add(kMessages, 3, at(0s));
  constexpr Kind kOther[] = {{kRecipients, kMinute}, {kMessages, kDay}};
  auto back = decode(encode(row, at(0s), kWall), kOther, at(0s), kWall);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->counters.count(kOther[1], at(0s)), 3u);
}

}  // namespace
}  // namespace sidegate::quota::row_test
