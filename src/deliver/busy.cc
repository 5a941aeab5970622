#include "deliver/busy.h"

#include <algorithm>

namespace sidegate::deliver {
namespace {

constexpr Duration kLeast{250}, kMost{5 * 60'000};
constexpr std::size_t kMostKnown = 1000;     // commands whose usual time is remembered
constexpr std::size_t kMostAside = 100'000;  // ids kept; the estimate needs no more

}  // namespace

std::optional<Duration> Busy::enter(const std::string& command, QueueId id, unsigned most, SteadyTime now) {
  std::lock_guard lock(mutex_);
  One& one = commands_[command];
  if (one.running < most) {
    ++one.running;
    one.since = now;
    one.aside.erase(id);
    return std::nullopt;
  }
  if (one.aside.size() < kMostAside) one.aside.insert(id);
  // A call that has been running for longer than usual says more than the usual ones.
  Duration silent = std::chrono::duration_cast<Duration>(now - one.since);
  Duration each = std::max(one.usual, silent);
  auto turns = static_cast<Duration::rep>(one.aside.size() / most + 1);
  return std::clamp(each * turns, kLeast, kMost);
}

void Busy::leave(const std::string& command, Duration took, SteadyTime now) {
  std::lock_guard lock(mutex_);
  auto at = commands_.find(command);
  if (at == commands_.end()) return;
  One& one = at->second;
  if (one.running > 0) --one.running;
  one.usual = (one.usual * 3 + took) / 4;
  one.since = now;
  bool idle = one.running == 0 && one.aside.empty();
  if (idle && commands_.size() > kMostKnown) commands_.erase(at);
}

}  // namespace sidegate::deliver
