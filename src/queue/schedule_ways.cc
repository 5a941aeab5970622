// Ways: which one a class takes now, who is woken for what is ready, and how a way comes back.
#include <algorithm>

#include "queue/schedule.h"

namespace sidegate::queue {

// The first way from `rank` on that is up. If none is: where its messages wait; one on trial, else the first.
WayId Schedule::resolve(const ClassTable::Class& cls, std::uint8_t rank) const {
  const Route& route = *cls.route;
  if (route.empty()) return kNoWay;
  const auto from = route.begin() + (rank < route.size() ? rank : 0);
  for (const Health health : {Health::kUp, Health::kTrial}) {
    const auto way = std::find_if(from, route.end(), [&](WayId w) { return ways_[w].health == health; });
    if (way != route.end()) return *way;
  }
  return *from;
}

// After a way's health changed: O(classes with ready messages), not O(messages).
void Schedule::resolve_lanes() {
  for (std::uint32_t at = 0; at < ready_.lane_slots(); ++at) {
    if (ready_.lane(at).cls == kNone) continue;
    const WayId way = resolve(classes_[ready_.lane(at).cls], ready_.lane(at).rank);
    if (way == ready_.lane(at).way) continue;
    ready_.move_lane(at, way);
    touch(way);
  }
}

void Schedule::set_ways(std::vector<WayLimits> ways, Router router) {
  while (ways_.size() < ways.size()) ways_.emplace_back(loops_);
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    const std::string name = i < ways.size() ? ways[i].name : std::string();
    if (ways_[i].name != name) ways_[i].go_up();  // another way: what was known of the old one says nothing of it
    ways_[i].name = name;
    ways_[i].connections.limit = name.empty() ? 0 : ways[i].connections;
  }
  ready_.set_ways(ways_.size());
  classes_.set_router(std::move(router), ways_.size());

  // A rank counts ways of the old route: what had gone on to a next way starts again with the first of the new one.
  std::vector<std::uint32_t> ranked;
  for (std::uint32_t lane = 0; lane < ready_.lane_slots(); ++lane) {
    if (ready_.lane(lane).cls == kNone || ready_.lane(lane).rank == 0) continue;
    for (std::uint32_t at = ready_.lane(lane).head; at != kNone; at = entries_[at].next) ranked.push_back(at);
  }
  for (std::uint32_t at : ranked) {
    detach(at);
    make_ready(at, 0);
  }
  resolve_lanes();
  touched_.clear();
  call_all(kAnyLoop);
}

// May a message of this lane try `way`, which is on trial? If it stands before the lane's present way, or that is not
// up.
bool Schedule::may_try(const Lane& lane, WayId way) const {
  const Route& route = *classes_[lane.cls].route;
  for (std::size_t i = lane.rank; i < route.size(); ++i) {
    if (route[i] == way) return true;
    if (route[i] == lane.way && ways_[lane.way].up()) return false;
  }
  return false;
}

std::uint32_t Schedule::lane_to_try(WayId way) const {
  for (std::uint32_t at = 0; at < ready_.lane_slots(); ++at) {
    if (ready_.lane(at).cls != kNone && may_try(ready_.lane(at), way)) return at;
  }
  return kNone;
}

// How many connections could find work on this way now.
unsigned Schedule::wanted(WayId id) const {
  const WayState& way = ways_[id];
  if (way.health == Health::kUp)
    return static_cast<unsigned>(std::min<std::uint64_t>(ready_.way(id).messages(), 1u << 20));
  if (way.health == Health::kDown || way.trial) return 0;
  return ready_.way(id).entries > 0 || lane_to_try(id) != kNone ? 1 : 0;
}

// Wakes for what is ready and will not be asked for without: at most `most`. An idle connection on `loop` first, then
// one on another loop, then a free slot on `loop`.
void Schedule::call(WayId id, unsigned loop, unsigned most) {
  if (!known(id)) return;
  WayConnections& connections = ways_[id].connections;
  const unsigned want = wanted(id);
  unsigned slots = connections.limit > connections.slots() ? connections.limit - connections.slots() : 0;
  for (unsigned woken = 0, asked = 0; woken < most && want > connections.takers() + asked; ++woken) {
    const unsigned preferred = loop == kAnyLoop ? next_loop_++ % loops_ : loop;
    if (const auto sleeping = connections.sleeping_loop(preferred)) {
      connections.wake_idle(*sleeping);
      wakes_->push({*sleeping, id});
    } else if (slots > 0) {
      --slots, ++asked;
      wakes_->push({preferred, id});
    } else {
      return;
    }
  }
}

void Schedule::call_all(unsigned loop) {
  for (std::size_t id = 0; id < ways_.size(); ++id) call(static_cast<WayId>(id), loop, ways_[id].connections.limit);
}

// A message became ready for it, or a connection free: worth one wake when the operation is done.
void Schedule::touch(WayId way) {
  if (!known(way)) return;
  const auto known_touch = std::ranges::find(touched_, way, &Touched::way);
  known_touch == touched_.end() ? touched_.push_back({way, 1}) : void(++known_touch->times);
}

void Schedule::call_touched(unsigned loop) {
  for (const Touched& touched : touched_) call(touched.way, loop, touched.times);
  touched_.clear();
}

bool Schedule::take_slot(WayId id, unsigned loop) {
  if (!known(id)) return false;
  WayConnections& connections = ways_[id].connections;
  if (!connections.has_free_slot() || wanted(id) <= connections.takers()) return false;
  connections.take();
  call(id, kAnyLoop);  // the next one, if more is ready: a wake may have stood for several
  return true;
}

void Schedule::slot_ready(WayId id, unsigned loop) {
  if (!known(id)) return;
  ways_[id].connections.stands();
  call(id, kAnyLoop);
}

void Schedule::release_slot(WayId id, unsigned loop, bool stood) {
  if (!known(id)) return;
  ways_[id].connections.release(stood);
  call(id, loop);
}

void Schedule::idle(WayId id, unsigned loop, int by) {
  if (!known(id)) return;
  ways_[id].connections.idle(loop, by);
  call(id, loop);
}

void Schedule::way_down(WayId id, Duration for_how_long, std::string reason) {
  if (!known(id)) return;
  const bool was_down = ways_[id].health == Health::kDown;
  const std::int64_t longest = std::int64_t{30} * 24 * 3600 * 1000;
  ways_[id].go_down(now_, std::min<std::int64_t>(for_how_long.count(), longest), std::move(reason));
  if (was_down) return;
  resolve_lanes();
  call_touched(kAnyLoop);
}

void Schedule::way_up(WayId id) {
  if (!known(id) || ways_[id].up()) return;
  ways_[id].go_up();
  resolve_lanes();
  touched_.clear();
  call(id, kAnyLoop, ways_[id].connections.limit);
}

// A pause is over: one connection tries the way, then all may. (The others, if classes moved, are called by call_all.)
void Schedule::begin_trials() {
  bool begun = false;
  for (WayState& way : ways_) {
    if (way.health != Health::kDown || way.again_at > now_) continue;
    way.health = Health::kTrial;
    begun = true;
  }
  if (begun) resolve_lanes();
  touched_.clear();
}

std::vector<WayStatus> Schedule::ways() const {
  std::vector<WayStatus> all;
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    const WayState& way = ways_[i];
    if (way.name.empty()) continue;
    const WayId id = static_cast<WayId>(i);
    WayStatus status{.id = id,
                     .name = way.name,
                     .up = way.up(),
                     .reason = way.reason,
                     .again_at = std::nullopt,
                     .connections = way.connections.slots(),
                     .ready = ready_.way(id).messages()};
    if (!way.up()) status.again_at = wall_ + Duration(std::max<std::int64_t>(way.again_at - now_, 0));
    all.push_back(std::move(status));
  }
  return all;
}

}  // namespace sidegate::queue
