// Ways: slots, wakes and health.
#include <ctime>

#include "queue/scheduler_fixture.h"

namespace sidegate::queue::scheduler_ways_test {
namespace {

using WaysTest = SchedulerTest;

// --- slots and wakes

TEST_F(WaysTest, AFreeSlotOnTheAcceptingLoop) {
  add(1, cls("a"), 0s, 1);
  EXPECT_EQ(take_wakes(), (Wakes{{1, kA}}));
  EXPECT_TRUE(s->take_slot(kA, 1));
  EXPECT_FALSE(s->take_slot(kA, 0)) << "the opening connection will take the only message";
  add(2, cls("a"), 0s, 0);
  EXPECT_EQ(take_wakes(), (Wakes{{0, kA}}));
  EXPECT_TRUE(s->take_slot(kA, 0));
}

TEST_F(WaysTest, AnIdleConnectionBeforeASlotAndOnTheOwnLoopFirst) {
  for (unsigned loop : {0u, 1u}) {
    add(loop + 1, cls("a"), 0s, loop);
    ASSERT_TRUE(s->take_slot(kA, loop));
    s->slot_ready(kA, loop);
  }
  EXPECT_EQ(drain(kA).size(), 2u);
  s->idle(kA, 0, 1);
  s->idle(kA, 1, 1);
  take_wakes();
  add(10, cls("a"), 0s, 1);
  EXPECT_EQ(take_wakes(), (Wakes{{1, kA}}));
  EXPECT_FALSE(s->take_slot(kA, 1)) << "the connection that was woken will take it";
  add(11, cls("a"), 0s, 1);
  EXPECT_EQ(take_wakes(), (Wakes{{0, kA}})) << "loop 1's is spoken for";
  add(12, cls("a"), 0s, 1);
  EXPECT_EQ(take_wakes(), (Wakes{{1, kA}})) << "nobody idle: a free slot, here";
  EXPECT_TRUE(s->take_slot(kA, 1));
}

TEST_F(WaysTest, AMessageOfSeveralClassesAsksForOneConnection) {
  s->add(std::vector<DueRow>{row(1, cls("a")), row(1, cls("ab")), row(1, cls("abc"))}, 0);
  EXPECT_EQ(take_wakes(), (Wakes{{0, kA}}));
  EXPECT_TRUE(s->take_slot(kA, 0));
  EXPECT_FALSE(s->take_slot(kA, 0));
}

TEST_F(WaysTest, TheLimitHolds) {
  for (std::uint64_t id = 1; id <= 10; ++id) add(id, cls("a"));
  EXPECT_TRUE(s->take_slot(kA, 0));
  EXPECT_TRUE(s->take_slot(kA, 1));
  EXPECT_TRUE(s->take_slot(kA, 0));
  EXPECT_FALSE(s->take_slot(kA, 1));
  s->release_slot(kA, 0, false);
  EXPECT_TRUE(s->take_slot(kA, 1));
  EXPECT_EQ(s->ways()[kA].connections, 3u);
  set_ways(1);  // a reload: nothing is cut off, nothing new is opened
  s->release_slot(kA, 0, false);
  EXPECT_FALSE(s->take_slot(kA, 0));
}

TEST_F(WaysTest, ASlotThatComesBackWakesForWhatIsReady) {
  restart(2, 1);
  add(1, cls("a"));
  ASSERT_TRUE(s->take_slot(kA, 0));
  add(2, cls("a"));
  take_wakes();
  s->release_slot(kA, 0, false);
  EXPECT_EQ(take_wakes(), (Wakes{{0, kA}}));
}

TEST_F(WaysTest, AConnectionThatFallsAsleepBesideAReadyMessageIsWoken) {
  add(1, cls("a"));
  ASSERT_TRUE(s->take_slot(kA, 0));
  s->slot_ready(kA, 0);
  EXPECT_EQ(drain(kA).size(), 1u);
  EXPECT_FALSE(s->lease(kA));
  take_wakes();
  add(2, cls("a"));  // between the empty lease and idle(+1)
  EXPECT_TRUE(wakes.empty());
  s->idle(kA, 0, 1);
  EXPECT_EQ(take_wakes(), (Wakes{{0, kA}}));
}

TEST_F(WaysTest, AConnectionThatLingersIsNotCountedOn) {
  add(1, cls("a"));
  ASSERT_TRUE(s->take_slot(kA, 0));
  s->slot_ready(kA, 0);
  EXPECT_EQ(drain(kA).size(), 1u);  // and now it says QUIT, which takes a while
  take_wakes();
  add(2, cls("a"));
  EXPECT_TRUE(wakes.empty());
  pass(250ms);
  pass(250ms);
  EXPECT_EQ(take_wakes().size(), 1u);
  EXPECT_TRUE(s->take_slot(kA, 0));
}

TEST_F(WaysTest, AWakeThatNobodyFollowedIsMadeAgain) {
  add(1, cls("a"));
  ASSERT_TRUE(s->take_slot(kA, 0));
  s->slot_ready(kA, 0);
  drain(kA);
  s->idle(kA, 0, 1);
  take_wakes();
  add(2, cls("a"));
  EXPECT_EQ(take_wakes(), (Wakes{{0, kA}}));
  pass(250ms);
  pass(250ms);
  EXPECT_EQ(take_wakes(), (Wakes{{0, kA}}));
}

TEST_F(WaysTest, DueMessagesAreSpreadOverLoops) {
  restart(2, 10);
  for (std::uint64_t id = 1; id <= 6; ++id) add(id, cls("a"), 1s);
  pass(1s);
  int loops[2] = {0, 0};
  for (const WakeCall& call : take_wakes()) ++loops[call.loop];
  EXPECT_GE(loops[0], 3);
  EXPECT_GE(loops[1], 3);
}

// --- health

TEST_F(WaysTest, AWayThatIsDownKeepsItsMessages) {
  add(1, cls("a"));
  s->way_down(kA, 60s, "connection refused");
  take_wakes();
  EXPECT_FALSE(s->lease(kA));
  EXPECT_FALSE(s->take_slot(kA, 0));
  const WayStatus status = s->ways()[kA];
  EXPECT_FALSE(status.up);
  EXPECT_EQ(status.reason, "connection refused");
  EXPECT_EQ(status.again_at, clock.wall() + 60s);
  EXPECT_EQ(status.ready, 1u);
  pass(59s);
  EXPECT_TRUE(take_wakes().empty());
  pass(1s);
  EXPECT_FALSE(take_wakes().empty());
  EXPECT_TRUE(s->take_slot(kA, 0));
}

TEST_F(WaysTest, OneConnectionWithOneMessageTriesThenAll) {
  for (std::uint64_t id = 1; id <= 10; ++id) add(id, cls("a"));
  s->way_down(kA, 60s, "x");
  pass(60s);
  ASSERT_TRUE(s->take_slot(kA, 0));
  EXPECT_FALSE(s->take_slot(kA, 1));
  s->slot_ready(kA, 0);
  auto lease = s->lease(kA);
  ASSERT_TRUE(lease);
  EXPECT_FALSE(s->lease(kA));
  EXPECT_FALSE(s->take_slot(kA, 1));
  take_wakes();
  finish(*lease, Next::kAt, 60s);  // it answered
  EXPECT_TRUE(s->ways()[kA].up);
  EXPECT_GE(take_wakes().size(), 2u);
  EXPECT_TRUE(s->take_slot(kA, 1));
  EXPECT_TRUE(s->take_slot(kA, 1));
}

TEST_F(WaysTest, EachFailureInARowDoublesThePause) {
  add(1, cls("a"));
  Duration expected = 60s;
  for (int i = 0; i < 6; ++i) {
    s->way_down(kA, 60s, "x");
    s->way_down(kA, 60s, "x");  // its other connections say the same
    EXPECT_EQ(s->ways()[kA].again_at, clock.wall() + std::min<Duration>(expected, 10min)) << i;
    expected *= 2;
    pass(10min);
    ASSERT_TRUE(s->take_slot(kA, 0));
    s->release_slot(kA, 0, false);
  }
  s->way_down(kA, 5h, "quota");  // what is longer than the growth's end is kept
  EXPECT_EQ(s->ways()[kA].again_at, clock.wall() + 5h);
  s->way_up(kA);
  s->way_down(kA, 60s, "x");
  EXPECT_EQ(s->ways()[kA].again_at, clock.wall() + 60s);
}

TEST_F(WaysTest, ATrialWhoseMessageComesBackUntriedIsAFailure) {
  add(1, cls("a"));
  s->way_down(kA, 60s, "421");
  pass(60s);
  ASSERT_TRUE(s->take_slot(kA, 0));
  s->slot_ready(kA, 0);
  finish(*s->lease(kA), Next::kSameWay);
  EXPECT_FALSE(s->ways()[kA].up);
  EXPECT_FALSE(s->lease(kA));
  EXPECT_EQ(s->ways()[kA].again_at, clock.wall() + 120s);
}

TEST_F(WaysTest, AWallClockThatJumpsDoesNotMoveAPause) {
  add(1, cls("a"));
  s->way_down(kA, 60s, "x");
  clock.jump(24h);
  s->tick();
  EXPECT_FALSE(s->take_slot(kA, 0));
  clock.jump(-72h);
  pass(60s);
  EXPECT_TRUE(s->take_slot(kA, 0));
}

TEST_F(WaysTest, FailoverAndBack) {
  for (std::uint64_t id = 1; id <= 5; ++id) add(id, cls("ab"));
  EXPECT_FALSE(s->lease(kB));
  s->way_down(kA, 60s, "x");
  EXPECT_EQ(s->ways()[kB].ready, 5u);
  EXPECT_EQ(id_of(s->lease(kB)), 1u);
  add(6, cls("ab"));
  EXPECT_FALSE(s->lease(kA));
  s->way_up(kA);
  EXPECT_FALSE(s->lease(kB));
  EXPECT_EQ(id_of(s->lease(kA)), 2u);
  s->way_down(kB, 60s, "x");
  s->way_down(kA, 30s, "x");  // both: they wait on the first
  EXPECT_EQ(s->ways()[kA].ready + s->ways()[kB].ready, 4u);
  pass(30s);
  EXPECT_TRUE(s->take_slot(kA, 0));
}

TEST_F(WaysTest, ATrialTakesOneMessageFromTheWayThatStoodIn) {
  for (std::uint64_t id = 1; id <= 5; ++id) add(id, cls("ab"));
  s->way_down(kA, 60s, "x");
  pass(60s);
  EXPECT_EQ(s->ways()[kB].ready, 5u) << "nothing waits for the trial";
  ASSERT_TRUE(s->take_slot(kA, 0));
  s->release_slot(kA, 0, false);
  s->way_down(kA, 60s, "x");
  EXPECT_EQ(s->ways()[kB].ready, 5u) << "and nothing was delayed by its failure";
  pass(120s);
  ASSERT_TRUE(s->take_slot(kA, 0));
  s->slot_ready(kA, 0);
  auto lease = s->lease(kA);
  ASSERT_TRUE(lease);
  EXPECT_EQ(s->ways()[kB].ready, 4u);
  finish(*lease, Next::kEnd);
  EXPECT_EQ(s->ways()[kA].ready, 4u) << "back to the first";
}

TEST_F(WaysTest, AnyWayThatRecoversTakesWhatWaitsElsewhere) {
  add(1, cls("abc"));
  s->way_down(kA, 5h, "quota");
  s->way_down(kB, 60s, "x");
  s->way_down(kC, 2h, "x");
  EXPECT_EQ(s->ways()[kA].ready, 1u);
  pass(60s);
  ASSERT_TRUE(s->take_slot(kB, 0));
  s->slot_ready(kB, 0);
  EXPECT_EQ(drain(kB), std::vector<std::uint64_t>{1});
}

TEST_F(WaysTest, NextWay) {
  const struct {
    const char *why, *route;
    WayId down;      // kNoWay: none
    WayId expected;  // kNoWay: it waits for its due time
  } cases[] = {
      {"the one behind", "abc", kNoWay, kB}, {"the one behind is down", "abc", kB, kC},
      {"none behind", "a", kNoWay, kNoWay},  {"none behind is up", "ab", kB, kNoWay},
      {"not the one before", "cab", kC, kB},
  };
  for (const auto& c : cases) {
    restart(1);
    if (c.down != kNoWay) s->way_down(c.down, 1h, "x");
    add(1, cls(c.route));
    finish(*s->lease(kA), Next::kNextWay, 60s);
    for (WayId way : {kA, kB, kC}) {
      auto lease = s->lease(way);
      EXPECT_EQ(lease.has_value(), way == c.expected) << c.why << " " << way;
      if (lease) finish(*lease, Next::kAt, 60s);
    }
    pass(60s);
    EXPECT_TRUE(s->lease(kA)) << c.why << ": then by the first again";
  }
}

TEST_F(WaysTest, NextWayKeepsToItWhileItLasts) {
  add(1, cls("abc"));
  finish(*s->lease(kA), Next::kNextWay, 60s);
  auto lease = s->lease(kB);
  finish(*lease, Next::kSameWay);
  EXPECT_FALSE(s->lease(kA));
  s->way_down(kB, 1h, "x");
  EXPECT_EQ(s->ways()[kC].ready, 1u);
  EXPECT_FALSE(s->lease(kA));
}

TEST_F(WaysTest, RetryNowTriesAWayThatIsDown) {
  add(1, cls("a"));
  s->way_down(kA, 5h, "wrong password");
  take_wakes();
  s->retry_now(QueueId{1});
  EXPECT_EQ(take_wakes().size(), 1u);
  EXPECT_TRUE(s->take_slot(kA, 0));
}

// An operator who asks again and again, and finds the way still down, does not put the next try off.
TEST_F(WaysTest, RetryNowMakesNoPauseLonger) {
  add(1, cls("a"));
  for (int i = 0; i < 10; ++i) {
    s->way_down(kA, 30s, "refused");
    ASSERT_TRUE(s->ways()[kA].again_at);
    EXPECT_EQ(*s->ways()[kA].again_at, clock.wall() + 30s);
    s->retry_now(QueueId{1});
    ASSERT_TRUE(s->take_slot(kA, 0));
    s->release_slot(kA, 0, false);
  }
}

TEST_F(WaysTest, ReloadRoutesAnew) {
  add(1, cls("a"));
  add(2, cls("ab"));
  finish(*s->lease(kA), Next::kSameWay);
  auto second = s->lease(kA), first = s->lease(kA);
  finish(*second, second->id.value == 2 ? Next::kNextWay : Next::kSameWay, 1h);
  finish(*first, first->id.value == 2 ? Next::kNextWay : Next::kSameWay, 1h);
  s->way_down(kB, 1h, "x");
  take_wakes();
  s->set_ways({{"a", 1}, {"b", 1}, {"new", 5}}, [](const ClassKey&) { return Route{2, 77}; });
  EXPECT_FALSE(s->lease(kA));
  EXPECT_EQ(s->ways()[kC].ready, 2u);
  EXPECT_FALSE(take_wakes().empty());
  EXPECT_FALSE(s->ways()[kB].up) << "what is known of a way that stays is kept";
  s->set_ways({{"a", 1}, {"", 0}}, [](const ClassKey&) { return Route{}; });
  EXPECT_FALSE(s->lease(kC));
  EXPECT_EQ(s->ways().size(), 1u);
  EXPECT_EQ(s->totals().ready, 2u) << "no way takes them: they wait for the next reload";
  s->set_ways({{"a", 1}, {"b", 1}}, [](const ClassKey&) { return Route{kA}; });
  EXPECT_EQ(drain(kA).size(), 2u);
}

// Who reloads may have mended what kept a way down.
TEST_F(WaysTest, AWayWithOtherSettingsIsTriedAtOnce) {
  const auto reload = [&](std::uint32_t a) {
    s->set_ways({{.name = "a", .edition = a}, {.name = "b"}},
                [](const ClassKey& key) { return Route{key.recipient_domain.starts_with('a') ? kA : kB}; });
  };
  reload(0);
  add(1, cls("a")), add(2, cls("b"));
  for (WayId way : {kA, kB}) s->way_down(way, 1h, "535 bad password");
  take_wakes();
  reload(0);
  EXPECT_TRUE(take_wakes().empty()) << "nothing has changed";
  reload(1);
  EXPECT_TRUE(s->take_slot(kA, 0));
  EXPECT_FALSE(take_wakes().empty());
  EXPECT_TRUE(s->ways()[kA].up);
  EXPECT_FALSE(s->ways()[kB].up) << "the other block is as it was";
  s->way_down(kA, 30s, "535 bad password");
  EXPECT_EQ(s->ways()[kA].again_at, clock.wall() + 30s) << "its failures of before count no more";
  reload(1);
  EXPECT_FALSE(s->ways()[kA].up);
}

TEST_F(WaysTest, FailoverOfManyMessagesIsWorkPerClass) {
  for (std::uint64_t id = 1; id <= 200'000; ++id) add(id, cls("ab"));
  const std::clock_t began = std::clock();
  for (int i = 0; i < 1000; ++i) {
    s->way_down(kA, 60s, "x");
    s->way_up(kA);
  }
  const auto took = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;  // of the processor, however busy it is
  EXPECT_LT(took, 1.0) << "2,000 moves of 200,000 messages";
  EXPECT_EQ(s->ways()[kA].ready, 200'000u);
}

}  // namespace
}  // namespace sidegate::queue::scheduler_ways_test
