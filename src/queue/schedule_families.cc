// Families: a limit of connections over all members, down and up as a whole.
#include "queue/schedule.h"

namespace sidegate::queue {

// Whether its family has a connection for it. On trial, one connection at a time tries the family.
bool Schedule::may_open(WayId id) const {
  const WayId whole = state(id).family;
  const WayFamily& family = *families_.family(whole);
  if (ways_[whole].health == Health::kTrial && (family.opening > 0 || ways_[whole].trial)) return false;
  return family.has_room();
}

bool Schedule::take_member_slot(WayId id, bool wants) {
  const WayId whole = state(id).family;
  WayFamily& family = *families_.family(whole);
  if (wants && may_open(id)) {
    ++family.slots, ++family.opening;
    state(id).connections.take();
    families_.stir(id);
    call(id, kAnyLoop);
    call_in_line(whole, 1);
    return true;
  }
  if (wants && !family.has_room()) families_.stand_in_line(id);
  if (!wants) call_in_line(whole, 1);  // the wake was for nothing here: who stands in line must not wait for it
  return false;
}

void Schedule::call_in_line(WayId whole, unsigned most) {
  WayFamily& family = *families_.family(whole);
  if (ways_[whole].health != Health::kUp) return;
  while (most > 0 && family.has_room()) {
    const WayId next = families_.next_in_line(family);
    if (next == kNoWay) return;
    if (wanted(next) <= state(next).connections.takers()) continue;
    call(next, kAnyLoop);
    --most;
  }
}

// A warm connection without work gives its place to a member that has some.
void Schedule::wake_sleeper_of(WayFamily& family, WayId but) {
  for (WayId id : family.sleepers) {
    if (id == but || !families_.alive(id)) continue;
    WayConnections& connections = state(id).connections;
    const auto loop = connections.sleeping_loop(0);
    if (!loop) continue;
    connections.wake_idle(*loop);
    wakes_->push({*loop, id});
    if (connections.asleep() == 0) family.sleepers.erase(id);
    return;
  }
}

bool Schedule::is_wanted_elsewhere(WayId id) const {
  if (!families_.alive(id)) return true;
  const WayFamily* family = families_.family(state(id).family);
  return !family->has_room() && !family->line.empty();
}

// All members with work stand in line, and as many as there is room for are called.
void Schedule::call_members(WayId whole, bool all) {
  WayFamily& family = *families_.family(whole);
  const Health now = ways_[whole].health;
  if (now == Health::kTrial) return call_family_trial(whole);
  if (now == Health::kDown) return;
  if (!all && family.has_room()) call_in_line(whole, family.limit - family.slots);
  if (family.line.empty() || all) {
    for (std::uint32_t at = 0; at < ready_.lane_slots(); ++at) {
      const Lane& lane = ready_.lane(at);
      if (lane.cls == kNone || !is_member(lane.way) || state(lane.way).family != whole) continue;
      const WayConnections& connections = state(lane.way).connections;
      if (connections.has_free_slot() && wanted(lane.way) > connections.takers()) families_.stand_in_line(lane.way);
    }
  }
  if (family.has_room()) return call_in_line(whole, family.limit - family.slots);
  if (!family.line.empty()) wake_sleeper_of(family, kNoWay);
}

// The member of the family by which a message of this lane may try it.
WayId Schedule::member_to_try(const Lane& lane, WayId whole) const {
  if (lane.cls == kNone) return kNoWay;
  const Route& route = *classes_[lane.cls].route;
  for (WayId way : route) {
    if (is_member(way) && state(way).family == whole && health(way) == Health::kTrial && may_try(lane, way)) return way;
  }
  return kNoWay;
}

void Schedule::call_family_trial(WayId whole) {
  if (ways_[whole].trial || families_.family(whole)->opening > 0) return;
  const std::uint32_t slots = ready_.lane_slots();
  for (std::uint32_t i = 0; i < slots; ++i) {
    const std::uint32_t at = (try_at_ + i) % slots;
    const WayId way = member_to_try(ready_.lane(at), whole);
    if (way == kNoWay) continue;
    try_at_ = at + 1;  // another time somebody else: this one's own server may be down
    return call(way, kAnyLoop);
  }
}

// What was wrong with single members for a moment was the family's trouble, or is over with it. Those that refuse us
// stay as they are (their pause is longer than that), unless all of the family is other than it was.
void Schedule::forgive_members(WayId whole, std::int64_t shorter_than) {
  families_.for_each_restless([&](WayId id) {
    WayState& one = families_.state(id);
    if (one.family == whole && !one.up() && one.pause < shorter_than) one.go_up();
  });
}

}  // namespace sidegate::queue
