#include "deliver/settle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

namespace sidegate::deliver::settle_test {
namespace {

using std::chrono_literals::operator""s;

const WallTime kArrived = WallTime(std::chrono::seconds(1'700'000'000));

// A message to one recipient, which is deferred at every attempt.
struct Deferred {
  explicit Deferred(const queue::ScheduleSettings& settings) : schedule(settings) {
    message.envelope.reverse_path = "me@home.example";
    message.envelope.recipients.emplace_back().address = "a@x.example";
    lease.classes = {1};
  }

  Settled attempt(WallTime now, double random, Duration hold = Duration(0)) {
    Circumstances c;
    c.message = &message;
    c.lease = &lease;
    c.schedule = &schedule;
    c.routes = &routes;
    c.now = now;
    c.arrived = kArrived;
    c.random = random;
    target.verdict = Verdict{};
    target.verdict.action = Action::kDefer;
    target.verdict.hold = hold;
    target.class_id = 1;
    Settled settled = settle(c, {&target, 1});
    if (!settled.outcome.recipients.empty()) target.row = settled.outcome.recipients[0];
    ++lease.attempts;
    return settled;
  }

  queue::ScheduleSettings schedule;
  queue::Message message;
  queue::Lease lease;
  route::Table routes = route::Table::all(1);
  Target target;
};

struct Life {
  std::optional<WallTime> told;
  WallTime ended{};
  unsigned attempts = 0, reports = 0;
};

// Each attempt is made when it is due.
Life live(Deferred& deferred, const std::function<double()>& random) {
  Life life;
  for (WallTime now = kArrived; life.attempts < 10'000'000;) {
    ++life.attempts;
    const Settled settled = deferred.attempt(now, random());
    for (const PlannedReport& report : settled.reports) {
      if (report.about[0].action != dsn::Action::kDelayed) continue;
      ++life.reports;
      life.told = now;
    }
    life.ended = now;
    if (settled.outcome.finished) return life;
    EXPECT_GT(settled.results[0].due, now);
    EXPECT_EQ(settled.outcome.due.at(0).due, settled.results[0].due);
    now = settled.results[0].due;
  }
  ADD_FAILURE() << "it never ends";
  return life;
}

TEST(Settle, TheLifetimeAndTheDelayReportAreKeptWhateverTheRetriesAre) {
  std::mt19937_64 engine(1);
  const auto between = [&engine](Duration::rep least, Duration::rep most) {  // evenly over the magnitudes
    std::uniform_real_distribution<double> magnitude(std::log(least), std::log(most));
    return Duration(static_cast<Duration::rep>(std::exp(magnitude(engine))));
  };
  std::uniform_real_distribution<double> evenly(0, 1);
  for (int i = 0; i < 300; ++i) {
    queue::ScheduleSettings settings;
    settings.lifetime = between(1000, 60ll * 86'400'000);
    settings.delay_report = i % 5 == 0 ? Duration(0) : between(1, 60ll * 86'400'000);
    settings.retry_first = between(std::max<Duration::rep>(100, settings.lifetime.count() / 10'000), 86'400'000);
    settings.retry_max = std::max(settings.retry_first, between(100, 7ll * 86'400'000));
    Deferred deferred(settings);
    const Life life = live(deferred, [&] { return evenly(engine); });
    EXPECT_GE(life.ended, kArrived + settings.lifetime);
    EXPECT_LE(life.ended, kArrived + settings.lifetime + 1s) << settings.retry_first << " " << settings.retry_max;
    const bool tells = settings.delay_report > Duration(0) && settings.delay_report + Duration(200) < settings.lifetime;
    if (tells) {
      ASSERT_TRUE(life.told) << settings.delay_report << " of " << settings.lifetime;
      EXPECT_EQ(life.reports, 1u);
      EXPECT_GE(*life.told, kArrived + settings.delay_report);
      EXPECT_LE(*life.told, kArrived + settings.delay_report + 1s);
    }
  }
}

TEST(Settle, WhatTheRelayAsksToWaitPutsOffNeither) {
  Deferred deferred({});
  EXPECT_LE(deferred.attempt(kArrived, 0.5, Duration(24h)).results[0].due, kArrived + 4h + 1s);
}

TEST(Settle, NoAttemptIsMadeEarlierForAReportThatNobodyGets) {
  queue::ScheduleSettings settings;
  settings.retry_first = 5h;
  settings.retry_max = 5h;
  settings.lifetime = 24h;
  for (int kind = 0; kind < 4; ++kind) {
    Deferred deferred(settings);
    if (kind == 0) deferred.message.envelope.reverse_path.clear();
    if (kind == 1) deferred.message.is_report = true;
    if (kind == 2) deferred.message.envelope.recipients[0].notify.never = true;
    if (kind == 3) deferred.target.row.delay_reported = true;
    EXPECT_GT(deferred.attempt(kArrived, 1.0).results[0].due, kArrived + 4h + 1s) << kind;
  }
}

// A destination that refuses our address is left in peace for a day; the message in hand only until its own next try,
// when another way may be there, or this one mended.
TEST(Settle, AWaysPauseIsNotTheMessages) {
  for (const std::size_t ways : {1u, 2u}) {  // without a next way, and with one that may be down
    Deferred deferred({});
    deferred.routes = route::Table::all(ways);
    Circumstances c;
    c.message = &deferred.message;
    c.lease = &deferred.lease;
    c.schedule = &deferred.schedule;
    c.routes = &deferred.routes;
    c.now = c.arrived = kArrived;
    c.blame_way_only = false;
    Target& target = deferred.target;
    target.class_id = 1;
    target.verdict.scope = Scope::kWay;
    target.verdict.action = Action::kNextWay;
    target.verdict.otherwise = Action::kHoldWay;
    target.verdict.hold = 24h;
    const Settled settled = settle(c, {&target, 1});
    ASSERT_EQ(settled.results.size(), 1u);
    EXPECT_LE(settled.results[0].due, kArrived + 2 * deferred.schedule.retry_first) << ways;
  }
}

}  // namespace
}  // namespace sidegate::deliver::settle_test
