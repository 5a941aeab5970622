// One row of the schedule in memory, and the arena such rows live in. Everything that waits is 48 octets here.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace sidegate::queue {

inline constexpr std::uint32_t kNone = 0xFFFFFFFF;  // no entry, lane, queue, slot

enum class EntryState : std::uint8_t { kWaiting, kReady, kLeased, kHeld, kFree };

// One (message, class). Links are places in the arena; a field that only one state needs is shared with another's.
struct ScheduleEntry {
  std::uint64_t id;
  std::uint64_t epoch;    // of the claim (0 on RocksDB)
  std::int64_t due;       // steady clock, milliseconds
  std::uint32_t cls;      // slot in the class table
  std::uint32_t next;     // ready: next in its lane
  std::uint32_t prev;     // ready: previous in its lane; waiting: place in the timer heap
  std::uint32_t sibling;  // ring of the message's entries
  std::uint32_t lane;     // ready: its lane; leased: the rank it was leased with
  std::uint16_t attempts;
  std::uint8_t priority;
  EntryState state : 3;
  bool hold_after : 1;  // leased: held when the lease ends
  bool told : 1;        // its delay was reported while it waited for a way that is down
  bool follower : 1;    // ready: a sibling was ready for the same way already, so it asks for no connection
};
static_assert(sizeof(ScheduleEntry) == 48);

// Blocks of entries; a place stays the same while its entry lives, an empty block goes back to the system.
class EntryArena {
 public:
  std::uint32_t take();  // the entry's content is undefined
  void give(std::uint32_t at);
  ScheduleEntry& operator[](std::uint32_t at) { return blocks_[at >> kShift].entries[at & (kBlock - 1)]; }
  const ScheduleEntry& operator[](std::uint32_t at) const { return blocks_[at >> kShift].entries[at & (kBlock - 1)]; }
  std::size_t live() const { return live_; }
  // fn(place) for at most `most` places from `at` on; a free one's state is kFree. Returns where to go on, 0 at the
  // end.
  template <typename Fn>
  std::uint32_t scan(std::uint32_t at, unsigned most, Fn fn) const {
    for (; (at >> kShift) < blocks_.size(); at = ((at >> kShift) + 1) << kShift) {
      const Block& block = blocks_[at >> kShift];
      if (!block.entries) continue;
      for (std::uint32_t place = at & (kBlock - 1); place < block.fresh; ++place) {
        if (most-- == 0) return (at & ~(kBlock - 1)) | place;
        fn((at & ~(kBlock - 1)) | place);
      }
    }
    return 0;
  }
  std::size_t memory() const;

 private:
  static constexpr unsigned kShift = 12;
  static constexpr std::uint32_t kBlock = 1u << kShift;
  struct Block {
    std::unique_ptr<ScheduleEntry[]> entries;  // null: given back
    std::uint32_t free = kNone;                // chain through `next`
    std::uint32_t fresh = 0;                   // entries from here on were never used
    std::uint32_t live = 0;
  };
  std::uint32_t open_block();
  void release(std::uint32_t block);

  std::vector<Block> blocks_;
  std::vector<std::uint32_t> open_;   // blocks with room
  std::vector<std::uint32_t> holes_;  // blocks given back
  std::size_t live_ = 0;
};

}  // namespace sidegate::queue
