// Ways: which one a class takes now, who is woken for what is ready, and how a way comes back.
#include <algorithm>
#include <limits>

#include "queue/schedule.h"

namespace sidegate::queue {

Health Schedule::health(WayId id) const {
  const WayState& way = state(id);
  if (way.family == kNoWay) return way.health;
  const Health whole = ways_[way.family].health;
  if (way.health == Health::kDown || whole == Health::kDown) return Health::kDown;
  return way.health == Health::kTrial ? way.health : whole;
}

// A message tries it, or any of its family, at this moment.
bool Schedule::on_trial_already(WayId id) const {
  const WayState& way = state(id);
  if (way.health == Health::kTrial && way.trial) return true;
  return way.family != kNoWay && ways_[way.family].health == Health::kTrial && ways_[way.family].trial;
}

// Its messages stay with it: it is up and has room, or they are to wait for room.
bool Schedule::takes(WayId id) const {
  const WayState& way = state(id);
  return up(id) ? !way.full || !way.next_when_full : way.spent && !way.next_when_full;
}

// The first way from `rank` on that takes messages: it is up, and its account has room (or they are to wait for that).
// If none does: one that is up, one on trial, else the first.
WayId Schedule::resolve(const ClassTable::Class& cls, std::uint8_t rank) const {
  const Route& route = *cls.route;
  if (route.empty()) return kNoWay;
  const auto from = route.begin() + (rank < route.size() ? rank : 0);
  const auto takes = std::find_if(from, route.end(), [&](WayId w) { return this->takes(w); });
  if (takes != route.end()) return *takes;
  for (const Health health : {Health::kUp, Health::kTrial}) {
    const auto way = std::find_if(from, route.end(), [&](WayId w) { return this->health(w) == health; });
    if (way != route.end()) return *way;
  }
  return *from;
}

// After a way's health changed: O(classes with ready messages), not O(messages).
void Schedule::resolve_lanes() {
  ready_.set_members(families_.slots());
  for (std::uint32_t at = 0; at < ready_.lane_slots(); ++at) {
    if (ready_.lane(at).cls == kNone) continue;
    const WayId way = resolve(classes_[ready_.lane(at).cls], ready_.lane(at).rank);
    if (way == ready_.lane(at).way) continue;
    ready_.move_lane(at, way);
    touch(way);
  }
}

// What was known of another way, or of other settings, says nothing of these: it is tried at once. An account that has
// used up what it may is the same account, whatever else its block says now.
void Schedule::give_settings(WayId id, const WayLimits& limits) {
  WayState& way = ways_[id];
  const bool renamed = way.name != limits.name, changed = way.edition != limits.edition;
  const std::uint32_t account = way.account;
  way.name = limits.name;
  way.edition = limits.edition;
  way.connections.limit = limits.connections;
  give_account(id, limits);
  const bool still_spent = way.spent && way.account == account && account != kNone;
  if (!renamed && (!changed || still_spent)) return;
  way.go_up();
  if (families_.family(id) != nullptr) forgive_members(id, std::numeric_limits<std::int64_t>::max());
}

void Schedule::set_ways(std::vector<WayLimits> ways, Router router) {
  while (ways_.size() < ways.size()) ways_.emplace_back(loops_);
  accounts_.clear_ways();
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    const bool there = i < ways.size() && !ways[i].name.empty();
    give_settings(static_cast<WayId>(i), there ? ways[i] : WayLimits{.name = {}, .connections = 0});
  }
  has_limits_ = false;
  for (std::uint32_t at = 0; at < accounts_.size(); ++at) {
    has_limits_ |= accounts_[at].counts;
    look_at_room(at);
  }
  families_.set(ways);
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
    if (route[i] == lane.way && up(lane.way)) return false;
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
  if (families_.family(id) != nullptr) return 0;
  const std::uint64_t ready =
      is_member(id) && Families::slot_of(id) >= ready_.member_slots() ? 0 : ready_.way(id).messages();
  const Health now = health(id);
  if (now == Health::kDown || (now == Health::kTrial && on_trial_already(id))) return 0;
  std::uint64_t most = 1u << 20;
  if (const WayState& way = state(id); !way.limits.empty()) {
    const Room room = room_of(way);
    most = room.none() ? 0 : std::min(most, room.messages);
    if (most == 0) return 0;
  }
  if (now == Health::kUp) return static_cast<unsigned>(std::min(ready, most));
  return ready > 0 || lane_to_try(id) != kNone ? 1 : 0;
}

// Wakes for what is ready and will not be asked for without: at most `most`. An idle connection on `loop` first, then
// one on another loop, then a free slot on `loop`.
void Schedule::call(WayId id, unsigned loop, unsigned most) {
  if (!known(id)) return;
  WayConnections& connections = state(id).connections;
  const unsigned want = wanted(id);
  unsigned slots = free_slots(state(id));
  WayFamily* const family = family_of(id);
  const bool waits = family != nullptr && slots > 0 && !may_open(id);
  if (waits) slots = 0;
  for (unsigned woken = 0, asked = 0; woken < most && want > connections.takers() + asked; ++woken) {
    const unsigned preferred = loop == kAnyLoop ? next_loop_++ % loops_ : loop;
    if (const auto sleeping = connections.sleeping_loop(preferred)) {
      connections.wake_idle(*sleeping);
      if (family != nullptr && connections.asleep() == 0) family->sleepers.erase(id);
      wakes_->push({*sleeping, id});
    } else if (slots > 0) {
      --slots, ++asked;
      wakes_->push({preferred, id});
    } else {
      if (!waits || family->has_room()) return;
      families_.stand_in_line(id);
      return wake_sleeper_of(*family, id);
    }
  }
}

void Schedule::call_all(unsigned loop) {
  for (std::size_t id = 0; id < ways_.size(); ++id) call(static_cast<WayId>(id), loop, ways_[id].connections.limit);
  families_.for_each_restless([&](WayId id) { call(id, loop, families_.state(id).connections.limit); });
  for (auto& [id, family] : families_.all()) call_members(id, false);
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
  WayConnections& connections = state(id).connections;
  const bool wants = free_slots(state(id)) > 0 && wanted(id) > connections.takers();
  if (is_member(id)) [[unlikely]]
    return take_member_slot(id, wants);
  if (!wants) return false;
  connections.take();
  call(id, kAnyLoop);  // the next one, if more is ready: a wake may have stood for several
  return true;
}

void Schedule::slot_ready(WayId id, unsigned loop) {
  if (!known(id)) return;
  if (WayFamily* family = family_of(id)) family->opening -= family->opening > 0;
  state(id).connections.stands();
  call(id, kAnyLoop);
}

void Schedule::release_slot(WayId id, unsigned loop, bool stood) {
  if (!known(id)) return;
  state(id).connections.release(stood);
  if (WayFamily* family = family_of(id)) {
    family->slots -= family->slots > 0;
    if (!stood) family->opening -= family->opening > 0;
    call_in_line(state(id).family, 1);
  }
  call(id, loop);
}

void Schedule::idle(WayId id, unsigned loop, int by) {
  if (!known(id)) return;
  state(id).connections.idle(loop, by);
  if (WayFamily* family = family_of(id)) {
    state(id).connections.asleep() > 0 ? void(family->sleepers.insert(id)) : void(family->sleepers.erase(id));
    // While there is room nobody need go for those in line: one woken for nothing would fall asleep and wake the next.
    if (by > 0 && !family->line.empty())
      family->has_room() ? call_in_line(state(id).family, 1) : wake_sleeper_of(*family, kNoWay);
  }
  call(id, loop);
}

void Schedule::way_down(WayId id, Duration for_how_long, std::string reason, std::optional<Duration> spent) {
  if (!known(id)) return;
  const bool was_down = state(id).health == Health::kDown;
  const std::int64_t longest = std::int64_t{30} * 24 * 3600 * 1000;
  state(id).go_down(now_, std::min<std::int64_t>(for_how_long.count(), longest), std::move(reason),
                    spent ? spent->count() : 0);
  state(id).spent = spent.has_value();
  if (is_member(id)) families_.stir(id);
  if (was_down) return;
  if (families_.family(id) != nullptr) forgive_members(id);
  resolve_lanes();
  call_touched(kAnyLoop);
}

void Schedule::way_up(WayId id) {
  if (!known(id) || state(id).up()) return;
  state(id).go_up();
  if (families_.family(id) != nullptr) forgive_members(id);
  resolve_lanes();
  touched_.clear();
  if (families_.family(id) != nullptr) return call_members(id, true);
  call(id, kAnyLoop, state(id).connections.limit);
}

// A pause is over: one connection tries the way, then all may. (The others, if classes moved, are called by call_all.)
bool Schedule::begin_trial(WayState& way) {
  if (way.health != Health::kDown || way.again_at > now_) return false;
  way.health = Health::kTrial;
  return true;
}

void Schedule::begin_trials() {
  bool begun = false;
  for (WayState& way : ways_) begun |= begin_trial(way);
  families_.for_each_restless([&](WayId id) { begun |= begin_trial(families_.state(id)); });
  if (begun) resolve_lanes();
  touched_.clear();
}

// A way before the lane's own is on trial: this message may try it. Few ever wait where the next way is up, so that
// nothing would be found when somebody looks for one later.
void Schedule::touch_trials(const Lane& lane) {
  if (lane.way == kNoWay) return;
  const Route& route = *classes_[lane.cls].route;
  for (std::size_t i = lane.rank; i < route.size() && route[i] != lane.way; ++i) {
    if (health(route[i]) == Health::kTrial) touch(route[i]);
  }
}

WayStatus Schedule::status_of(WayId id) const {
  const WayState& way = state(id);
  WayStatus status;
  status.id = id;
  status.name = way.name;
  status.up = up(id);
  status.reason = way.reason;
  status.connections = way.connections.slots();
  std::int64_t again_at = way.again_at;
  if (is_member(id)) {
    const WayState& whole = ways_[way.family];
    status.name = whole.name;
    status.family = way.family;
    status.domain = way.name;
    if (!whole.up()) status.reason = whole.reason;
    if (!whole.up() && (way.up() || whole.again_at > again_at)) again_at = whole.again_at;
    if (Families::slot_of(id) < ready_.member_slots()) status.ready = ready_.way(id).messages();
  } else {
    status.ready = ready_.way(id).messages();
  }
  if (!status.up) status.again_at = wall_ + Duration(std::max<std::int64_t>(again_at - now_, 0));
  if (way.account != kNone) status.account = accounts_[way.account].key;
  status.waits_when_full = !way.next_when_full;
  status.spent = way.spent;
  for (const quota::Limit& limit : way.limits)
    status.limits.push_back({limit, accounts_[way.account].row.counters.count(limit.kind, steady_time())});
  if (const Room room = room_of(way); room.none()) status.room_at = wall_ + std::chrono::ceil<Duration>(room.until);
  return status;
}

std::optional<WayStatus> Schedule::way(WayId id) const {
  if (!known(id) || (id < kFirstMember && ways_[id].name.empty())) return std::nullopt;
  return status_of(id);
}

// Of a family the whole, and those of its members that are in trouble of their own.
std::vector<WayStatus> Schedule::ways() const {
  constexpr std::size_t kMostMembers = 500;
  std::vector<WayStatus> all;
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    if (ways_[i].name.empty()) continue;
    all.push_back(status_of(static_cast<WayId>(i)));
    if (const WayFamily* family = families_.family(static_cast<WayId>(i))) all.back().connections = family->slots;
  }
  std::size_t shown = 0;
  families_.for_each([&](WayId id, const WayState& one) {
    auto whole = std::ranges::find(all, one.family, &WayStatus::id);
    if (whole == all.end()) return;
    ++whole->members;
    if (Families::slot_of(id) < ready_.member_slots()) whole->ready += ready_.way(id).messages();
    if (!one.up() && shown++ < kMostMembers) all.push_back(status_of(id));
  });
  return all;
}

// The ways of a class with what stands for it in a family: its member, or the family where it has none yet.
std::vector<WayStatus> Schedule::ways_of(const ClassKey& key, const Route& route) const {
  std::vector<WayStatus> all;
  for (WayId id : route) {
    if (families_.family(id) != nullptr) {
      const WayId member = families_.find(id, member_name(key.recipient_domain, key.tls));
      if (member != kNoWay) id = member;
    }
    if (auto status = way(id)) all.push_back(std::move(*status));
  }
  return all;
}

std::optional<MemberName> Schedule::member(WayId id) const {
  if (!is_member(id) || !families_.alive(id)) return std::nullopt;
  return MemberName{families_.state(id).family, families_.state(id).name};
}

}  // namespace sidegate::queue
