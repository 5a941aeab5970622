#include "queue/scheduler.h"

#include <gtest/gtest.h>

#include <map>

namespace sidegate::queue {
namespace {

using Next = ClassResult::Next;

constexpr WayId kA = 0, kB = 1;

// A scheduler with ways a, b, c; a recipient domain names its route: "ab.example" goes by a, else b.
class SchedulerTest : public ::testing::Test {
 protected:
  SchedulerTest() { restart(2); }

  void restart(unsigned loops, unsigned connections = 3, ScheduleSettings settings = {}) {
    s = std::make_unique<Scheduler>(settings, clock, loops);
    s->set_wake([this](unsigned loop, WayId way) { wakes.push_back({loop, way}); });
    set_ways(connections);
    wakes.clear();
  }
  void set_ways(unsigned connections) {
    s->set_ways({{"a", connections}, {"b", connections}, {"c", connections}}, [](const ClassKey& key) {
      Route route;
      for (char c : key.recipient_domain.substr(0, key.recipient_domain.find('.')))
        route.push_back(static_cast<WayId>(c - 'a'));
      return route;
    });
  }
  ClassId cls(const std::string& route, const std::string& sender = "s") {
    return s->intern({.recipient_domain = route + ".example", .sender_key = sender, .user = "", .listener = ""},
                     nullptr);
  }
  DueRow row(std::uint64_t id, ClassId c, Duration in = Duration::zero()) {
    return {.id = QueueId{id},
            .class_id = c,
            .due = clock.wall() + in,
            .attempts = 0,
            .priority = 0,
            .held = false,
            .epoch = 0};
  }
  void add(std::uint64_t id, ClassId c, Duration in = Duration::zero(), unsigned loop = 0) {
    const DueRow one = row(id, c, in);
    s->add({&one, 1}, loop);
  }
  void finish(const Lease& lease, Next next, Duration in = Duration::zero(), bool counts = true) {
    std::vector<ClassResult> results;
    for (ClassId c : lease.classes) results.push_back({c, next, clock.wall() + in, counts});
    s->finish(lease, results, 0);
  }
  std::vector<std::uint64_t> drain(WayId way, Next next = Next::kEnd) {
    std::vector<std::uint64_t> ids;
    while (auto lease = s->lease(way)) {
      ids.push_back(lease->id.value);
      finish(*lease, next);
    }
    return ids;
  }
  void pass(Duration by) {
    clock.advance(by);
    s->tick();
  }
  std::uint64_t id_of(const std::optional<Lease>& lease) { return lease ? lease->id.value : 0; }

  struct WakeCall {
    unsigned loop;
    WayId way;
    bool operator==(const WakeCall&) const = default;
  };
  using Wakes = std::vector<WakeCall>;
  Wakes take_wakes() { return std::exchange(wakes, {}); }

  ManualClock clock;
  std::unique_ptr<Scheduler> s;
  Wakes wakes;
};

TEST_F(SchedulerTest, LeasesInOrderOfDueTimeAndOnce) {
  const ClassId c = cls("a");
  add(3, c, -3s);
  add(1, c, -2s);
  add(2, c, -1s);
  EXPECT_EQ(drain(kA), (std::vector<std::uint64_t>{3, 1, 2}));
  EXPECT_EQ(s->totals().messages, 0u);
}

TEST_F(SchedulerTest, RoundRobinOverSenders) {
  const ClassId big1 = cls("a", "big"), big2 = cls("ab", "big"), small = cls("a", "small");
  for (std::uint64_t id = 1; id <= 100; ++id) add(id, id % 2 ? big1 : big2);
  add(1000, small);
  add(1001, small);
  const auto order = drain(kA);
  EXPECT_LT(std::ranges::find(order, 1000u) - order.begin(), 2);
  EXPECT_LT(std::ranges::find(order, 1001u) - order.begin(), 5);
  EXPECT_EQ(order.size(), 102u);
}

TEST_F(SchedulerTest, OneLeaseTakesAllClassesThatGoToTheSameWay) {
  const std::vector<DueRow> rows{row(1, cls("a")), row(1, cls("ab")), row(1, cls("b")), row(1, cls("ac")),
                                 row(2, cls("a"))};
  s->add(rows, 0);
  EXPECT_EQ(s->ways()[kA].ready, 2u);  // messages, not classes
  auto lease = s->lease(kA);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->id.value, 1u);
  std::ranges::sort(lease->classes);
  EXPECT_EQ(lease->classes, (std::vector<ClassId>{cls("a"), cls("ab"), cls("ac")}));
  EXPECT_EQ(id_of(s->lease(kB)), 1u);
  EXPECT_TRUE(s->is_leased(QueueId{1}));
  EXPECT_FALSE(s->is_leased(QueueId{2}));
}

TEST_F(SchedulerTest, WaitsForTheDueTimeAndNoWallClockMovesIt) {
  add(1, cls("a"), 60s);
  EXPECT_FALSE(s->lease(kA));
  clock.jump(-24h * 365);
  pass(59s);
  EXPECT_FALSE(s->lease(kA));
  pass(1s);
  EXPECT_EQ(drain(kA), std::vector<std::uint64_t>{1});

  for (std::uint64_t id = 1; id <= 100; ++id) add(id, cls("a"), 60s);
  clock.jump(24h * 365);
  s->tick();
  EXPECT_FALSE(s->lease(kA)) << "a wall clock that jumps ahead makes nothing due";
  pass(60s);
  EXPECT_EQ(drain(kA).size(), 100u);
}

TEST_F(SchedulerTest, AbsurdDueTimesAreSurvived) {
  DueRow far = row(1, cls("a")), past = row(2, cls("a"));
  far.due = WallTime::max();
  past.due = WallTime::min();
  s->add({&far, 1}, 0);
  s->add({&past, 1}, 0);
  EXPECT_EQ(drain(kA), std::vector<std::uint64_t>{2});
  s->retry_now(QueueId{1});
  EXPECT_EQ(drain(kA), std::vector<std::uint64_t>{1});
}

}  // namespace
}  // namespace sidegate::queue
