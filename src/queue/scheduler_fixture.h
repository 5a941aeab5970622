// For the scheduler's tests: ways a, b, c and a recipient domain that names its route ("ab.example" goes by a, else b).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "queue/scheduler.h"

namespace sidegate::queue {
using Next = ClassResult::Next;

inline constexpr WayId kA = 0, kB = 1, kC = 2;

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

}  // namespace sidegate::queue
