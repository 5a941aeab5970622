// A way out as the scheduler sees it: its connections, by what they are doing, and its health. Pure counting.
//
//   take_slot   slot_ready             lease           finish            idle(-1) or
//   --------> opening --> (expected) --------> active --------> (expected) --> release_slot
//                            ^  |  idle(+1)
//                  idle(-1)  |  v             *expected*: it stands and is neither busy nor asleep, so it will ask for
//              woken <---- sleeping           a lease (or fall asleep, or go) by itself, soon.
//
// A message needs no wake while opening and expected connections outnumber what is ready.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "queue/lease.h"

namespace sidegate::queue {

class WayConnections {
 public:
  explicit WayConnections(unsigned loops) : count_(loops) {}

  unsigned limit = 0;

  void take() {
    ++slots_;
    ++opening_;
    note();
  }
  void stands() {
    opening_ -= opening_ > 0;
    note();
  }
  void release(bool stood);
  void lease() {
    ++active_;
    note();
  }
  void finish() {
    active_ -= active_ > 0;
    note();
  }
  void idle(unsigned loop, int by);
  bool wake_idle(unsigned loop);                               // false: none sleeps there
  std::optional<unsigned> sleeping_loop(unsigned from) const;  // the first loop at or after `from` with a sleeping one

  unsigned slots() const { return slots_; }
  bool has_free_slot() const { return slots_ < limit; }
  // How many ready messages will be asked for without a wake.
  unsigned takers() const { return opening_ + static_cast<unsigned>(std::max(0, expected() - stale_)); }
  unsigned opening() const { return opening_; }
  unsigned active() const { return active_; }
  unsigned asleep() const { return sleeping_; }

  // Every tick. What was expected for a whole tick and did not come is not counted on any longer: a connection that
  // lingers in QUIT must not keep a message from a free slot, and a wake that was not followed is made again.
  void age();

 private:
  struct PerLoop {
    int sleeping = 0;
    int woken = 0, woken_least = 0;  // least: since the last tick
  };
  int expected() const { return static_cast<int>(slots_ - opening_) - static_cast<int>(active_ + sleeping_); }
  void note();

  unsigned count_;
  std::vector<PerLoop> loops_;  // empty until one fell asleep: there may be 100,000 members of a family
  unsigned slots_ = 0, opening_ = 0, active_ = 0, sleeping_ = 0;
  int stale_ = 0, least_ = 0;
};

enum class Health : std::uint8_t { kUp, kDown, kTrial };

struct WayState {
  explicit WayState(unsigned loops) : connections(loops) {}

  std::string name;       // empty: no such way any more; of a member: its domain
  WayId family = kNoWay;  // of a member
  WayConnections connections;
  Health health = Health::kUp;
  std::string reason;
  std::int64_t again_at = 0;  // steady clock, milliseconds; while down
  std::int64_t pause = 0;     // the last one asked for
  std::int64_t longest = 0;   // which it may grow to; 0: the usual
  unsigned failures = 0;      // in a row: each doubles the pause
  QueueId trial;              // the message that tries a way on trial

  std::uint32_t edition = 0;                  // of its settings, as WayLimits has it
  std::uint32_t account = ~std::uint32_t{0};  // ~0: of none
  std::vector<quota::Limit> limits;           // empty: none, whatever the account's other ways have
  bool next_when_full = true;
  bool full = false;   // no room for one more message
  bool spent = false;  // down, because its provider says that the account has used up what it may

  bool up() const { return health == Health::kUp; }
  void go_down(std::int64_t now, std::int64_t how_long, std::string why, std::int64_t at_most = 0);
  void go_up();
};

}  // namespace sidegate::queue
