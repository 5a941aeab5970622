#include "queue/timer_heap.h"

#include <algorithm>

namespace sidegate::queue {

void TimerHeap::put(std::size_t place, std::uint32_t at) {
  heap_[place] = at;
  entries_[at].prev = static_cast<std::uint32_t>(place);
}

void TimerHeap::up(std::size_t place, std::uint32_t at) {
  const std::int64_t mine = entries_[at].due;
  while (place > 0) {
    const std::size_t parent = (place - 1) / 4;
    if (due(parent) <= mine) break;
    put(place, heap_[parent]);
    place = parent;
  }
  put(place, at);
}

void TimerHeap::down(std::size_t place, std::uint32_t at) {
  const std::int64_t mine = entries_[at].due;
  for (;;) {
    const std::size_t first = place * 4 + 1, last = std::min(first + 4, heap_.size());
    if (first >= last) break;
    std::size_t least = first;
    for (std::size_t child = first + 1; child < last; ++child) {
      if (due(child) < due(least)) least = child;
    }
    if (due(least) >= mine) break;
    put(place, heap_[least]);
    place = least;
  }
  put(place, at);
}

void TimerHeap::push(std::uint32_t at) {
  heap_.push_back(at);
  up(heap_.size() - 1, at);
}

void TimerHeap::erase(std::uint32_t at) {
  const std::size_t place = entries_[at].prev;
  const std::uint32_t last = heap_.back();
  heap_.pop_back();
  if (last != at) {
    if (place > 0 && due((place - 1) / 4) > entries_[last].due) {
      up(place, last);
    } else {
      down(place, last);
    }
  }
  if (heap_.capacity() > 4096 && heap_.size() < heap_.capacity() / 4) {  // a drained backlog gives its memory back
    std::vector<std::uint32_t> smaller;
    smaller.reserve(heap_.capacity() / 2);
    smaller.assign(heap_.begin(), heap_.end());
    heap_.swap(smaller);
  }
}

}  // namespace sidegate::queue
