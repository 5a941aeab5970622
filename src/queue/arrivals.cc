#include "queue/arrivals.h"

#include <chrono>

namespace sidegate::queue {

Duration Arrivals::look(std::int64_t steady_ms, WallTime wall, QueueId newest) {
  const WallTime expected = wall_ + Duration(steady_ms - steady_);
  const Duration by = looked_ ? wall - expected : Duration(0);
  const bool jumped = std::chrono::abs(by) >= kLeastJump;
  // What drifts slowly is followed; what jumps a little each time adds up to no jump.
  looked_ = true;
  steady_ = steady_ms;
  wall_ = wall;
  if (!jumped) return Duration(0);
  if (jumps_.size() == kMostJumps) jumps_.erase(jumps_.begin());
  jumps_.push_back({expected, by, newest});
  return by;
}

WallTime Arrivals::of(QueueId id) const {
  WallTime at = id.time();
  for (const Jump& jump : jumps_) {
    // A message that was there before. After a jump forward the time alone tells; after one back ids stay ahead of the
    // clock, and only those seen before are surely old: a newer one keeps its time in the future, which is young.
    const bool was_there = at <= jump.before && (jump.by > Duration(0) || id <= jump.newest);
    if (was_there) at += jump.by;
  }
  return at;
}

}  // namespace sidegate::queue
