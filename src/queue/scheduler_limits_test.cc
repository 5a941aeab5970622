// Limits of accounts, who waits for room and who goes by the next way, and which priority goes first.
#include <rapidcheck.h>

#include <atomic>
#include <thread>

#include "queue/accounts.h"
#include "queue/ready_set.h"
#include "queue/scheduler_fixture.h"

namespace sidegate::queue::scheduler_limits_test {
namespace {

using quota::Measure;
using quota::Span;
using namespace std::chrono_literals;

quota::Limit messages(Span span, std::uint64_t most) {
  return {{Measure::kMessages, span}, most};
}
quota::Limit recipients(Span span, std::uint64_t most) {
  return {{Measure::kRecipients, span}, most};
}

class LimitsTest : public SchedulerTest {
 protected:
  void ways(std::vector<WayLimits> all) {
    s->set_ways(std::move(all), [](const ClassKey& key) {
      Route route;
      for (char c : key.recipient_domain.substr(0, key.recipient_domain.find('.')))
        route.push_back(static_cast<WayId>(c - 'a'));
      return route;
    });
    wakes.clear();
  }
  WayLimits way(std::string name, std::vector<quota::Limit> limits, bool next = true, std::string account = "") {
    return {.name = name,
            .connections = 3,
            .account = account.empty() ? name + ".example user" : std::move(account),
            .limits = std::move(limits),
            .next_when_full = next};
  }
  void finish_taken(const Lease& lease) {
    std::vector<ClassResult> results;
    for (ClassId c : lease.classes) results.push_back({.class_id = c, .taken = 1});
    s->finish(lease, results, 0);
  }
  std::size_t drain_taken(WayId id) {
    std::size_t n = 0;
    for (; auto lease = s->lease(id); ++n) finish_taken(*lease);
    return n;
  }
  WayStatus status(WayId id) {
    for (WayStatus& one : all_ = s->ways()) {
      if (one.id == id) return one;
    }
    return {};
  }
  std::vector<WayStatus> all_;
};

TEST_F(LimitsTest, NoLeaseBeyondTheRoom) {
  ways({way("a", {messages(Span::kMinute, 5)})});
  for (std::uint64_t id = 1; id <= 20; ++id) add(id, cls("a"));
  EXPECT_EQ(drain_taken(kA), 5u);
  EXPECT_TRUE(status(kA).room_at.has_value());
  EXPECT_EQ(status(kA).limits.at(0).used, 5u);
  // Nobody is woken for what waits for room.
  take_wakes();
  for (int i = 0; i < 40; ++i) pass(1s);
  EXPECT_TRUE(take_wakes().empty());
  EXPECT_FALSE(s->lease(kA));
  for (int i = 0; i < 30; ++i) pass(1s);
  EXPECT_FALSE(take_wakes().empty());
  EXPECT_EQ(drain_taken(kA), 5u);
  EXPECT_EQ(s->totals().messages, 10u);
}

TEST_F(LimitsTest, NoMoreIsWokenThanThereIsRoomFor) {
  ways({way("a", {messages(Span::kHour, 2)})});
  std::vector<DueRow> rows;
  for (std::uint64_t id = 1; id <= 20; ++id) rows.push_back(row(id, cls("a")));
  s->add(rows, 0);
  EXPECT_EQ(take_wakes().size(), 2u);
  EXPECT_TRUE(s->take_slot(kA, 0));
  EXPECT_TRUE(s->take_slot(kA, 0));
  EXPECT_FALSE(s->take_slot(kA, 0));
}

TEST_F(LimitsTest, TwoWaysOfOneAccountShareIt) {
  ways({way("a", {messages(Span::kDay, 4)}, true, "h u"), way("b", {messages(Span::kDay, 4)}, true, "h u"),
        way("c", {messages(Span::kDay, 4)}, true, "h v")});
  for (std::uint64_t id = 1; id <= 10; ++id) add(id, cls(id % 2 ? "a" : "b"));
  add(11, cls("c"));
  EXPECT_EQ(drain_taken(kA) + drain_taken(kB), 4u);
  EXPECT_EQ(drain_taken(kC), 1u);
  EXPECT_EQ(status(kB).limits.at(0).used, 4u);
}

TEST_F(LimitsTest, ConnectionsAreTheAccountsToo) {
  ways({way("a", {}, true, "h u"), way("b", {}, true, "h u")});
  for (std::uint64_t id = 1; id <= 10; ++id) add(id, cls(id % 2 ? "a" : "b"));
  int slots = 0;
  for (int i = 0; i < 10; ++i) slots += s->take_slot(kA, 0) + s->take_slot(kB, 0);
  EXPECT_EQ(slots, 3);
}

TEST_F(LimitsTest, WhatFindsNoRoomGoesByTheNextWay) {
  ways({way("a", {messages(Span::kDay, 3)}), way("b", {})});
  for (std::uint64_t id = 1; id <= 10; ++id) add(id, cls("ab"));
  EXPECT_EQ(drain_taken(kA), 3u);
  EXPECT_EQ(drain_taken(kB), 7u);
  add(11, cls("ab"));
  EXPECT_FALSE(s->lease(kA));
  EXPECT_EQ(drain_taken(kB), 1u);
  pass(26h);
  add(12, cls("ab"));
  EXPECT_FALSE(s->lease(kB));
  EXPECT_EQ(drain_taken(kA), 1u);
}

TEST_F(LimitsTest, OrWaitsWhereItIsToldTo) {
  ways({way("a", {messages(Span::kDay, 3)}, false), way("b", {})});
  for (std::uint64_t id = 1; id <= 10; ++id) add(id, cls("ab"));
  EXPECT_EQ(drain_taken(kA), 3u);
  EXPECT_FALSE(s->lease(kB));
  EXPECT_EQ(status(kA).ready, 7u);
  pass(26h);
  EXPECT_EQ(drain_taken(kA), 3u);
}

TEST_F(LimitsTest, WhatNobodyTookIsGivenBack) {
  ways({way("a", {messages(Span::kDay, 2), messages(Span::kMinute, 100)})});
  for (std::uint64_t id = 1; id <= 10; ++id) add(id, cls("a"));
  for (int i = 0; i < 5; ++i) finish(*s->lease(kA), Next::kAt, 10min);  // put off by the peer
  EXPECT_EQ(status(kA).limits.at(0).used, 0u);
  EXPECT_EQ(status(kA).limits.at(1).used, 5u);  // but asked it was: the pace counts
  finish(*s->lease(kA), Next::kSameWay, 0s, false);
  EXPECT_EQ(status(kA).limits.at(1).used, 5u);
  EXPECT_EQ(drain_taken(kA), 2u);
  EXPECT_FALSE(s->lease(kA));
}

TEST_F(LimitsTest, RecipientsCount) {
  ways({way("a", {recipients(Span::kDay, 5)})});
  std::vector<DueRow> rows;
  for (int i = 0; i < 4; ++i) rows.push_back(row(1, cls("a", "s" + std::to_string(i))));
  s->add(rows, 0);
  auto lease = s->lease(kA);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->classes.size(), 4u);
  EXPECT_EQ(lease->charged, 4u);
  Duration room_in{};
  EXPECT_EQ(s->charge_more(*lease, 3, &room_in), 1u);  // one of its classes has four recipients
  EXPECT_GT(room_in, 23h);
  EXPECT_LE(room_in, 26h);
  lease->charged += 1;
  add(2, cls("a"));
  EXPECT_FALSE(s->lease(kA));
  std::vector<ClassResult> results;
  for (ClassId c : lease->classes) results.push_back({.class_id = c, .taken = c == lease->classes[0] ? 1u : 0u});
  s->finish(*lease, results, 0);  // three were unknown: they count for nothing
  EXPECT_EQ(status(kA).limits.at(0).used, 1u);
  EXPECT_TRUE(s->lease(kA));
}

TEST_F(LimitsTest, AMessageOfManyClassesGoesInParts) {
  ways({way("a", {recipients(Span::kDay, 3)})});
  std::vector<DueRow> rows;
  for (int i = 0; i < 8; ++i) rows.push_back(row(1, cls("a", "s" + std::to_string(i))));
  s->add(rows, 0);
  auto lease = s->lease(kA);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->classes.size(), 3u);
  finish_taken(*lease);
  EXPECT_FALSE(s->lease(kA));
  pass(26h);
  lease = s->lease(kA);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->classes.size(), 3u);
  finish_taken(*lease);
}

TEST_F(LimitsTest, TheLedgerOutlivesARestart) {
  ways({way("a", {messages(Span::kDay, 5)})});
  for (std::uint64_t id = 1; id <= 3; ++id) add(id, cls("a"));
  EXPECT_EQ(drain_taken(kA), 3u);
  auto notes = s->take_ledger();
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_TRUE(s->take_ledger().empty());  // until something changes
  for (bool before : {true, false}) {     // the ways are known before or after
    restart(2);
    if (before) s->restore_ledger(notes[0].first, notes[0].second);
    ways({way("a", {messages(Span::kDay, 5)})});
    if (!before) s->restore_ledger(notes[0].first, notes[0].second);
    for (std::uint64_t id = 4; id <= 9; ++id) add(id, cls("a"));
    EXPECT_EQ(drain_taken(kA), 2u);
  }
}

TEST_F(LimitsTest, AReloadMayChangeThem) {
  ways({way("a", {messages(Span::kDay, 2)})});
  for (std::uint64_t id = 1; id <= 9; ++id) add(id, cls("a"));
  EXPECT_EQ(drain_taken(kA), 2u);
  ways({way("a", {messages(Span::kDay, 4)})});
  EXPECT_EQ(drain_taken(kA), 2u);
  ways({way("a", {})});
  EXPECT_EQ(drain_taken(kA), 5u);
}

TEST_F(LimitsTest, ASpentAccountIsHeldAsAWhole) {
  ways({way("a", {}, true, "h u"), way("b", {}, false, "h u"), way("c", {})});
  add(1, cls("ac"));
  add(2, cls("bc"));
  s->account_down(kA, 1h, "550 5.4.5 quota", Duration(4h));
  EXPECT_FALSE(status(kA).up);
  EXPECT_FALSE(status(kB).up);
  EXPECT_TRUE(status(kC).up);
  // The one goes by the next way, the other waits for its own.
  EXPECT_EQ(id_of(s->lease(kC)), 1u);
  EXPECT_FALSE(s->lease(kC));
  pass(61min);
  auto trial = s->lease(kB);
  ASSERT_EQ(id_of(trial), 2u);
  finish(*trial, Next::kSameWay);
  s->account_down(kB, 1h, "550 5.4.5 quota", Duration(4h));
  pass(61min);
  EXPECT_FALSE(s->lease(kB));  // the pause grows
  pass(61min);
  EXPECT_EQ(id_of(s->lease(kB)), 2u);
}

// A reload is no way round it, unless another account stands there now.
TEST_F(LimitsTest, ASpentAccountStaysSpentWhateverElseItsBlockSays) {
  WayLimits a = way("a", {}, true, "h u"), b = way("b", {}, true, "h u");
  ways({a, b});
  s->account_down(kA, 1h, "550 5.4.5 quota", Duration(4h));
  a.edition = 1;
  ways({a, b});
  EXPECT_FALSE(status(kA).up);
  a.edition = 2;
  a.account = "another u";
  ways({a, b});
  EXPECT_TRUE(status(kA).up);
  EXPECT_FALSE(status(kB).up);
  b.edition = 1;
  s->account_down(kB, 1min, "535 bad password", std::nullopt);  // that is no matter of how much it has sent
  ways({a, b});
  EXPECT_TRUE(status(kB).up);
}

TEST_F(LimitsTest, OverdueMailIsFoundWhileItWaitsForRoom) {
  restart(1, 3, {.lifetime = 1h, .delay_report = 0s});
  ways({way("a", {messages(Span::kDay, 1)})});
  const auto id = static_cast<std::uint64_t>(clock.wall().time_since_epoch().count()) << 22;
  add(id, cls("a"));
  EXPECT_EQ(drain_taken(kA), 1u);
  add(id + 1, cls("a"));
  EXPECT_TRUE(s->overdue().empty());
  pass(2h);
  auto leases = s->overdue();
  ASSERT_EQ(leases.size(), 1u);
  EXPECT_EQ(leases[0].charged, 0u);
  finish(leases[0], Next::kEnd);
}

// --- priorities

TEST_F(LimitsTest, AlarmsGoFirstWhateverTheirSender) {
  ways({way("a", {messages(Span::kMinute, 10)})});
  const auto add_as = [&](std::uint64_t id, Priority priority, const std::string& sender) {
    DueRow one = row(id, cls("a", sender));
    one.priority = static_cast<std::uint8_t>(priority);
    s->add({&one, 1}, 0);
  };
  for (std::uint64_t id = 100; id < 200; ++id) add_as(id, Priority::kBulk, "news" + std::to_string(id % 3));
  for (std::uint64_t id = 10; id < 13; ++id) add_as(id, Priority::kUsual, "taro");
  add_as(1, Priority::kAlarm, "root");
  std::vector<std::uint64_t> order;
  while (auto lease = s->lease(kA)) {
    order.push_back(lease->id.value);
    finish_taken(*lease);
  }
  ASSERT_EQ(order.size(), 10u);
  EXPECT_EQ((std::vector<std::uint64_t>(order.begin(), order.begin() + 4)),
            (std::vector<std::uint64_t>{1, 10, 11, 12}));
}

TEST_F(LimitsTest, BulkHasItsShare) {
  ways({way("a", {})});
  for (std::uint64_t id = 1; id <= 400; ++id) {
    DueRow one = row(id, cls("a", id <= 200 ? "usual" : "bulk"));
    one.priority = static_cast<std::uint8_t>(id <= 200 ? Priority::kUsual : Priority::kBulk);
    s->add({&one, 1}, 0);
  }
  int bulk = 0;
  for (int i = 0; i < 170; ++i) {
    auto lease = s->lease(kA);
    bulk += lease->id.value > 200;
    finish_taken(*lease);
  }
  EXPECT_EQ(bulk, 170 / (kShare + 1));
}

TEST_F(LimitsTest, APriorityStaysOverALease) {
  DueRow one = row(1, cls("a"));
  one.priority = static_cast<std::uint8_t>(Priority::kBulk);
  s->add({&one, 1}, 0);
  auto lease = s->lease(kA);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->priority, one.priority);
}

// --- the promise, whatever happens: never more than the limit within any stretch of its length

TEST_F(LimitsTest, HoldsInEveryStretch) {
  EXPECT_TRUE(rc::check([this](const std::vector<std::uint16_t>& steps) {
    restart(2);
    const std::uint64_t most = 4;
    ways({way("a", {messages(Span::kMinute, most)}, true, "h u"),
          way("b", {messages(Span::kMinute, most)}, true, "h u")});
    std::vector<Duration> taken;
    Duration now{0};
    std::uint64_t id = 0;
    std::vector<Lease> under_way;
    for (std::uint16_t step : steps) {
      add(++id, cls(step % 2 ? "ab" : "b"));
      const Duration by(step % 7000);
      now += by;
      pass(by);
      for (WayId w : {kA, kB}) {
        while (auto lease = s->lease(w)) {
          taken.push_back(now);
          under_way.push_back(std::move(*lease));
        }
      }
      if (step % 3 == 0 && !under_way.empty()) {
        finish_taken(under_way.back());
        under_way.pop_back();
      }
      for (std::size_t i = most; i < taken.size(); ++i) RC_ASSERT(taken[i] - taken[i - most] > 60s - 1ms);
    }
  }));
}

TEST_F(LimitsTest, HoldsWithManyThreads) {
  restart(4, 50);
  ways({WayLimits{.name = "a",
                  .connections = 50,
                  .account = "h u",
                  .limits = {messages(Span::kDay, 1000)},
                  .next_when_full = true}});
  s->set_wake([](unsigned, WayId) {});
  const ClassId c = cls("a");
  std::atomic<std::uint64_t> leased{0}, ids{1};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 16; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) {
          const DueRow one = row(ids++, c);
          s->add({&one, 1}, 0);
          if (auto lease = s->lease(kA)) {
            ++leased;
            const ClassResult end{.class_id = c, .taken = 1};
            s->finish(*lease, {&end, 1}, 0);
          }
        }
      });
    }
  }
  EXPECT_EQ(leased, 1000u);
}

}  // namespace
}  // namespace sidegate::queue::scheduler_limits_test
