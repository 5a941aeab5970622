#include "queue/schedule.h"

#include <algorithm>

namespace sidegate::queue {
namespace {
constexpr Duration kHorizon = std::chrono::hours(24 * 3650);  // a due time beyond is a mistake: no overflow from it
}

Schedule::Schedule(ScheduleSettings settings, unsigned loops)
    : settings_(settings),
      loops_(std::max(loops, 1u)),
      timers_(entries_),
      families_(this->loops_),
      classes_(families_),
      ready_(entries_, classes_) {}

void Schedule::begin(std::int64_t steady_ms, WallTime wall, WakeList* wakes) {
  now_ = steady_ms;
  wall_ = wall;
  wakes_ = wakes;
  jump_ += arrivals_.look(steady_ms, wall, newest_);
}

// Due times are written down as wall time and kept on the steady clock: a wall clock that jumps later neither stalls
// what waits nor makes all of it due at once.
std::int64_t Schedule::steady(WallTime at) const {
  return now_ + (std::clamp(at, wall_ - kHorizon, wall_ + kHorizon) - wall_).count();
}

auto Schedule::id_hash() const {
  return [this](std::uint32_t at) { return FlatIndex::mix(entries_[at].id); };
}

std::uint32_t Schedule::find(QueueId id) const {
  return messages_.find(FlatIndex::mix(id.value), [&](std::uint32_t at) { return entries_[at].id == id.value; });
}

ClassId Schedule::intern(const ClassKey& key, bool* fresh) {
  ClassTable::Class& cls = classes_[classes_.intern(key)];
  cls.last_use = now_;
  if (fresh != nullptr) *fresh = !cls.stored;
  return cls.id;
}

void Schedule::restore_classes(const std::vector<ClassRow>& rows) {
  for (const ClassRow& row : rows) {
    if (row.id != 0) classes_[classes_.restore(row.id, row.key)].last_use = now_;
  }
}

void Schedule::add(std::span<const DueRow> rows, unsigned loop) {
  QueueId fresh;  // a message that came with this call: its rows name each class once
  for (const DueRow& row : rows) {
    const std::uint32_t first = find(row.id);
    std::uint32_t same = kNone;
    if (first != kNone && row.id != fresh) {
      for_each_sibling(first, [&](std::uint32_t at) {
        if (classes_[entries_[at].cls].id == row.class_id) same = at;
      });
    }
    if (first == kNone) fresh = row.id;
    same == kNone ? start(insert(row), row.held) : update(same, row);
  }
  call_touched(loop);
}

std::uint32_t Schedule::insert(const DueRow& row) {
  const std::uint32_t at = entries_.take(), first = find(row.id), cls = classes_.slot(row.class_id);
  entries_[at] = ScheduleEntry{};
  ScheduleEntry& entry = entries_[at];
  entry.id = row.id.value;
  entry.epoch = row.epoch;
  entry.due = steady(row.due);
  entry.cls = cls;
  entry.attempts = row.attempts;
  entry.priority = row.priority;
  entry.sibling = at;
  if (first == kNone) {
    messages_.insert(FlatIndex::mix(entry.id), at, id_hash());
  } else {
    entry.sibling = entries_[first].sibling;
    entries_[first].sibling = at;
  }
  newest_ = std::max(newest_, row.id);
  classes_[cls].stored = true;  // rows are added when they are durable, and so is their class
  ++classes_[cls].entries;
  return at;
}

// The same (message, class) again. Under the same claim what stands here is newer than the row (start-up reads rows
// beside a server that already takes and delivers mail); under a later one, the claim had lapsed and the row counts.
void Schedule::update(std::uint32_t at, const DueRow& row) {
  ScheduleEntry& entry = entries_[at];
  if (row.epoch <= entry.epoch) return;
  entry.epoch = row.epoch;
  if (entry.state == EntryState::kLeased) return;  // what becomes of it, its lease says
  detach(at);
  entry.due = steady(row.due);
  entry.attempts = row.attempts;
  start(at, row.held);
}

void Schedule::start(std::uint32_t at, bool held) {
  if (held) return make_held(at);
  entries_[at].due <= now_ ? make_ready(at, 0) : make_waiting(at);
}

void Schedule::make_waiting(std::uint32_t at) {
  entries_[at].state = EntryState::kWaiting;
  ++counts_[static_cast<int>(EntryState::kWaiting)];
  timers_.push(at);
}

void Schedule::make_held(std::uint32_t at) {
  entries_[at].state = EntryState::kHeld;
  ++counts_[static_cast<int>(EntryState::kHeld)];
}

void Schedule::make_ready(std::uint32_t at, std::uint8_t rank) {
  ScheduleEntry& entry = entries_[at];
  const std::uint8_t order = order_of(entry.priority);
  std::uint32_t lane = ready_.find_lane(entry.cls, rank, order);
  if (lane == kNone) {
    ready_.set_members(families_.slots());
    lane = ready_.make_lane(entry.cls, rank, order, resolve(classes_[entry.cls], rank));
  }
  const WayId way = ready_.lane(lane).way;
  const bool follower = follows_sibling(at, way);
  entry.state = EntryState::kReady;
  ++counts_[static_cast<int>(EntryState::kReady)];
  ready_.link(lane, at, follower);
  touch_trials(ready_.lane(lane));
  touch(way);
}

// A message asks for one connection, however many of its classes are ready. Siblings added together are next to each
// other in the ring; further ones are not worth the walk (one counted too many asks for a connection in vain).
bool Schedule::follows_sibling(std::uint32_t at, WayId way) const {
  std::uint32_t other = entries_[at].sibling;
  for (unsigned steps = 0; other != at && steps < 8; ++steps, other = entries_[other].sibling) {
    if (entries_[other].state == EntryState::kReady && ready_.lane(entries_[other].lane).way == way) return true;
  }
  return false;
}

// Out of where its state keeps it.
void Schedule::detach(std::uint32_t at) {
  const EntryState state = entries_[at].state;
  if (state == EntryState::kWaiting) timers_.erase(at);
  if (state == EntryState::kReady) ready_.unlink(at);
  --counts_[static_cast<int>(state)];
}

void Schedule::erase(std::uint32_t at) {
  ScheduleEntry& entry = entries_[at];
  detach(at);
  ClassTable::Class& cls = classes_[entry.cls];
  --cls.entries;
  cls.last_use = now_;
  const std::uint64_t hash = FlatIndex::mix(entry.id);
  if (entry.sibling == at) {
    messages_.erase(hash, at, id_hash());
  } else {
    std::uint32_t before = find(QueueId{entry.id});
    while (entries_[before].sibling != at) before = entries_[before].sibling;
    entries_[before].sibling = entry.sibling;
    messages_.replace(hash, at, entry.sibling);
  }
  entries_.give(at);
}

// In the order in which erasing all of them finds each one's predecessor at once: the index names the last.
std::vector<std::uint32_t> Schedule::entries_of(QueueId id) {
  std::vector<std::uint32_t> all;
  const std::uint32_t first = find(id);
  if (first == kNone) return all;
  for (std::uint32_t at = entries_[first].sibling; at != first; at = entries_[at].sibling) all.push_back(at);
  all.push_back(first);
  return all;
}

void Schedule::remove(QueueId id) {
  for (std::uint32_t at : entries_of(id)) erase(at);
}

void Schedule::retry_now(QueueId id) {
  bool on_trial = false;
  for_each_sibling(find(id), [&](std::uint32_t at) {
    if (entries_[at].state == EntryState::kWaiting) {
      detach(at);
      entries_[at].due = now_;
      make_ready(at, 0);
    }
    if (entries_[at].state != EntryState::kReady) return;
    // Who says now may have mended what kept a way down: it is tried now too.
    for (WayId way : *classes_[entries_[at].cls].route) {
      for (WayId one : {is_member(way) ? state(way).family : kNoWay, way}) {
        if (one == kNoWay || state(one).health != Health::kDown) continue;
        state(one).health = Health::kTrial;
        state(one).failures = 0;  // asking ten times makes no pause longer
        on_trial = true;
        touch(way);
      }
    }
  });
  if (on_trial) resolve_lanes();
  call_touched(kAnyLoop);
}

void Schedule::hold(QueueId id, bool held) {
  for_each_sibling(find(id), [&](std::uint32_t at) {
    const EntryState state = entries_[at].state;
    if (state == EntryState::kLeased) {
      entries_[at].hold_after = held;
    } else if (held && state != EntryState::kHeld) {
      detach(at);
      make_held(at);
    } else if (!held && state == EntryState::kHeld) {
      detach(at);
      start(at, false);
    }
  });
  call_touched(kAnyLoop);
}

bool Schedule::is_leased(QueueId id) const {
  const std::uint32_t first = find(id);
  if (first == kNone) return false;
  for (std::uint32_t at = first;;) {
    if (entries_[at].state == EntryState::kLeased) return true;
    at = entries_[at].sibling;
    if (at == first) return false;
  }
}

std::optional<Standing> Schedule::standing(QueueId id) const {
  const std::uint32_t first = find(id);
  if (first == kNone) return std::nullopt;
  Standing standing;
  for (std::uint32_t at = first;;) {
    const EntryState state = entries_[at].state;
    standing.leased |= state == EntryState::kLeased;
    standing.ready |= state == EntryState::kReady;
    standing.held |= state == EntryState::kHeld;
    at = entries_[at].sibling;
    if (at == first) return standing;
  }
}

bool Schedule::move_due(unsigned budget) {
  while (!timers_.empty() && entries_[timers_.top()].due <= now_) {
    if (budget-- == 0) break;
    const std::uint32_t at = timers_.top();
    detach(at);
    make_ready(at, 0);
  }
  call_touched(kAnyLoop);
  return !timers_.empty() && entries_[timers_.top()].due <= now_;
}

void Schedule::tick() {
  for (WayState& way : ways_) way.connections.age();
  families_.for_each_restless([this](WayId id) { families_.state(id).connections.age(); });
  begin_trials();
  if (has_limits_) look_at_rooms();
  call_all(kAnyLoop);
  classes_.sweep(now_, 256);
  families_.sweep(now_, 256, [this](WayId id) { return ready_.way(id).entries == 0; });
}

Totals Schedule::totals() const {
  const auto count = [this](EntryState state) { return counts_[static_cast<int>(state)]; };
  return {.messages = messages_.size(),
          .ready = count(EntryState::kReady),
          .waiting = count(EntryState::kWaiting),
          .active = count(EntryState::kLeased),
          .held = count(EntryState::kHeld)};
}

std::size_t Schedule::memory() const {
  return entries_.memory() + messages_.memory() + timers_.memory() + classes_.memory() + ready_.memory() +
         families_.memory();
}

}  // namespace sidegate::queue
