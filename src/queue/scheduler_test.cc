#include "queue/scheduler.h"

#include "queue/scheduler_fixture.h"

namespace sidegate::queue::scheduler_test {
namespace {

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

TEST_F(SchedulerTest, WhatBecomesOfALease) {
  const struct {
    const char* why;
    Next next;
    Duration in;
    bool counts;
    bool again_now;     // leased again at once, by way a
    bool again_later;   // after `in`
    unsigned attempts;  // then
  } cases[] = {
      {"ended", Next::kEnd, 0s, true, false, false, 0},
      {"later", Next::kAt, 60s, true, false, true, 1},
      {"later, no attempt", Next::kAt, 60s, false, false, true, 0},
      {"at a time that has passed", Next::kAt, -5s, true, true, false, 1},
      {"the way's trouble", Next::kSameWay, 0s, true, true, false, 0},
      {"no next way: later", Next::kNextWay, 60s, true, false, true, 1},
      {"held", Next::kHold, 0s, true, false, false, 0},
  };
  for (const auto& c : cases) {
    restart(1);
    add(1, cls("a"));
    finish(*s->lease(kA), c.next, c.in, c.counts);
    auto lease = s->lease(kA);
    EXPECT_EQ(lease.has_value(), c.again_now) << c.why;
    if (!lease) {
      pass(60s);
      lease = s->lease(kA);
      EXPECT_EQ(lease.has_value(), c.again_later) << c.why;
    }
    if (lease) {
      EXPECT_EQ(lease->attempts, c.attempts) << c.why;
    }
  }
}

TEST_F(SchedulerTest, EachClassOfALeaseHasItsOwnEnd) {
  const std::vector<ClassId> c{cls("a"), cls("ab"), cls("ac"), cls("abc"), cls("aab"), cls("aac")};
  std::vector<DueRow> rows;
  for (ClassId one : c) rows.push_back(row(1, one));
  s->add(rows, 0);
  auto lease = s->lease(kA);
  ASSERT_EQ(lease->classes.size(), 6u);
  const WallTime later = clock.wall() + 60s;
  const std::vector<ClassResult> results{
      {c[0], Next::kEnd, {}, true},     {c[1], Next::kNextWay, later, true}, {c[2], Next::kAt, later, true},
      {c[3], Next::kHold, later, true}, {99, Next::kEnd, {}, true},  // not of this lease: ignored
      {c[4], Next::kSameWay, {}, true}};                             // c[5]: nothing was said, nothing was tried
  s->finish(*lease, results, 0);
  const Totals t = s->totals();
  EXPECT_EQ(t.messages, 1u);
  EXPECT_EQ(t.ready, 3u);
  EXPECT_EQ(t.waiting, 1u);
  EXPECT_EQ(t.held, 1u);
  EXPECT_EQ(s->lease(kB)->classes, std::vector<ClassId>{c[1]});
  auto again = s->lease(kA)->classes;
  std::ranges::sort(again);
  EXPECT_EQ(again, (std::vector<ClassId>{c[4], c[5]}));
}

TEST_F(SchedulerTest, WhatComesBackIsFirstAgain) {
  const ClassId c = cls("a");
  for (std::uint64_t id = 1; id <= 50; ++id) add(id, c, Duration(-1000 + static_cast<int>(id)));
  auto first = s->lease(kA), second = s->lease(kA);
  finish(*second, Next::kSameWay);
  finish(*first, Next::kSameWay);
  EXPECT_EQ(id_of(s->lease(kA)), 1u);
  EXPECT_EQ(id_of(s->lease(kA)), 2u);
}

TEST_F(SchedulerTest, PriorityGoesFirstWithinASender) {
  DueRow low = row(1, cls("a")), usual = row(2, cls("a")), lowest = row(3, cls("a"));
  low.priority = static_cast<std::uint8_t>(Priority::kBulk);
  lowest.priority = 200;
  s->add(std::vector<DueRow>{lowest, low, usual}, 0);
  EXPECT_EQ(drain(kA), (std::vector<std::uint64_t>{2, 1, 3}));
}

TEST_F(SchedulerTest, OperatorOnReadyWaitingLeasedAndHeld) {
  enum Where { kReady, kWaiting, kLeased, kHeld };
  for (Where where : {kReady, kWaiting, kLeased, kHeld}) {
    for (const char* what : {"remove", "hold", "hold+release", "retry", "release"}) {
      SCOPED_TRACE(std::to_string(where) + what);
      restart(1);
      DueRow one = row(1, cls("a"), where == kWaiting ? 60s : 0s);
      one.held = where == kHeld;
      s->add({&one, 1}, 0);
      std::optional<Lease> lease;
      if (where == kLeased) lease = s->lease(kA);
      const std::string action = what;
      if (action == "remove") s->remove(QueueId{1});
      if (action.starts_with("hold")) s->hold(QueueId{1}, true);
      if (action.ends_with("release")) s->hold(QueueId{1}, false);
      if (action == "retry") s->retry_now(QueueId{1});
      EXPECT_EQ(s->is_leased(QueueId{1}), where == kLeased && action != "remove");
      if (lease) {
        EXPECT_FALSE(s->lease(kA));
        finish(*lease, Next::kAt, 60s);
      }
      const bool now =
          action != "remove" && action != "hold" &&
          (where == kReady || (where == kHeld && action != "retry") || (where == kWaiting && action == "retry"));
      EXPECT_EQ(s->totals().held, action == "hold" || (where == kHeld && action == "retry") ? 1u : 0u);
      EXPECT_EQ(s->lease(kA).has_value(), now);
      if (now || action == "remove" || action == "hold" || where == kHeld) continue;
      pass(60s);
      EXPECT_TRUE(s->lease(kA));
    }
  }
}

TEST_F(SchedulerTest, OperatorOnUnknownMessagesDoesNothing) {
  s->remove(QueueId{7});
  s->hold(QueueId{7}, true);
  s->retry_now(QueueId{7});
  EXPECT_FALSE(s->is_leased(QueueId{7}));
  s->finish(Lease{.id = QueueId{7}, .way = kA, .classes = {1}}, {}, 0);
  s->finish(Lease{.id = QueueId{7}, .way = 999, .classes = {1}}, {}, 0);
  EXPECT_FALSE(s->lease(999));
  EXPECT_FALSE(s->take_slot(999, 0));
  s->release_slot(999, 0);
  s->idle(999, 5, 1);
  s->way_down(999, 1s, "");
  s->way_up(999);
}

TEST_F(SchedulerTest, TheSameRowAgain) {
  add(1, cls("a"), 60s);
  add(1, cls("a"), 0s);  // read at start, while it was deferred meanwhile
  EXPECT_FALSE(s->lease(kA));
  DueRow later_claim = row(1, cls("a"));
  later_claim.epoch = 2;
  later_claim.attempts = 5;
  s->add({&later_claim, 1}, 0);
  auto lease = s->lease(kA);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->epoch, 2u);
  EXPECT_EQ(lease->attempts, 5u);
  s->add({&later_claim, 1}, 0);
  EXPECT_FALSE(s->lease(kA)) << "leased once at a time";
  EXPECT_EQ(s->totals().messages, 1u);
}

TEST_F(SchedulerTest, Classes) {
  bool fresh = false;
  const ClassKey key{.recipient_domain = "a.example", .sender_key = "s", .user = "u", .listener = "l"};
  const ClassId id = s->intern(key, &fresh);
  EXPECT_TRUE(fresh);
  EXPECT_EQ(s->intern(key, &fresh), id);
  EXPECT_TRUE(fresh) << "until a message of it is known to be durable";
  add(1, id);
  EXPECT_EQ(s->intern(key, &fresh), id);
  EXPECT_FALSE(fresh);
  for (auto part : {&ClassKey::recipient_domain, &ClassKey::sender_key, &ClassKey::user, &ClassKey::listener}) {
    ClassKey other = key;
    other.*part = "x";
    EXPECT_NE(s->intern(other, nullptr), id);
  }
  restart(1);
  s->restore_classes({{.id = 40, .key = key}, {.id = 41, .key = {}}});
  EXPECT_EQ(s->intern(key, &fresh), 40u);
  EXPECT_FALSE(fresh);
  EXPECT_EQ(s->intern({.recipient_domain = "new", .sender_key = "", .user = "", .listener = ""}, nullptr), 42u);
  add(9, 1000);  // a class nobody restored: routed by an empty key, here nowhere
  EXPECT_EQ(s->totals().ready, 1u);
  s->set_ways({{"a", 1}}, [](const ClassKey&) { return Route{kA}; });
  EXPECT_EQ(drain(kA), std::vector<std::uint64_t>{9});
}

TEST_F(SchedulerTest, ClassesNobodyUsesAreForgotten) {  // VERP: a sender address for each message
  const std::size_t before = s->memory();
  for (unsigned round = 0; round < 20; ++round) {
    for (unsigned i = 0; i < 1000; ++i) {
      const std::uint64_t id = round * 1000 + i + 1;
      add(id, cls("a", "list+" + std::to_string(id) + "@lists.example.org"));
    }
    EXPECT_EQ(drain(kA).size(), 1000u);
    clock.advance(61min);
    for (int i = 0; i < 20; ++i) s->tick();
  }
  EXPECT_LT(s->memory(), before + 1'500'000);
  bool fresh = false;
  s->intern({.recipient_domain = "a.example", .sender_key = "list+1@lists.example.org", .user = "", .listener = ""},
            &fresh);
  EXPECT_TRUE(fresh) << "its row may be gone: it is written again, under a new id";
}

TEST_F(SchedulerTest, RoomIsCountedInMessages) {
  ScheduleSettings settings;
  settings.max_queued = 2;
  restart(1, 3, settings);
  s->add(std::vector<DueRow>{row(1, cls("a")), row(1, cls("b"))}, 0);
  EXPECT_TRUE(s->has_room());
  add(2, cls("a"), 60s);
  EXPECT_FALSE(s->has_room());
  s->remove(QueueId{1});
  EXPECT_TRUE(s->has_room());
}

TEST_F(SchedulerTest, AMessageOfAThousandClasses) {
  std::vector<DueRow> rows;
  std::vector<ClassId> ids;
  for (int i = 0; i < 1000; ++i) {
    ids.push_back(
        s->intern({.recipient_domain = "ab.example" + std::to_string(i), .sender_key = "s", .user = "", .listener = ""},
                  nullptr));
    rows.push_back(row(1, ids.back()));
  }
  s->add(rows, 0);
  EXPECT_EQ(s->ways()[kA].ready, 1u);
  auto lease = s->lease(kA);
  ASSERT_EQ(lease->classes.size(), 1000u);
  std::vector<ClassResult> results;
  for (int i = 0; i < 1000; ++i)
    results.push_back({ids[static_cast<std::size_t>(i)], i % 2 ? Next::kEnd : Next::kNextWay, {}, true});
  s->finish(*lease, results, 0);
  EXPECT_EQ(s->lease(kB)->classes.size(), 500u);
  s->remove(QueueId{1});
  EXPECT_EQ(s->totals().messages, 0u);
}

// DESIGN.md, promise 8 ("Memory is bounded"): 48 octets an entry, and at most 16 for the index and the timer.
TEST_F(SchedulerTest, AMillionWaitingMessagesCostLessThan80MB) {
  const ClassId classes[] = {cls("a", "one"), cls("ab", "two"), cls("b", "three")};
  const std::size_t empty = s->memory();
  const auto began = std::chrono::steady_clock::now();
  std::vector<DueRow> page;
  constexpr std::uint64_t kMany = 1'000'000;
  for (std::uint64_t i = 1; i <= kMany; ++i) {
    page.push_back(row(i << 10, classes[i % 3], Duration(1 + static_cast<int>(i * 7919 % 3'600'000))));
    if (page.size() == 4096 || i == kMany) s->add(std::exchange(page, {}), 0);
  }
  const auto took = std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - began);
  const std::size_t used = s->memory();
  fmt::print("1,000,000 waiting messages: {:.1f} MB, added in {} ms\n", static_cast<double>(used) / 1e6, took.count());
  EXPECT_EQ(s->totals().waiting, kMany);
  EXPECT_LT(used - empty, 64u * kMany);

  pass(1h);
  EXPECT_EQ(s->totals().ready, kMany);
  EXPECT_LT(s->memory(), 64u * kMany);
  std::uint64_t leased = 0;
  for (WayId way : {kA, kB}) {
    while (auto lease = s->lease(way)) {
      finish(*lease, Next::kEnd);
      ++leased;
    }
  }
  EXPECT_EQ(leased, kMany);
  EXPECT_LT(s->memory(), empty + 2'000'000) << "a drained queue gives its memory back";
}

TEST_F(SchedulerTest, OverdueMessagesOfAWayThatIsDown) {
  ScheduleSettings settings;
  settings.delay_report = 4h;
  settings.lifetime = 24h;
  restart(1, 3, settings);
  const auto id_now = [this](std::uint64_t n) {
    return static_cast<std::uint64_t>(clock.wall().time_since_epoch().count()) << 22 | n;
  };
  const std::uint64_t first = id_now(1), second = id_now(2), other = id_now(3);
  s->add(std::vector<DueRow>{row(first, cls("a")), row(first, cls("ab"))}, 0);
  add(second, cls("a"));
  add(other, cls("b"));
  s->way_down(kA, 48h, "no network");
  s->way_down(kB, 48h, "no network");
  EXPECT_TRUE(s->overdue().empty());
  pass(4h);
  auto leases = s->overdue();
  ASSERT_EQ(leases.size(), 3u);
  EXPECT_TRUE(s->overdue().empty()) << "they are leased";
  for (const Lease& lease : leases) finish(lease, Next::kSameWay);
  EXPECT_TRUE(s->overdue().empty()) << "a delay is reported once";
  s->way_up(kB);
  pass(20h);
  leases = s->overdue();
  std::vector<std::uint64_t> ids;
  for (const Lease& lease : leases) ids.push_back(lease.id.value);
  std::ranges::sort(ids);
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{first, second})) << "way b is up: it tries what is its own";
  for (const Lease& lease : leases) finish(lease, Next::kEnd);
  ids = drain(kB);
  std::ranges::sort(ids);
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{first, other}));
  EXPECT_EQ(s->totals().messages, 0u);
}

TEST_F(SchedulerTest, AClockThatJumpsExpiresAndStallsNothing) {
  QueueIdSource ids(clock);
  const auto waiting = ids.next().value, retried = ids.next().value;
  add(waiting, cls("a"));
  s->way_down(kA, 1h, "x");
  add(retried, cls("b"), 10min);
  pass(1min);
  clock.jump(240h);
  s->tick();
  EXPECT_EQ(s->take_jump(), 240h);
  EXPECT_EQ(s->take_jump(), 0h);
  EXPECT_TRUE(s->overdue().empty()) << "neither expired nor delayed";
  EXPECT_EQ(clock.wall() - s->arrived(QueueId{waiting}), 1min);
  EXPECT_FALSE(s->lease(kB)) << "and not due before its time";
  clock.jump(-264h);
  s->tick();
  EXPECT_EQ(s->take_jump(), -264h);
  pass(9min);
  EXPECT_EQ(drain(kB), std::vector<std::uint64_t>{retried});
  pass(4h);
  ASSERT_EQ(s->overdue().size(), 1u) << "its delay is told when it has waited so long";
}

}  // namespace
}  // namespace sidegate::queue::scheduler_test
