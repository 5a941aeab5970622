// What waits for its due time: a heap of places, four children a node (a node's children share a cache line).
#pragma once

#include <cstdint>
#include <vector>

#include "queue/schedule_entry.h"

namespace sidegate::queue {

class TimerHeap {
 public:
  explicit TimerHeap(EntryArena& entries) : entries_(entries) {}
  void push(std::uint32_t at);  // by its `due`; its place in the heap stands in its `prev`
  void erase(std::uint32_t at);
  bool empty() const { return heap_.empty(); }
  std::uint32_t top() const { return heap_.front(); }
  std::size_t memory() const { return heap_.capacity() * sizeof(std::uint32_t); }

 private:
  std::int64_t due(std::size_t place) const { return entries_[heap_[place]].due; }
  void put(std::size_t place, std::uint32_t at);
  void up(std::size_t place, std::uint32_t at);
  void down(std::size_t place, std::uint32_t at);

  EntryArena& entries_;
  std::vector<std::uint32_t> heap_;
};

}  // namespace sidegate::queue
