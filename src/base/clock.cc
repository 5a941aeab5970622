#include "base/clock.h"

namespace sidegate {

namespace {

class SystemClock final : public Clock {
 public:
  WallTime wall() const override { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }
  SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

}  // namespace sidegate
