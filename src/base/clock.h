// Time as rooms see it: a parameter, so that tests choose it. Wall time is what is written down (due times, Date fields,
// ids); steady time is what deadlines are made of, so that a clock that jumps ends no session.
#pragma once

#include <chrono>

namespace sidegate {

using Duration = std::chrono::milliseconds;
using WallTime = std::chrono::sys_time<Duration>;
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

class Clock {   // thread-safe
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual SteadyTime steady() const = 0;
};

Clock& system_clock();

// A clock that tests move by hand. Both faces move together in advance(); jump() moves the wall alone.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime start = WallTime(std::chrono::seconds(1'700'000'000))) : wall_(start) {}
  WallTime wall() const override { return wall_; }
  SteadyTime steady() const override { return steady_; }
  void advance(Duration by) { wall_ += by; steady_ += by; }
  void jump(Duration by) { wall_ += by; }

 private:
  WallTime wall_;
  SteadyTime steady_{};
};

}  // namespace sidegate
