// Leases: a message goes out to a courier, and what became of it comes back.
#include <algorithm>

#include "queue/retry.h"
#include "queue/schedule.h"

namespace sidegate::queue {

void Schedule::take(std::uint32_t at, Lease& lease) {
  ScheduleEntry& entry = entries_[at];
  const std::uint8_t rank = ready_.lane(entry.lane).rank;
  detach(at);
  entry.state = EntryState::kLeased;
  entry.hold_after = false;
  entry.lane = rank;
  ++counts_[static_cast<int>(EntryState::kLeased)];
  lease.classes.push_back(classes_[entry.cls].id);
  lease.attempts = std::max(lease.attempts, entry.attempts);
  lease.epoch = std::max(lease.epoch, entry.epoch);
  lease.priority = entry.priority;
}

std::optional<Lease> Schedule::lease(WayId id) {
  if (!known(id)) return std::nullopt;
  WayState& way = state(id);
  const Health now = health(id);
  if (now == Health::kDown || (now == Health::kTrial && on_trial_already(id))) return std::nullopt;
  const bool counted = is_counted(way);
  std::uint64_t most_classes = ~std::uint64_t{0};
  if (counted && !way.limits.empty()) {
    const Room room = room_of(way);
    if (room.none()) return std::nullopt;
    most_classes = room.recipients;
  }
  ready_.set_members(families_.slots());
  std::uint32_t lane = ready_.next_lane(id);
  // A way on trial may have no message of its own, since all went on by another: one of those tries it.
  if (lane == kNone && now == Health::kTrial) lane = lane_to_try(id);
  if (lane == kNone) return std::nullopt;

  Lease lease = take_message(ready_.lane(lane).head, id, most_classes);
  if (way.health == Health::kTrial) way.trial = lease.id;
  if (is_member(id) && ways_[way.family].health == Health::kTrial) ways_[way.family].trial = lease.id;
  way.connections.lease();
  if (counted) {
    charge(way, lease);
    call_touched(kAnyLoop);
  }
  call(id, kAnyLoop);
  return lease;
}

// This entry, and those of its siblings that are ready for the same way.
Lease Schedule::take_message(std::uint32_t first, WayId way, std::uint64_t most_classes) {
  Lease lease{.id = QueueId{entries_[first].id}, .way = way, .classes = {}, .attempts = 0, .epoch = 0};
  take(first, lease);
  for (std::uint32_t at = entries_[first].sibling; at != first && lease.classes.size() < most_classes;
       at = entries_[at].sibling) {
    if (entries_[at].state == EntryState::kReady && ready_.lane(entries_[at].lane).way == way) take(at, lease);
  }
  return lease;
}

bool Schedule::is_overdue(const ScheduleEntry& entry) const {
  if (entry.state != EntryState::kReady) return false;
  const WayId way = ready_.lane(entry.lane).way;
  if (known(way) && up(way) && !state(way).full) return false;
  const WallTime arrived = arrivals_.of(QueueId{entry.id});
  return expired(settings_, arrived, wall_) || (!entry.told && delay_report_due(settings_, arrived, wall_));
}

std::vector<Lease> Schedule::overdue(unsigned most) {
  std::vector<std::uint32_t> found;
  overdue_at_ = entries_.scan(overdue_at_, most, [&](std::uint32_t at) {
    if (is_overdue(entries_[at])) found.push_back(at);
  });
  std::vector<Lease> leases;
  for (std::uint32_t at : found) {
    if (entries_[at].state != EntryState::kReady) continue;  // went with a sibling
    const WayId way = ready_.lane(entries_[at].lane).way;
    leases.push_back(take_message(at, way));
    for_each_sibling(at,
                     [this](std::uint32_t one) { entries_[one].told |= entries_[one].state == EntryState::kLeased; });
    if (known(way)) state(way).connections.lease();  // finish counts it back
    if (is_member(way)) families_.stir(way);
  }
  return leases;
}

void Schedule::finish(const Lease& lease, std::span<const ClassResult> results, unsigned loop) {
  if (known(lease.way)) {
    state(lease.way).connections.finish();
    touch(lease.way);
    end_trial(lease.way, lease, results);
    if (is_member(lease.way)) end_trial(state(lease.way).family, lease, results);
    if (lease.charged > 0) settle_charge(lease, results);
  }
  std::vector<ClassId> leased(lease.classes);
  std::ranges::sort(leased);
  std::vector<const ClassResult*> sorted;
  for (const ClassResult& result : results) sorted.push_back(&result);
  std::ranges::sort(sorted, {}, &ClassResult::class_id);

  // A message of a thousand classes is settled in one walk; one removed meanwhile has no entries.
  for (std::uint32_t at : entries_of(lease.id)) {
    const ClassId cls = classes_[entries_[at].cls].id;
    if (entries_[at].state != EntryState::kLeased || !std::ranges::binary_search(leased, cls)) continue;
    const auto found = std::ranges::lower_bound(sorted, cls, {}, &ClassResult::class_id);
    settle(at, lease, found != sorted.end() && (*found)->class_id == cls ? *found : nullptr);
  }
  call_touched(loop);
}

// No result for a class of the lease means that nothing was tried for it: as kSameWay.
void Schedule::settle(std::uint32_t at, const Lease& lease, const ClassResult* result) {
  using Next = ClassResult::Next;
  ScheduleEntry& entry = entries_[at];
  const Next next = result == nullptr ? Next::kSameWay : result->next;
  if (next == Next::kEnd) return erase(at);
  if (next != Next::kSameWay && result->counts && entry.attempts < 0xFFFF) ++entry.attempts;
  if (next == Next::kAt || next == Next::kNextWay || next == Next::kHold) entry.due = steady(result->due);

  const std::uint8_t rank = static_cast<std::uint8_t>(entry.lane);
  const bool hold = entry.hold_after || next == Next::kHold;
  detach(at);
  if (hold) return make_held(at);
  if (next == Next::kSameWay) return make_ready(at, rank);
  if (next == Next::kNextWay) {
    if (const auto further = next_rank(classes_[entry.cls], lease.way)) {
      entry.due = now_;
      return make_ready(at, *further);
    }
  }
  start(at, false);
}

// The rank from which the class's way behind `after` is taken; nullopt if none of those is up.
std::optional<std::uint8_t> Schedule::next_rank(const ClassTable::Class& cls, WayId after) const {
  const Route& route = *cls.route;
  const auto here = std::ranges::find(route, after);
  if (here == route.end()) return std::nullopt;
  const auto next = std::find_if(here + 1, route.end(), [this](WayId way) { return takes(way); });
  if (next == route.end()) return std::nullopt;
  return static_cast<std::uint8_t>(here + 1 - route.begin());
}

// The one message of a way on trial came back. If the way answered for the message, it is up again; if the trouble was
// the way's once more, the pause grows (a courier that says so itself by way_down is heard too).
void Schedule::end_trial(WayId id, const Lease& lease, std::span<const ClassResult> results) {
  WayState& way = state(id);
  if (way.health != Health::kTrial || way.trial != lease.id) return;
  way.trial = {};
  using Next = ClassResult::Next;
  const auto answered = [](const ClassResult& r) { return r.next != Next::kSameWay && r.next != Next::kNextWay; };
  if (std::ranges::any_of(results, answered)) {
    way_up(id);
  } else if (std::ranges::any_of(results, [](const ClassResult& r) { return r.next == Next::kSameWay; })) {
    way_down(id, Duration(way.pause), {}, way.spent ? std::optional<Duration>(Duration(way.longest)) : std::nullopt);
  }
}

}  // namespace sidegate::queue
