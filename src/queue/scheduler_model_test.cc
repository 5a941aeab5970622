// Random operations against a naive model: every message is leased once at a time and none is lost, limits hold,
// senders take turns, and after any history, what can go goes by wakes alone.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>  // needs the one before

#include <deque>
#include <map>
#include <set>

#include "queue/scheduler_fixture.h"

namespace sidegate::queue::scheduler_model_test {
namespace {

using Next = ClassResult::Next;

constexpr unsigned kLoops = 3, kLimit = 2, kFamilyLimit = 3;
constexpr WayId kFamily = 3;  // d; what follows it makes another destination of it, so another member
const char* const kRoutes[] = {"a", "b", "ab", "ba", "abc", "cb", "d", "d2", "d3a", "ad4"};
const char* const kSenders[] = {"one", "two", "three"};

// What the model knows of one (message, class).
struct Row {
  enum State { kWaiting, kReady, kLeased, kHeld } state = kWaiting;
  SteadyTime due{};
  unsigned rank = 0;
  bool hold_after = false;
};

struct Connection {
  WayId way;
  unsigned loop;
  enum State { kOpening, kBetween, kBusy, kIdle } state = kOpening;
  std::optional<Lease> lease;
};

class Model {
 public:
  Model() : s({}, clock, kLoops) {
    s.set_wake([this](unsigned loop, WayId way) { wakes.push_back({loop, way}); });
    s.set_ways({{"a", kLimit}, {"b", kLimit}, {"c", kLimit}, {"d", kFamilyLimit, kLimit}},
               [](const ClassKey& key) { return route_of(key.recipient_domain); });
    for (const char* route : kRoutes) {
      for (const char* sender : kSenders) {
        const ClassId id =
            s.intern({.recipient_domain = route, .sender_key = sender, .user = "", .listener = ""}, nullptr);
        routes[id] = route_of(route);
        for (WayId& way : routes[id]) {
          if (way != kFamily) continue;
          way = s.find_member(kFamily, route);
          ways.insert(way);
        }
        senders[id] = sender;
        classes.push_back(id);
      }
    }
  }

  static Route route_of(const std::string& text) {
    Route route;
    for (char c : text) {
      if (c >= 'a') route.push_back(static_cast<WayId>(c - 'a'));
    }
    return route;
  }

  // --- the naive part
  bool up(WayId way) const { return !down.contains(way) && !(is_member(way) && down.contains(kFamily)); }
  WayId some_way(std::uint32_t dice) const {  // or the family
    const std::size_t which = dice % (ways.size() + 1);
    return which == ways.size() ? kFamily : *std::next(ways.begin(), static_cast<std::ptrdiff_t>(which));
  }
  WayId goes_by(ClassId cls, unsigned rank) const {  // kNoWay: none of its ways is up
    for (unsigned i = rank; i < routes.at(cls).size(); ++i) {
      if (up(routes.at(cls)[i])) return routes.at(cls)[i];
    }
    return kNoWay;
  }
  std::set<ClassId> ready_of(std::uint64_t id, WayId way) const {
    std::set<ClassId> found;
    for (const auto& [cls, row] : rows.at(id)) {
      if (row.state == Row::kReady && goes_by(cls, row.rank) == way) found.insert(cls);
    }
    return found;
  }
  std::uint64_t ready_for(WayId way) const {
    std::uint64_t count = 0;
    for (const auto& [id, unused] : rows) count += !ready_of(id, way).empty();
    return count;
  }
  void pass(Duration by) {
    clock.advance(by);
    for (auto& [id, message] : rows) {
      for (auto& [cls, row] : message) {
        if (row.state == Row::kWaiting && row.due <= clock.steady()) row.state = Row::kReady;
      }
    }
    s.tick();
    sync_health();
  }
  // Trials begin and end inside; what is up or not is read back (its rules have tables of their own).
  void sync_health() {
    std::set<WayId> now;
    for (const WayStatus& way : s.ways()) {
      if (!way.up) now.insert(way.id);
    }
    if (now != down) waited.clear();  // turns begin anew where classes moved
    down = now;
  }

  // --- operations
  void add(std::uint32_t dice) {
    const std::uint64_t id = ++last_id;
    std::vector<DueRow> due;
    std::set<ClassId> chosen;
    // A message has one sender: every third class is of the same one.
    const std::size_t sender = dice / 3 % std::size(kSenders);
    for (unsigned i = 0; i <= dice % 3; ++i) {
      chosen.insert(classes[sender + std::size(kSenders) * ((dice / 9 + i) % std::size(kRoutes))]);
    }
    for (ClassId cls : chosen) {
      const Duration in = dice % 5 == 0 ? Duration(dice % 100'000) : Duration::zero();
      due.push_back({.id = QueueId{id},
                     .class_id = cls,
                     .due = clock.wall() + in,
                     .attempts = 0,
                     .priority = 0,
                     .held = dice % 17 == 0,
                     .epoch = 0});
      Row row;
      row.due = clock.steady() + in;
      row.state = dice % 17 == 0 ? Row::kHeld : in > Duration::zero() ? Row::kWaiting : Row::kReady;
      rows[id][cls] = row;
    }
    s.add(due, dice % kLoops);
  }
  std::uint64_t some_id(std::uint32_t dice) const { return 1 + dice % (last_id + 1); }
  void remove(std::uint64_t id) {
    s.remove(QueueId{id});
    rows.erase(id);
  }
  void hold(std::uint64_t id, bool held) {
    s.hold(QueueId{id}, held);
    if (!rows.contains(id)) return;
    for (auto& [cls, row] : rows[id]) {
      if (row.state == Row::kLeased) {
        row.hold_after = held;
      } else if (held) {
        row.state = Row::kHeld;
        row.rank = 0;
      } else if (row.state == Row::kHeld) {
        row.state = row.due <= clock.steady() ? Row::kReady : Row::kWaiting;
      }
    }
  }
  void retry(std::uint64_t id) {
    s.retry_now(QueueId{id});
    if (!rows.contains(id)) return;
    for (auto& [cls, row] : rows[id]) {
      if (row.state == Row::kWaiting) row.state = Row::kReady, row.rank = 0, row.due = clock.steady();
    }
  }

  std::optional<Lease> lease(WayId way) {
    const bool was_up = up(way);
    auto lease = s.lease(way);
    if (!lease) {
      if (was_up) RC_ASSERT(ready_for(way) == 0u);
      return lease;
    }
    RC_ASSERT(rows.contains(lease->id.value));
    auto& message = rows[lease->id.value];
    const std::set<ClassId> given(lease->classes.begin(), lease->classes.end());
    RC_ASSERT(given.size() == lease->classes.size());
    if (was_up) RC_ASSERT(given == ready_of(lease->id.value, way));
    for (ClassId cls : given) {
      RC_ASSERT(message.contains(cls));
      RC_ASSERT(message[cls].state == Row::kReady);  // leased once at a time
      RC_ASSERT(std::ranges::count(routes[cls], way) == 1);
      message[cls].state = Row::kLeased;
    }
    if (was_up) take_turn(way, senders[*given.begin()]);
    return lease;
  }
  // While a sender has something ready for a way, each other one gets at most one turn before it.
  void take_turn(WayId way, const std::string& sender) {
    for (const char* other : kSenders) {
      auto& turns = waited[{way, other}];
      if (other == sender || !has_ready(way, other)) {
        turns.clear();
      } else {
        RC_ASSERT(++turns[sender] <= 1);
      }
    }
  }
  // Who had nothing ready meanwhile stands at the end of the ring again.
  void forget_turns() {
    std::erase_if(waited, [this](const auto& entry) { return !has_ready(entry.first.first, entry.first.second); });
  }
  bool has_ready(WayId way, const std::string& sender) const {
    for (const auto& [id, message] : rows) {
      for (ClassId cls : ready_of(id, way)) {
        if (senders.at(cls) == sender) return true;
      }
    }
    return false;
  }

  void finish(Connection& connection, std::uint32_t dice) {
    const Lease lease = *std::exchange(connection.lease, std::nullopt);
    connection.state = Connection::kBetween;
    std::vector<ClassResult> results;
    std::map<ClassId, ClassResult> by_class;
    for (ClassId cls : lease.classes) {
      const Next next = static_cast<Next>(dice % 5);
      dice = dice / 5 + 7;
      results.push_back({cls, next, clock.wall() + Duration(dice % 50'000), true});
      by_class[cls] = results.back();
    }
    s.finish(lease, results, connection.loop);
    const auto was_down = down;
    sync_health();  // a trial may have ended: then kNextWay went by what is up now
    auto message = rows.find(lease.id.value);
    if (message == rows.end()) return;
    for (const auto& [cls, result] : by_class) {
      if (auto row = message->second.find(cls); row != message->second.end() && row->second.state == Row::kLeased) {
        settle(message->second, row, result, lease.way);
      }
    }
    if (message->second.empty()) rows.erase(message);
  }
  void settle(std::map<ClassId, Row>& message, std::map<ClassId, Row>::iterator at, const ClassResult& result,
              WayId way) {
    Row& row = at->second;
    if (result.next == Next::kEnd) {
      message.erase(at);
      return;
    }
    if (result.next != Next::kSameWay) row.due = clock.steady() + (result.due - clock.wall());
    if (std::exchange(row.hold_after, false) || result.next == Next::kHold) {
      row.state = Row::kHeld;
      row.rank = 0;
      return;
    }
    const Route& route = routes[at->first];
    const unsigned behind = static_cast<unsigned>(std::ranges::find(route, way) - route.begin()) + 1;
    if (result.next == Next::kSameWay) {
      row.state = Row::kReady;
    } else if (result.next == Next::kNextWay && goes_by(at->first, behind) != kNoWay) {
      row.state = Row::kReady;
      row.rank = behind;
      row.due = clock.steady();
    } else {
      row.state = row.due <= clock.steady() ? Row::kReady : Row::kWaiting;
      row.rank = 0;
    }
  }

  // --- couriers
  void follow_wake() {
    const auto [loop, way] = wakes.front();
    wakes.pop_front();
    for (Connection& connection : connections) {
      if (connection.state != Connection::kIdle || connection.loop != loop || connection.way != way) continue;
      s.idle(way, loop, -1);
      connection.state = Connection::kBetween;
      return;
    }
    if (!s.take_slot(way, loop)) return;
    connections.push_back({way, loop, Connection::kOpening, std::nullopt});
    RC_ASSERT(std::ranges::count(connections, way, &Connection::way) <= kLimit);
    RC_ASSERT(std::ranges::count_if(connections, is_member, &Connection::way) <= kFamilyLimit);
  }
  // dice: what may go wrong; 0: nothing does.
  void step(std::size_t which, std::uint32_t dice) {
    Connection& connection = connections[which];
    switch (connection.state) {
      case Connection::kOpening:
        if (dice % 4 == 3) return close(which, false);
        connection.state = Connection::kBetween;
        return s.slot_ready(connection.way, connection.loop);
      case Connection::kBetween:
        if (dice % 11 == 10) return close(which, true);
        connection.lease = lease(connection.way);
        if (!connection.lease && s.is_wanted_elsewhere(connection.way)) return close(which, true);
        connection.state = connection.lease ? Connection::kBusy : Connection::kIdle;
        if (!connection.lease) s.idle(connection.way, connection.loop, 1);
        return;
      case Connection::kBusy:
        return finish(connection, dice);
      case Connection::kIdle:
        if (dice % 3 != 2) return;
        s.idle(connection.way, connection.loop, -1);
        return close(which, true);
    }
  }
  void close(std::size_t which, bool stood) {
    const Connection gone = connections[which];
    connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(which));
    s.release_slot(gone.way, gone.loop, stood);
  }

  // Wakes alone, no clock: everything that can go now has gone. A family's member that lost its place in line is called
  // by one of the next ticks.
  void settle_down() {
    follow_all();
    const auto waits = [&](WayId way) { return is_member(way) && up(way) && ready_for(way) > 0; };
    for (unsigned ticks = 0; ticks < 4 && std::ranges::any_of(ways, waits); ++ticks) {
      pass(Duration(0));
      follow_all();
    }
    for (WayId way : ways) {
      if (up(way)) RC_ASSERT(ready_for(way) == 0u);
    }
  }
  void follow_all() {
    unsigned rounds = 0;
    for (bool moved = true; moved;) {
      RC_ASSERT(++rounds < 10'000u);  // no wake for nothing, over and over
      moved = !wakes.empty();
      for (unsigned followed = 0; !wakes.empty(); ++followed) {
        RC_ASSERT(followed < 10'000u);
        follow_wake();
      }
      for (std::size_t i = 0; i < connections.size(); ++i) {
        if (connections[i].state == Connection::kIdle) continue;
        moved = true;
        step(i, 0);  // finish: kEnd for all
      }
    }
  }

  void operate(std::uint32_t op, std::uint32_t dice) {
    switch (op % 16) {
      case 0:
      case 1:
      case 2:
        return add(dice);
      case 3:
        return remove(some_id(dice));
      case 4:
        return hold(some_id(dice / 2), dice % 2);
      case 5:
        retry(some_id(dice));
        return sync_health();
      case 6:
        return pass(Duration(dice % 20'000));
      case 7:
        clock.jump(Duration(static_cast<std::int64_t>(dice % 2'000'000) - 1'000'000) * 1000);
        return;
      case 8:
        s.way_down(some_way(dice), Duration(dice % 60'000), "x");
        return sync_health();
      case 9:
        s.way_up(some_way(dice));
        return sync_health();
      case 10:
      case 11:
        if (!wakes.empty()) follow_wake();
        return;
      default:
        if (!connections.empty()) step(dice % connections.size(), dice / 8);
        return;
    }
  }
  void check() {
    forget_turns();
    std::uint64_t counts[4] = {};
    for (const auto& [id, message] : rows) {
      for (const auto& [cls, row] : message) ++counts[row.state];
    }
    const Totals totals = s.totals();
    RC_ASSERT(totals.messages == rows.size());
    RC_ASSERT(totals.waiting == counts[Row::kWaiting]);
    RC_ASSERT(totals.ready == counts[Row::kReady]);
    RC_ASSERT(totals.active == counts[Row::kLeased]);
    RC_ASSERT(totals.held == counts[Row::kHeld]);
  }
  void finish_all() {
    s.way_up(kFamily);
    for (WayId way : ways) s.way_up(way);
    sync_health();
    for (std::uint64_t id = 1; id <= last_id; ++id) hold(id, false);
    for (int i = 0; i < 10 && !rows.empty(); ++i) {
      settle_down();
      pass(200s);
    }
    RC_ASSERT(rows.empty());
    RC_ASSERT(s.totals().messages == 0u);
  }

 private:
  ManualClock clock;
  Scheduler s;
  std::map<ClassId, Route> routes;
  std::map<ClassId, std::string> senders;
  std::vector<ClassId> classes;
  std::map<std::uint64_t, std::map<ClassId, Row>> rows;
  std::map<std::pair<WayId, std::string>, std::map<std::string, int>> waited;
  std::set<WayId> ways{0, 1, 2};
  std::set<WayId> down;
  std::deque<std::pair<unsigned, WayId>> wakes;
  std::vector<Connection> connections;
  std::uint64_t last_id = 0;
};

RC_GTEST_PROP(SchedulerModel, AnyHistory, ()) {
  const auto length = *rc::gen::inRange<std::size_t>(1, 600);
  const auto ops =
      *rc::gen::container<std::vector<std::uint32_t>>(length, rc::gen::inRange<std::uint32_t>(0, 1u << 30));
  Model model;
  for (std::uint32_t op : ops) {
    model.operate(op, op / 16);
    model.check();
  }
  model.settle_down();
  model.check();
  model.finish_all();
}

}  // namespace
}  // namespace sidegate::queue::scheduler_model_test
