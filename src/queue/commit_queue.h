// What waits for the commit thread, and what it has in hand. Any thread pushes; the commit thread takes; the watchdog
// answers what waits too long or what cannot be served while the store reopens.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

#include "base/clock.h"
#include "queue/codec.h"
#include "queue/store.h"

namespace sidegate::queue {

struct Sweep {};   // start-up: delete what the last life left under way
struct SetAside {  // a row that cannot be read: its message goes to `bad`
  QueueId id;
  Family family = Family::kMeta;
  std::string why;
};
using Work = std::variant<Accept, PutChunk, Discard, Outcome, Remove, Intern, Note, Sweep, SetAside>;
Work to_work(Change change);

struct Pending {
  Work work;
  Done done;  // empty: nobody waits
  SteadyTime since{};
  std::size_t octets = 0;  // memory it holds, roughly
  Status result;
  bool settled = false;  // the commit thread answers it: out of the watchdog's reach
  bool refused = false;  // the watchdog has answered it
};
// Those are answered with an error when the store fails or stalls; the others wait.
bool refusable(const Work& work);
std::size_t octets_of(const Work& work);

class CommitQueue {
 public:
  explicit CommitQueue(const Expected& expected) : expected_(expected) {}

  using Group = std::vector<Pending>;
  static constexpr std::size_t kGroupOctets = 8u << 20;
  static constexpr std::size_t kWaitingOctets = 64u << 20;  // of changes that wait for a reopening

  // --- any thread
  void push(Pending pending);
  void poke();   // the commit thread looks around: a background error
  void close();  // take() waits no more

  // --- the commit thread
  // Waits until there is something, a poke, or `until`. Where messages wait, it waits for all that are expected to join
  // them, at most `patience`. The group is under the watchdog's eyes until settle_all().
  Group& take(std::optional<std::chrono::steady_clock::time_point> until, std::chrono::nanoseconds patience = {});
  void settle(std::span<Pending> entries);  // from here on they are answered by the commit thread
  void release();                           // the group is done with
  void push_front(std::vector<Pending> entries);
  bool empty() const;
  // While true the watchdog answers accepts and chunks as they come, with this error.
  void refuse_arrivals(std::optional<Error> error);
  Group take_all();

  // --- the watchdog
  // Waits for `poll`, or as long as nothing is under way. False: stopping.
  bool watch(std::chrono::milliseconds poll);
  // Answers (calls done) what is refusable and older than `before`; returns true if some of it is in hand.
  bool refuse_older(SteadyTime before, const Error& error);
  void refuse_arrived();
  void stop_watching();

 private:
  bool idle() const { return waiting_.empty() && in_hand_.empty() && !refuse_; }
  void forget_stream(const Pending& pending);
  void wait_for_others(std::unique_lock<std::mutex>& lock, std::chrono::nanoseconds patience);

  const Expected& expected_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, watch_wake_;
  std::deque<Pending> waiting_;
  Group in_hand_;
  std::size_t waiting_octets_ = 0;
  std::size_t messages_ = 0;  // of what waits: what somebody's session waits for
  std::size_t wanted_ = 0;    // fewer messages than that wake nobody
  std::optional<Error> refuse_;
  bool sleeping_ = false, poked_ = false, closed_ = false, resting_ = false, watch_stop_ = false, watch_poked_ = false;
  unsigned idle_polls_ = 0;
};

}  // namespace sidegate::queue
