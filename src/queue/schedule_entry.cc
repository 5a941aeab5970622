#include "queue/schedule_entry.h"

#include <algorithm>

namespace sidegate::queue {

std::uint32_t EntryArena::open_block() {
  std::uint32_t at;
  if (holes_.empty()) {
    at = static_cast<std::uint32_t>(blocks_.size());
    blocks_.emplace_back();
  } else {
    at = holes_.back();
    holes_.pop_back();
  }
  // Not set to zero: a page is touched when its first entry is.
  blocks_[at].entries = std::make_unique_for_overwrite<ScheduleEntry[]>(kBlock);
  blocks_[at].free = kNone;
  blocks_[at].fresh = 0;
  open_.push_back(at);
  return at;
}

std::uint32_t EntryArena::take() {
  const std::uint32_t number = open_.empty() ? open_block() : open_.back();
  Block& block = blocks_[number];
  std::uint32_t place;
  if (block.free != kNone) {
    place = block.free;
    block.free = block.entries[place].next;
  } else {
    place = block.fresh++;
  }
  if (++block.live == kBlock) open_.pop_back();
  ++live_;
  return number << kShift | place;
}

void EntryArena::give(std::uint32_t at) {
  const std::uint32_t number = at >> kShift, place = at & (kBlock - 1);
  Block& block = blocks_[number];
  if (block.live == kBlock) open_.push_back(number);
  block.entries[place].state = EntryState::kFree;
  block.entries[place].next = block.free;
  block.free = place;
  --live_;
  if (--block.live == 0 && open_.size() > 1) release(number);
}

void EntryArena::release(std::uint32_t number) {
  blocks_[number].entries.reset();
  std::erase(open_, number);
  holes_.push_back(number);
}

std::size_t EntryArena::memory() const {
  return (blocks_.size() - holes_.size()) * kBlock * sizeof(ScheduleEntry) + blocks_.capacity() * sizeof(Block);
}

}  // namespace sidegate::queue
