#include "queue/ready_set.h"

#include <algorithm>

namespace sidegate::queue {
namespace {

// Both kinds of ring: `turn` points to one member; a new member goes to the end, just before it.
template <typename Node>
void ring_insert(std::vector<Node>& nodes, std::uint32_t& turn, std::uint32_t at) {
  if (turn == kNone) {
    nodes[at].before = nodes[at].after = turn = at;
    return;
  }
  const std::uint32_t last = nodes[turn].before;
  nodes[at].before = last;
  nodes[at].after = turn;
  nodes[last].after = nodes[turn].before = at;
}

template <typename Node>
void ring_erase(std::vector<Node>& nodes, std::uint32_t& turn, std::uint32_t at) {
  const std::uint32_t before = nodes[at].before, after = nodes[at].after;
  nodes[before].after = after;
  nodes[after].before = before;
  if (turn == at) turn = after == at ? kNone : after;
}

template <typename Node>
std::uint32_t take_slot(std::vector<Node>& nodes, std::vector<std::uint32_t>& free) {
  if (free.empty()) {
    nodes.emplace_back();
    return static_cast<std::uint32_t>(nodes.size() - 1);
  }
  const std::uint32_t at = free.back();
  free.pop_back();
  nodes[at] = Node{};
  return at;
}

}  // namespace

std::uint32_t ReadySet::make_queue(std::uint32_t sender, WayId way, std::uint8_t priority) {
  const std::uint32_t at = take_slot(queues_, free_queues_);
  queues_[at].sender = sender;
  queues_[at].way = way;
  queues_[at].priority = priority;
  ring_insert(queues_, way_of(way).turn[priority], at);
  return at;
}

std::uint32_t ReadySet::queue_for(std::uint32_t sender, WayId way, std::uint8_t priority) {
  if (is_member(way)) [[unlikely]] {
    const auto [of, fresh] = member_queues_.try_emplace(std::uint64_t{sender} << 32 | way);
    if (fresh) of->second.fill(kNone);
    std::uint32_t& at = of->second[priority];
    if (at == kNone) at = make_queue(sender, way, priority);
    return at;
  }
  for (std::uint32_t at = classes_.sender(sender).first_queue; at != kNone; at = queues_[at].next_of_sender) {
    if (queues_[at].way == way && queues_[at].priority == priority) return at;
  }
  const std::uint32_t at = make_queue(sender, way, priority);
  queues_[at].next_of_sender = classes_.sender(sender).first_queue;
  classes_.sender(sender).first_queue = at;
  return at;
}

void ReadySet::drop_queue(std::uint32_t at) {
  SenderQueue& queue = queues_[at];
  ring_erase(queues_, way_of(queue.way).turn[queue.priority], at);
  free_queues_.push_back(at);
  if (is_member(queue.way)) {
    auto of = member_queues_.find(std::uint64_t{queue.sender} << 32 | queue.way);
    of->second[queue.priority] = kNone;
    if (std::ranges::all_of(of->second, [](std::uint32_t one) { return one == kNone; })) member_queues_.erase(of);
    return;
  }
  std::uint32_t* link = &classes_.sender(queue.sender).first_queue;
  while (*link != at) link = &queues_[*link].next_of_sender;
  *link = queue.next_of_sender;
}

void ReadySet::enter(std::uint32_t at, WayId way) {
  Lane& lane = lanes_[at];
  lane.way = way;
  lane.queue = queue_for(classes_[lane.cls].sender, way, lane.priority);
  ring_insert(lanes_, queues_[lane.queue].turn, at);
  way_of(way).entries += lane.count;
  way_of(way).followers += lane.followers;
}

void ReadySet::leave(std::uint32_t at) {
  Lane& lane = lanes_[at];
  way_of(lane.way).entries -= lane.count;
  way_of(lane.way).followers -= lane.followers;
  SenderQueue& queue = queues_[lane.queue];
  ring_erase(lanes_, queue.turn, at);
  if (queue.turn == kNone) drop_queue(lane.queue);
}

std::uint32_t ReadySet::find_lane(std::uint32_t cls, std::uint8_t rank, std::uint8_t priority) const {
  priority = std::min<std::uint8_t>(priority, kPriorities - 1);
  std::uint32_t at = classes_[cls].first_lane;
  while (at != kNone && (lanes_[at].rank != rank || lanes_[at].priority != priority)) at = lanes_[at].next_of_class;
  return at;
}

std::uint32_t ReadySet::make_lane(std::uint32_t cls, std::uint8_t rank, std::uint8_t priority, WayId way) {
  const std::uint32_t at = take_slot(lanes_, free_lanes_);
  lanes_[at].cls = cls;
  lanes_[at].rank = rank;
  lanes_[at].priority = std::min<std::uint8_t>(priority, kPriorities - 1);
  lanes_[at].next_of_class = classes_[cls].first_lane;
  classes_[cls].first_lane = at;
  enter(at, way);
  return at;
}

void ReadySet::drop_lane(std::uint32_t at) {
  leave(at);
  std::uint32_t* link = &classes_[lanes_[at].cls].first_lane;
  while (*link != at) link = &lanes_[*link].next_of_class;
  *link = lanes_[at].next_of_class;
  lanes_[at].cls = kNone;
  free_lanes_.push_back(at);
}

void ReadySet::move_lane(std::uint32_t at, WayId way) {
  if (lanes_[at].way == way) return;
  leave(at);
  // Who followed whom is not known on the new way without looking at each message: all count as messages of their own.
  lanes_[at].followers = 0;
  enter(at, way);
}

// Fresh messages go to the end; one that comes back from a lease goes to the front. In between few steps are made: the
// order among messages due within the same moments is not worth a walk through 100,000 of them.
void ReadySet::place(Lane& lane, std::uint32_t at) {
  const std::int64_t due = entries_[at].due;
  std::uint32_t next = kNone;  // goes before this one
  if (lane.tail != kNone && entries_[lane.tail].due > due) {
    next = lane.head;
    for (unsigned steps = 0; steps < 32 && entries_[next].due <= due; ++steps) next = entries_[next].next;
  }
  const std::uint32_t before = next == kNone ? lane.tail : entries_[next].prev;
  entries_[at].prev = before;
  entries_[at].next = next;
  (before == kNone ? lane.head : entries_[before].next) = at;
  (next == kNone ? lane.tail : entries_[next].prev) = at;
}

void ReadySet::link(std::uint32_t lane_at, std::uint32_t at, bool follower) {
  Lane& lane = lanes_[lane_at];
  place(lane, at);
  entries_[at].lane = lane_at;
  entries_[at].follower = follower;
  ++lane.count;
  ++way_of(lane.way).entries;
  lane.followers += follower;
  way_of(lane.way).followers += follower;
}

void ReadySet::unlink(std::uint32_t at) {
  const ScheduleEntry& entry = entries_[at];
  Lane& lane = lanes_[entry.lane];
  (entry.prev == kNone ? lane.head : entries_[entry.prev].next) = entry.next;
  (entry.next == kNone ? lane.tail : entries_[entry.next].prev) = entry.prev;
  --lane.count;
  --way_of(lane.way).entries;
  if (entry.follower && lane.followers > 0) {
    --lane.followers;
    --way_of(lane.way).followers;
  }
  if (lane.count == 0) drop_lane(entry.lane);
}

std::uint32_t ReadySet::next_lane(WayId id) {
  WayQueue& way = way_of(id);
  unsigned chosen = kPriorities;
  for (unsigned p = 0; p < kPriorities; ++p) {
    if (way.turn[p] == kNone) continue;
    const bool first = chosen == kPriorities;
    if (!first && ++way.passed_over[p] <= kShare) continue;
    chosen = p;
    if (!first) break;
  }
  if (chosen == kPriorities) return kNone;
  way.passed_over[chosen] = 0;
  SenderQueue& queue = queues_[way.turn[chosen]];
  way.turn[chosen] = queue.after;
  const std::uint32_t lane = queue.turn;
  queue.turn = lanes_[lane].after;
  return lane;
}

std::size_t ReadySet::memory() const {
  return lanes_.capacity() * sizeof(Lane) + queues_.capacity() * sizeof(SenderQueue) +
         (free_lanes_.capacity() + free_queues_.capacity()) * sizeof(std::uint32_t) +
         member_queues_.size() * 6 * sizeof(void*) + (ways_.capacity() + members_.capacity()) * sizeof(WayQueue);
}

}  // namespace sidegate::queue
