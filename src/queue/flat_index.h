// A table of 32-bit places, found by a key that stands where the place points: 4 octets a slot, no key of its own.
// Open addressing, linear probing, no tombstones.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "queue/schedule_entry.h"

namespace sidegate::queue {

// HashOf: place -> std::uint64_t, well mixed in its high bits (FlatIndex::mix).
class FlatIndex {
 public:
  static std::uint64_t mix(std::uint64_t value) { return value * 0x9E3779B97F4A7C15ull; }

  template <typename Equal>
  std::uint32_t find(std::uint64_t hash, Equal equal) const {
    if (slots_.empty()) return kNone;
    for (std::size_t at = home(hash);; at = after(at)) {
      if (slots_[at] == kNone || equal(slots_[at])) return slots_[at];
    }
  }

  template <typename HashOf>
  void insert(std::uint64_t hash, std::uint32_t place, HashOf hash_of) {
    if ((size_ + 1) * 10 > slots_.size() * 7) resize(slots_.empty() ? 64 : slots_.size() * 2, hash_of);
    put(hash, place);
    ++size_;
  }

  // The slot that holds `from` holds `to` from now on: both have the same key.
  void replace(std::uint64_t hash, std::uint32_t from, std::uint32_t to) {
    const std::size_t at = slot_of(hash, from);
    if (at != kNowhere) slots_[at] = to;
  }

  template <typename HashOf>
  void erase(std::uint64_t hash, std::uint32_t place, HashOf hash_of) {
    std::size_t hole = slot_of(hash, place);
    if (hole == kNowhere) return;
    for (std::size_t at = after(hole); slots_[at] != kNone; at = after(at)) {
      // Moves back unless its home lies behind the hole: then a search would still find it where it is.
      const std::size_t from_home = (at - home(hash_of(slots_[at]))) & (slots_.size() - 1);
      const std::size_t from_hole = (at - hole) & (slots_.size() - 1);
      if (from_home < from_hole) continue;
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole] = kNone;
    --size_;
    if (slots_.size() > 1024 && size_ * 8 < slots_.size()) resize(slots_.size() / 2, hash_of);
  }

  std::size_t size() const { return size_; }
  std::size_t memory() const { return slots_.capacity() * sizeof(std::uint32_t); }

 private:
  static constexpr std::size_t kNowhere = ~std::size_t{0};
  std::size_t home(std::uint64_t hash) const { return hash >> shift_; }
  std::size_t after(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }

  std::size_t slot_of(std::uint64_t hash, std::uint32_t place) const {
    if (slots_.empty()) return kNowhere;
    for (std::size_t at = home(hash); slots_[at] != kNone; at = after(at)) {
      if (slots_[at] == place) return at;
    }
    return kNowhere;
  }
  void put(std::uint64_t hash, std::uint32_t place) {
    std::size_t at = home(hash);
    while (slots_[at] != kNone) at = after(at);
    slots_[at] = place;
  }
  template <typename HashOf>
  void resize(std::size_t count, HashOf hash_of) {
    std::vector<std::uint32_t> old(count, kNone);
    old.swap(slots_);
    shift_ = 64;
    for (std::size_t n = count; n > 1; n /= 2) --shift_;
    for (std::uint32_t place : old) {
      if (place != kNone) put(hash_of(place), place);
    }
  }

  std::vector<std::uint32_t> slots_;  // a power of two
  std::size_t size_ = 0;
  unsigned shift_ = 63;
};

}  // namespace sidegate::queue
