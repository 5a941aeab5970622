#include "queue/retry.h"

#include <gtest/gtest.h>

namespace sidegate::queue::retry_test {
namespace {

const WallTime kArrived = WallTime(std::chrono::seconds(1'700'000'000));

TEST(RetryDelay, DoublesUpToTheLongestAndSpreadsByAQuarter) {
  const ScheduleSettings defaults;
  const struct {
    unsigned attempts;
    double random;
    Duration expected;
  } cases[] = {
      {0, 0.0, 1min},     {1, 0.0, 1min},
      {1, 0.5, 67'500ms}, {1, 1.0, 75s},
      {2, 0.0, 2min},     {3, 0.0, 4min},
      {8, 0.0, 128min},   {8, 0.8, 153min + 36s},
      {9, 0.0, 3h},       {9, 1.0, 4h},
      {10, 0.0, 3h},      {10, 0.5, 3h + 30min},
      {65535, 0.0, 3h},   {4'000'000'000, 1.0, 4h},
      {1, -3.0, 1min},    {1, 7.0, 75s},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(retry_delay(defaults, c.attempts, c.random), c.expected) << c.attempts << " " << c.random;
  }
}

TEST(RetryDelay, OddSettingsStillWait) {
  ScheduleSettings settings;
  settings.retry_first = 4h;
  settings.retry_max = 1h;  // the longer of the two is the longest
  EXPECT_EQ(retry_delay(settings, 3, 0.0), 3h);
  settings.retry_first = 0ms;
  settings.retry_max = 0ms;
  EXPECT_GE(retry_delay(settings, 1, 0.0), 0ms);
  settings.retry_max = 1s;
  EXPECT_GT(retry_delay(settings, 20, 0.0), 0ms);
  settings.retry_first = settings.retry_max = 1s;
  for (unsigned attempts = 1; attempts < 20; ++attempts) {
    EXPECT_GE(retry_delay(settings, attempts, 0.0), 750ms);
    EXPECT_LE(retry_delay(settings, attempts, 0.999), 1s);
  }
}

TEST(Lifetime, EndsAfterTheSettingNotBefore) {
  const ScheduleSettings defaults;
  EXPECT_FALSE(expired(defaults, kArrived, kArrived));
  EXPECT_FALSE(expired(defaults, kArrived, kArrived + 5 * 24h - 1ms));
  EXPECT_TRUE(expired(defaults, kArrived, kArrived + 5 * 24h));
  EXPECT_FALSE(expired(defaults, kArrived, kArrived - 48h));  // the clock was set back
}

TEST(DelayReport, IsDueAfterTheSettingAndNeverWhenZero) {
  ScheduleSettings settings;
  EXPECT_FALSE(delay_report_due(settings, kArrived, kArrived + 4h - 1ms));
  EXPECT_TRUE(delay_report_due(settings, kArrived, kArrived + 4h));
  EXPECT_FALSE(delay_report_due(settings, kArrived, kArrived - 10h));
  settings.delay_report = 0ms;
  EXPECT_FALSE(delay_report_due(settings, kArrived, kArrived + 1000h));
}

TEST(DueAtLatest, IsTheFirstThatIsStillToCome) {
  const ScheduleSettings defaults;
  const WallTime told = kArrived + 4h + 100ms, ends = kArrived + 5 * 24h + 100ms;
  EXPECT_EQ(due_at_latest(defaults, kArrived, kArrived, true), told);
  EXPECT_EQ(due_at_latest(defaults, kArrived, kArrived + 4h - 1ms, true), told);
  EXPECT_EQ(due_at_latest(defaults, kArrived, kArrived + 4h, true), ends);
  EXPECT_EQ(due_at_latest(defaults, kArrived, kArrived, false), ends);
  EXPECT_EQ(due_at_latest(defaults, kArrived, kArrived + 5 * 24h, true), WallTime::max());
  ScheduleSettings never = defaults;
  never.delay_report = 0ms;
  EXPECT_EQ(due_at_latest(never, kArrived, kArrived - 1h, true), ends);
  ScheduleSettings late = defaults;
  late.delay_report = 6 * 24h;
  EXPECT_EQ(due_at_latest(late, kArrived, kArrived, true), ends);
}

}  // namespace
}  // namespace sidegate::queue::retry_test
