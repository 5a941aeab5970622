// Time as rooms see it: a parameter, so that tests choose it. Wall time is what is written down (due times, Date
// fields, ids); steady time is what deadlines are made of, so that a clock that jumps ends no session.
#pragma once

#include <atomic>
#include <chrono>

namespace sidegate {

using Duration = std::chrono::milliseconds;
using WallTime = std::chrono::sys_time<Duration>;
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

class Clock {  // thread-safe
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual SteadyTime steady() const = 0;
};

Clock& system_clock();

// A clock that tests move by hand. Both faces move together in advance(); jump() moves the wall alone.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime start = WallTime(std::chrono::seconds(1'700'000'000)))
      : wall_(start.time_since_epoch()) {}
  WallTime wall() const override { return WallTime(wall_.load()); }
  SteadyTime steady() const override { return SteadyTime(steady_.load()); }
  void advance(Duration by) {
    wall_ = wall_.load() + by;
    steady_ = steady_.load() + by;
  }
  void jump(Duration by) { wall_ = wall_.load() + by; }

 private:
  std::atomic<Duration> wall_;  // one thread moves it, any reads
  std::atomic<std::chrono::nanoseconds> steady_{std::chrono::nanoseconds(0)};
};

}  // namespace sidegate
