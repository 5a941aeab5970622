// What is ready, and whose turn it is. Ready messages stand in lanes (one a class, usually), in order of due time; a
// sender's lanes for one way form a ring, the senders of a way form a ring, one for each priority. A lease takes one
// message of the next lane of the next sender of the first priority: who submits 100,000 messages does not delay
// another's one, and an alarm delays bulk mail, but does not stop it.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "queue/class_table.h"
#include "queue/families.h"
#include "queue/schedule_entry.h"

namespace sidegate::queue {

inline constexpr unsigned kPriorities = 4;  // what is lower goes first; higher values count as 3
// What waits behind a higher priority is passed over so often, then it has a turn: nothing starves.
inline constexpr std::uint8_t kShare = 16;

// Ready messages of one class that may go by its ways from `rank` on. They move as one when a way goes down or up.
struct Lane {
  std::uint32_t cls = kNone;  // kNone: a free slot
  std::uint32_t head = kNone, tail = kNone;
  std::uint32_t count = 0, followers = 0;
  std::uint32_t queue = kNone;                  // of its sender, on its way
  std::uint32_t before = kNone, after = kNone;  // ring of the queue's lanes of this priority
  std::uint32_t next_of_class = kNone;
  WayId way = kNoWay;
  std::uint8_t rank = 0, priority = 0;
};

// The ready messages of one way.
struct WayQueue {
  std::array<std::uint32_t, kPriorities> turn{kNone, kNone, kNone, kNone};  // the sender queue whose turn it is
  std::array<std::uint8_t, kPriorities> passed_over{};                      // leases that went to a higher priority
  std::uint64_t entries = 0;
  std::uint64_t followers = 0;
  // How many connections could find work: messages, as exactly as can be known without looking at each of them.
  std::uint64_t messages() const { return entries > followers ? entries - followers : entries > 0 ? 1 : 0; }
};

class ReadySet {
 public:
  ReadySet(EntryArena& entries, ClassTable& classes) : entries_(entries), classes_(classes) {}

  void set_ways(std::size_t count) {
    if (count > ways_.size()) ways_.resize(count);
  }
  void set_members(std::size_t slots) {
    if (slots > members_.size()) members_.resize(slots);
  }
  std::size_t member_slots() const { return members_.size(); }
  const WayQueue& way(WayId id) const { return const_cast<ReadySet*>(this)->way_of(id); }

  // The class's lane of that rank and priority, kNone if it has no ready message.
  std::uint32_t find_lane(std::uint32_t cls, std::uint8_t rank, std::uint8_t priority) const;
  std::uint32_t make_lane(std::uint32_t cls, std::uint8_t rank, std::uint8_t priority, WayId way);
  void move_lane(std::uint32_t lane, WayId way);
  void link(std::uint32_t lane, std::uint32_t entry, bool follower);  // by its due time
  void unlink(std::uint32_t entry);                                   // an empty lane goes

  // The next lane of this way in turn, kNone if nothing is ready for it; the turn passes on.
  std::uint32_t next_lane(WayId way);

  Lane& lane(std::uint32_t at) { return lanes_[at]; }
  const Lane& lane(std::uint32_t at) const { return lanes_[at]; }
  std::uint32_t lane_slots() const { return static_cast<std::uint32_t>(lanes_.size()); }  // some are free
  std::size_t memory() const;

 private:
  struct SenderQueue {  // one sender's lanes of one priority on one way
    std::uint32_t sender = kNone;
    std::uint32_t before = kNone, after = kNone;  // ring of the way's queues
    std::uint32_t next_of_sender = kNone;
    std::uint32_t turn = kNone;
    WayId way = kNoWay;
    std::uint8_t priority = 0;
  };
  WayQueue& way_of(WayId id) {
    if (id < kFirstMember) [[likely]]
      return ways_[id];
    return id == kNoWay ? no_way_ : members_[Families::slot_of(id)];
  }
  std::uint32_t queue_for(std::uint32_t sender, WayId way, std::uint8_t priority);
  std::uint32_t make_queue(std::uint32_t sender, WayId way, std::uint8_t priority);
  void drop_queue(std::uint32_t queue);
  void enter(std::uint32_t lane, WayId way);
  void leave(std::uint32_t lane);
  void drop_lane(std::uint32_t lane);
  void place(Lane& lane, std::uint32_t entry);

  EntryArena& entries_;
  ClassTable& classes_;
  std::vector<Lane> lanes_;
  std::vector<SenderQueue> queues_;
  std::vector<std::uint32_t> free_lanes_, free_queues_;
  // Of members: by sender and way. One sender may have mail for 100,000 destinations.
  std::unordered_map<std::uint64_t, std::array<std::uint32_t, kPriorities>> member_queues_;
  std::vector<WayQueue> ways_;
  std::vector<WayQueue> members_;  // of families, by their slot
  WayQueue no_way_;                // classes that no way takes wait here for a reload
};

}  // namespace sidegate::queue
