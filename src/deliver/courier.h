// The courier of one loop: keeps this loop's connections to each way, each one coroutine: open, then lease, attempt,
// outcome, next lease; idle when there is none; QUIT.
//
//   Scheduler::Wake --> kick(way) --> a waiting connection goes on, or a new one is opened within the scheduler's slots
//
// What becomes of a message is handed to the store without waiting (promise 3), bounded by kMostUnwritten a loop; a
// message that stays in the queue is only given back to the scheduler when its rows are written.
#pragma once

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <random>
#include <unordered_map>
#include <vector>

#include "deliver/attempt.h"
#include "deliver/parking.h"

namespace sidegate::deliver {

class Courier {
 public:
  explicit Courier(Parts parts);
  ~Courier();  // after stopped() and after the store has finished what it was given
  Courier(const Courier&) = delete;

  // From any thread; connections keep the snapshot they began with and end at their next idle moment.
  void set_ways(std::shared_ptr<const Ways> ways);
  void kick(queue::WayId way);  // from any thread
  // No new messages; what is under way has `patience` to end, then its connections are closed. From any thread; the
  // coroutine runs on this courier's loop and returns when nothing is left.
  net::Awaitable<void> stop(Duration patience);
  // Messages that wait for a way that is down: one delay report, or failure when their lifetime is over. The courier of
  // loop 0 asks by itself, once a second.
  void look_overdue();

  unsigned connections() const { return connections_.load(std::memory_order_relaxed); }

 private:
  static constexpr unsigned kMostUnwritten = 1000;
  static constexpr std::size_t kCoalescedWays = 256;

  struct Line;  // one connection's coroutine: its way, stream, parking place
  struct Leaving;
  enum class Served : std::uint8_t { kEnd, kAgain };

  void look(queue::WayId way, unsigned kicks);
  net::Awaitable<void> run(std::shared_ptr<const Ways> ways, std::shared_ptr<Way> way, bool probes);
  net::Awaitable<Served> serve(Line& line);
  bool take_lease(Line& line);
  void pass_over(Line& line, const Connection& connection, Attempted& attempted);
  net::Awaitable<bool> next_lease(Line& line);
  net::Awaitable<bool> open(Line& line);
  net::Awaitable<bool> deliver(Line& line, Connection& connection);
  net::Awaitable<void> give_overdue(std::vector<queue::Lease> leases);
  net::Awaitable<void> room_for_outcomes();
  bool in_use(const Way& way) const;
  bool keeps(const Line& line) const;

  net::Awaitable<bool> open_direct(Line& line);
  net::Awaitable<void> give_all(Line& line);
  void note_size(const Line& line);
  void port25_step(const Ways& ways, Port25::Step step);
  net::Awaitable<void> look_for_evidence(std::shared_ptr<const Ways> ways, std::string domain,
                                         std::vector<std::string> silent);
  void opening_failed(Line& line, const OpenTrouble& trouble);
  void way_trouble(Way& way, const Verdict& verdict, smtp::Phase phase, std::string reason, bool was_standing);
  void way_good(Way& way, smtp::Phase phase);
  void give_back(const queue::Lease& lease);                        // untouched
  bool had_ended(Attempted::Fate fate, const queue::Lease& lease);  // true: and the lease is finished
  void after_unread(const queue::Lease& lease);

  // Hands the outcome to the store; the lease is finished at once or when it is written.
  void settle(queue::Lease lease, Settled settled);
  void log_report(const queue::Message& report, QueueId about, const PlannedReport& plan) const;
  net::Awaitable<void> write(queue::Lease lease, Settled settled, bool finish_after);
  net::Awaitable<void> finish_if_all_ended(QueueId id);

  Parts parts_;
  std::shared_ptr<const Ways> ways_;
  std::vector<Line*>& idle_of(queue::WayId way);
  Line* take_idle(queue::WayId way);
  template <typename Fn>
  void for_each_idle(Fn fn);

  std::vector<std::vector<Line*>> idle_;                               // by way, the last to fall asleep at the end
  std::unordered_map<queue::WayId, std::vector<Line*>> idle_members_;  // of direct delivery
  std::list<Line*> lines_;
  std::array<std::atomic<unsigned>, kCoalescedWays> kicks_{};
  std::atomic<unsigned> connections_{0};
  std::shared_ptr<std::atomic<unsigned>> unwritten_ = std::make_shared<std::atomic<unsigned>>(0);
  unsigned writers_ = 0;  // coroutines that wait for the store
  bool stopping_ = false, giving_overdue_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::minstd_rand random_;
};

}  // namespace sidegate::deliver
