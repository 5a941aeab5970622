// When a message came, on a wall clock that jumps. A queue id holds the wall time at which it was given; when the clock
// is set, that time and "now" are no longer on the same scale, and their difference is no age. This notes each jump
// (the wall clock moved otherwise than the steady one) and tells the arrival of older messages on today's scale.
//
// The rule: time passes as the steady clock says. A jump makes no message older; it may make one younger, by the jump
// at most (what comes after a jump back has ids ahead of the clock). Ages across a restart are the wall clock's.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/queue_id.h"

namespace sidegate::queue {

// Smaller ones are how clocks are kept right.
inline constexpr Duration kLeastJump{30'000};

class Arrivals {
 public:
  // Both clocks now; newest: the highest id that was seen so far. Returns by how much the wall clock has jumped since
  // the last look, usually 0.
  Duration look(std::int64_t steady_ms, WallTime wall, QueueId newest);
  WallTime of(QueueId id) const;

 private:
  struct Jump {
    WallTime before;  // on the scale that ended
    Duration by{};
    QueueId newest;
  };
  static constexpr std::size_t kMostJumps = 256;
  std::int64_t steady_ = 0;
  WallTime wall_{};
  bool looked_ = false;
  std::vector<Jump> jumps_;
};

}  // namespace sidegate::queue
