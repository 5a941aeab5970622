// Ways that come and go: a family's members, one a destination.
#include "queue/scheduler_fixture.h"

namespace sidegate::queue::scheduler_families_test {
namespace {

constexpr WayId kRelay = 0, kDirect = 1;

// "x.example" goes direct, "x.both" direct and then by the relay, "x.relay" by the relay and then direct.
class Families : public SchedulerTest {
 protected:
  Families() { begin(); }
  void begin(unsigned all = 3, unsigned each = 2) {
    s = std::make_unique<Scheduler>(ScheduleSettings{}, clock, 2);
    s->set_wake([this](unsigned loop, WayId way) { wakes.push_back({loop, way}); });
    set(all, each);
  }
  void set(unsigned all, unsigned each) {
    s->set_ways({{"relay", 10}, {"direct", all, each}}, [](const ClassKey& key) {
      if (key.recipient_domain.ends_with(".both")) return Route{kDirect, kRelay};
      if (key.recipient_domain.ends_with(".relay")) return Route{kRelay, kDirect};
      return Route{kDirect};
    });
    wakes.clear();
  }
  ClassId to(const std::string& domain, const std::string& sender = "s") {
    return s->intern({.recipient_domain = domain, .sender_key = sender, .user = "", .listener = ""}, nullptr);
  }
  WayId member(const std::string& domain) { return s->find_member(kDirect, domain); }
  bool wakes_name(WayId way) {
    return std::ranges::any_of(wakes, [&](const WakeCall& call) { return call.way == way; });
  }
};

TEST_F(Families, EachDestinationIsAWayOfItsOwn) {
  add(1, to("a.example")), add(2, to("b.example")), add(3, to("a.example", "other"));
  const WayId a = member("a.example"), b = member("b.example");
  ASSERT_TRUE(is_member(a) && is_member(b));
  EXPECT_NE(a, b);
  EXPECT_EQ(s->members(), 2u);
  EXPECT_EQ(take_wakes(), (Wakes{{0, a}, {0, b}, {0, a}}));
  EXPECT_EQ(s->member(a)->domain, "a.example");
  EXPECT_EQ(s->member(a)->family, kDirect);
  EXPECT_EQ(drain(a), (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(drain(b), (std::vector<std::uint64_t>{2}));
  EXPECT_FALSE(s->lease(kDirect));  // the family itself carries nothing
}

TEST_F(Families, OneInTroubleIsNotTheOthersTrouble) {
  add(1, to("a.both")), add(2, to("b.both"));
  s->way_down(member("a.both"), 1h, "refuses us");
  EXPECT_EQ(id_of(s->lease(kRelay)), 1u);
  EXPECT_EQ(id_of(s->lease(member("b.both"))), 2u);
  const auto ways = s->ways();
  ASSERT_EQ(ways.size(), 3u);  // the relay, the family, and the member in trouble
  EXPECT_TRUE(ways[1].up);
  EXPECT_EQ(ways[1].members, 2u);
  EXPECT_EQ(ways[2].name, "direct");
  EXPECT_EQ(ways[2].domain, "a.both");
  EXPECT_EQ(ways[2].reason, "refuses us");
}

TEST_F(Families, LimitsHoldForEachAndForAll) {
  for (std::uint64_t id = 1; id <= 12; ++id) add(id, to(id == 3 ? "b.example" : id % 2 ? "a.example" : "c.example"));
  const WayId a = member("a.example"), b = member("b.example"), c = member("c.example");
  EXPECT_TRUE(s->take_slot(a, 0));
  EXPECT_TRUE(s->take_slot(a, 1));
  EXPECT_FALSE(s->take_slot(a, 0));  // 2 of each
  EXPECT_TRUE(s->take_slot(b, 0));
  EXPECT_FALSE(s->take_slot(c, 0));  // 3 in all
  for (WayId way : {a, a, b}) s->slot_ready(way, 0);
  take_wakes();
  s->release_slot(b, 0);
  EXPECT_TRUE(wakes_name(c));  // who stood in line is called
  EXPECT_TRUE(s->take_slot(c, 0));
}

TEST_F(Families, AWarmConnectionGivesItsPlaceToWhoWaits) {
  begin(1, 1);
  add(1, to("a.example"));
  const WayId a = member("a.example");
  ASSERT_TRUE(s->take_slot(a, 1));
  s->slot_ready(a, 1);
  EXPECT_EQ(drain(a).size(), 1u);
  EXPECT_FALSE(s->is_wanted_elsewhere(a));
  s->idle(a, 1, +1);
  take_wakes();
  add(2, to("b.example"));
  EXPECT_EQ(take_wakes(), (Wakes{{1, a}}));
  s->idle(a, 1, -1);
  EXPECT_FALSE(s->lease(a));
  EXPECT_TRUE(s->is_wanted_elsewhere(a));
  s->release_slot(a, 1);
  EXPECT_TRUE(wakes_name(member("b.example")));
  EXPECT_TRUE(s->take_slot(member("b.example"), 0));
}

TEST_F(Families, DownAsAWholeEachTakesItsNextWayOrWaits) {
  add(1, to("a.both")), add(2, to("b.example")), add(3, to("c.both"));
  take_wakes();
  s->way_down(kDirect, 5min, "port 25 is closed here");
  EXPECT_TRUE(wakes_name(kRelay));
  EXPECT_EQ(drain(kRelay), (std::vector<std::uint64_t>{1, 3}));
  EXPECT_FALSE(s->lease(member("b.example")));
  EXPECT_EQ(s->way(member("b.example"))->reason, "port 25 is closed here");
  add(4, to("new.both"));  // a member that comes while it is down
  EXPECT_EQ(drain(kRelay), (std::vector<std::uint64_t>{4}));
  s->way_up(kDirect);
  EXPECT_TRUE(wakes_name(member("b.example")));
  EXPECT_EQ(drain(member("b.example")), (std::vector<std::uint64_t>{2}));
}

TEST_F(Families, OneMessageOfAnyMemberTriesIt) {
  add(1, to("a.example")), add(2, to("b.example")), add(3, to("b.example"));
  s->way_down(kDirect, 5min, "closed");
  take_wakes();
  pass(5min);
  const Wakes called = take_wakes();
  ASSERT_EQ(called.size(), 1u);
  const WayId first = called[0].way, other = first == member("a.example") ? member("b.example") : member("a.example");
  EXPECT_TRUE(s->take_slot(first, 0));
  EXPECT_FALSE(s->take_slot(other, 0));
  s->slot_ready(first, 0);
  const auto lease = s->lease(first);
  ASSERT_TRUE(lease);
  EXPECT_FALSE(s->lease(other));
  finish(*lease, Next::kEnd);  // the answer: it is up
  EXPECT_TRUE(s->way(kDirect)->up);
  EXPECT_TRUE(s->lease(other));
}

TEST_F(Families, AFailedTrialIsFollowedBySomebodyElses) {
  add(1, to("a.example")), add(2, to("b.example"));
  s->way_down(kDirect, 5min, "closed");
  std::vector<WayId> tried;
  for (int i = 0; i < 2; ++i) {
    take_wakes();
    pass(1h);
    ASSERT_EQ(wakes.size(), 1u);
    tried.push_back(wakes[0].way);
    ASSERT_TRUE(s->take_slot(tried.back(), 0));
    s->way_down(kDirect, 5min, "closed");
    s->release_slot(tried.back(), 0, false);
  }
  EXPECT_NE(tried[0], tried[1]);
}

TEST_F(Families, MessagesThatGoByTheNextWayTryItToo) {
  s->way_down(kDirect, 5min, "closed");
  pass(5min);
  EXPECT_TRUE(take_wakes().empty());  // nobody has mail for it
  add(1, to("a.both"));
  ASSERT_EQ(wakes.size(), 2u);
  EXPECT_EQ(wakes[0].way, member("a.both"));  // one connection, and the message does not wait for it
  EXPECT_EQ(wakes[1].way, kRelay);
  EXPECT_TRUE(s->take_slot(member("a.both"), 0));
  EXPECT_EQ(id_of(s->lease(kRelay)), 1u);
}

TEST_F(Families, ShortTroublesOfMembersAreForgivenWithTheWhole) {
  add(1, to("a.example")), add(2, to("b.example"));
  s->way_down(member("a.example"), 30s, "timeout");
  s->way_down(member("b.example"), 24h, "refuses our address");
  s->way_down(kDirect, 5min, "closed");
  s->way_up(kDirect);
  EXPECT_EQ(id_of(s->lease(member("a.example"))), 1u);
  EXPECT_FALSE(s->lease(member("b.example")));
}

TEST_F(Families, AReloadKeepsWhatIsKnown) {
  add(1, to("a.example")), add(2, to("b.example"));
  const WayId a = member("a.example");
  s->way_down(a, 24h, "refuses us");
  ASSERT_TRUE(s->take_slot(member("b.example"), 0));
  set(3, 1);
  EXPECT_EQ(member("a.example"), a);
  EXPECT_EQ(s->way(a)->reason, "refuses us");
  EXPECT_FALSE(s->take_slot(member("b.example"), 0));  // 1 of each now
  s->set_ways({{"relay", 10}, {"", 0}}, [](const ClassKey&) { return Route{kRelay}; });
  EXPECT_EQ(drain(kRelay).size(), 2u);
}

TEST_F(Families, WithOtherSettingsEachIsTriedAtOnce) {
  add(1, to("a.example")), add(2, to("b.example"));
  const WayId a = member("a.example"), b = member("b.example");
  s->way_down(a, 24h, "refuses our address");
  s->way_down(kDirect, 1h, "port 25 is closed");
  take_wakes();
  s->set_ways({{"relay", 10}, {.name = "direct", .connections = 3, .each = 2, .edition = 1}},
              [](const ClassKey&) { return Route{kDirect}; });
  EXPECT_TRUE(wakes_name(a) && wakes_name(b));
  EXPECT_EQ(id_of(s->lease(a)), 1u);
  EXPECT_EQ(id_of(s->lease(b)), 2u);
}

TEST_F(Families, GivenBackWhenNothingUsedItForAnHour) {
  constexpr std::uint64_t kMany = 2000;
  std::vector<WayId> old;
  for (std::uint64_t id = 1; id <= kMany; ++id) {
    const std::string domain = "d" + std::to_string(id) + ".example";
    add(id, to(domain));
    old.push_back(member(domain));
    EXPECT_EQ(drain(old.back()).size(), 1u);
  }
  s->way_down(member("d7.example"), 24h, "refuses us");
  EXPECT_EQ(s->members(), kMany);
  for (int i = 0; i < 400; ++i) pass(10s);
  EXPECT_EQ(s->members(), 1u);  // what is known of it is worth keeping for its day
  EXPECT_TRUE(s->member(old[6]));
  for (int i = 0; i < 200; ++i) pass(15min);
  EXPECT_EQ(s->members(), 0u);
  EXPECT_FALSE(s->member(old[0]));
  // An id that somebody still remembers means nobody, also when its place is taken.
  for (std::uint64_t id = 1; id <= kMany; ++id) add(id, to("n" + std::to_string(id) + ".example"));
  for (WayId id : old) EXPECT_FALSE(s->lease(id));
  EXPECT_FALSE(s->take_slot(old[3], 0));
  s->way_down(old[3], 1h, "x");
  s->release_slot(old[3], 0);
}

TEST_F(Families, OctetsADestination) {
  constexpr std::uint64_t kMany = 100'000;
  const std::size_t before = s->memory();
  for (std::uint64_t id = 1; id <= kMany; ++id) add(id, to("destination" + std::to_string(id) + ".example"));
  const std::size_t each = (s->memory() - before) / kMany;
  RecordProperty("octets", static_cast<int>(each));
  EXPECT_EQ(s->members(), kMany);
  EXPECT_LT(each, 1000u);  // message, class, lane and member
}

}  // namespace
}  // namespace sidegate::queue::scheduler_families_test
