// What all direct deliveries share, and what each opening is asked for.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "deliver/port25.h"
#include "deliver/settings.h"

namespace sidegate::deliver {

// A destination that refuses our address is asked again so soon; sooner where there is no other way to it.
inline constexpr Duration kRefusedFor = 24h, kRefusedAlone = 1h;

// Which family answers on this line, learnt from hosts that have both.
class GoodFamily {  // thread-safe
 public:
  int get(SteadyTime now) const { return now < until_.load(std::memory_order_relaxed) ? family_.load() : 0; }
  void set(int family, SteadyTime now) {
    constexpr auto kRemember = std::chrono::hours(1);  // then both are tried again
    if (get(now) == family) return;
    family_.store(family);
    until_.store(now + kRemember);
  }

 private:
  std::atomic<int> family_{0};
  std::atomic<SteadyTime> until_{SteadyTime::min()};
};

struct Direct {
  Port25 port25;
  GoodFamily good_family;
};

}  // namespace sidegate::deliver
