#include "queue/way_state.h"

namespace sidegate::queue {
namespace {
constexpr std::int64_t kLongestGrowth = 10 * 60 * 1000;  // a pause doubles up to here; a longer one is kept as it is
}

void WayConnections::note() {
  least_ = std::max(0, std::min(least_, expected()));
  stale_ = std::min(stale_, std::max(0, expected()));
}

void WayConnections::release(bool stood) {
  slots_ -= slots_ > 0;
  if (!stood) opening_ -= opening_ > 0;
  opening_ = std::min(opening_, slots_);
  note();
}

void WayConnections::idle(unsigned loop, int by) {
  if (loops_.empty()) loops_.resize(count_);
  PerLoop& at = loops_[loop];
  for (; by > 0; --by) ++at.sleeping, ++sleeping_;
  for (; by < 0; ++by) {
    if (at.woken > 0) {
      at.woken_least = std::min(at.woken_least, --at.woken);
    } else if (at.sleeping > 0) {
      --at.sleeping, --sleeping_;
    }
  }
  note();
}

bool WayConnections::wake_idle(unsigned loop) {
  if (loops_.empty()) return false;
  PerLoop& at = loops_[loop];
  if (at.sleeping == 0) return false;
  --at.sleeping, --sleeping_, ++at.woken;
  note();
  return true;
}

std::optional<unsigned> WayConnections::sleeping_loop(unsigned from) const {
  if (sleeping_ == 0) return std::nullopt;
  for (unsigned i = 0; i < loops_.size(); ++i) {
    const unsigned loop = (from + i) % loops_.size();
    if (loops_[loop].sleeping > 0) return loop;
  }
  return std::nullopt;
}

void WayConnections::age() {
  int back = 0;
  for (PerLoop& at : loops_) {
    back += at.woken_least;
    at.woken -= at.woken_least;
    at.sleeping += at.woken_least;
    at.woken_least = at.woken;
  }
  sleeping_ += back;
  stale_ = std::max(0, std::min(least_ - back, expected()));
  least_ = std::max(0, expected());
}

void WayState::go_down(std::int64_t now, std::int64_t how_long, std::string why, std::int64_t at_most) {
  how_long = std::max<std::int64_t>(how_long, 0);
  if (!why.empty()) reason = std::move(why);
  pause = how_long;
  longest = at_most;
  if (health == Health::kDown) {  // its other connections tell the same story: that is not one more failure
    again_at = std::max(again_at, now + how_long);
    return;
  }
  health = Health::kDown;
  const std::int64_t most = std::max(how_long, longest > 0 ? longest : kLongestGrowth);
  const std::int64_t grown = how_long << std::min(failures, 20u);
  again_at = now + std::min(grown, most);
  ++failures;
  trial = {};
}

void WayState::go_up() {
  health = Health::kUp;
  reason.clear();
  failures = 0;
  spent = false;
  trial = {};
}

}  // namespace sidegate::queue
