// The scheduler: the one owner of due times, classes, slots, limits and fairness.
//
// A monitor, not a strand: every method takes one mutex for microseconds and never waits (a hand-off through a strand
// costs two thread wake-ups a message). Wakes are called after the mutex is left. It knows nothing of sockets or disks:
// it is given rows, it gives leases, it is told what became of them; the clock is a parameter.
//
// Memory: 48 octets a (message, class) and the timer's share; messages ready for a way wait on their class, a way waits
// as a whole when it is down.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "queue/lease.h"
#include "queue/records.h"
#include "queue/settings.h"

namespace sidegate::queue {

class Scheduler {  // thread-safe
 public:
  // Called after the mutex is left, on the thread that caused it: loop `loop` should look at `way` (Courier::kick).
  // Each wake asks for one connection: one idle on that loop (idle -1, then lease), else take_slot there.
  using Wake = std::function<void(unsigned loop, WayId way)>;
  using Router = queue::Router;

  Scheduler(ScheduleSettings settings, Clock& clock, unsigned loops);
  ~Scheduler();

  void set_wake(Wake wake);
  // At start and at every reload: classes are re-routed, messages are not touched. ways[i] is way i: whoever calls
  // keeps the place of a name while it exists, and leaves an empty name where one went.
  void set_ways(std::vector<WayLimits> ways, Router router);

  // --- classes. fresh: its row is not known to be durable (no message of it was added yet, nor was it restored): the
  // caller commits an Intern with its message or before. Writing the row twice does no harm.
  ClassId intern(const ClassKey& key, bool* fresh);
  void restore_classes(std::vector<ClassRow> rows);

  // --- messages in. loop: where the message was accepted, its connections are preferred.
  void add(std::span<const DueRow> rows, unsigned loop);
  void remove(QueueId id);           // by the operator; a lease under way ends by itself (finish is then a no-op)
  bool has_room() const;             // max_queued
  void retry_now(QueueId id);        // what is held stays held; a way that is down is tried at once
  void hold(QueueId id, bool held);  // one that is leased is held when its lease ends
  bool is_leased(QueueId id) const;
  std::optional<Standing> standing(QueueId id) const;  // nullopt: not in the schedule

  // --- for couriers. A slot is a place in the way's connection limit.
  bool take_slot(WayId way, unsigned loop);   // true only while messages wait that no opening connection will take
  void slot_ready(WayId way, unsigned loop);  // the connection stands: its slot no longer counts as opening
  void release_slot(WayId way, unsigned loop, bool stood = true);  // stood: slot_ready was called for it
  std::optional<Lease> lease(WayId way);        // round robin over senders, then their classes, in order of due time
  void idle(WayId way, unsigned loop, int by);  // +1/-1: warm connections on this loop without work
  void finish(const Lease& lease, std::span<const ClassResult> results, unsigned loop);
  // Messages that wait for a way that is down, past their lifetime or (once each) past the time of the delay report.
  // Looks at `most` entries a call and goes on where it stopped: to be called at every tick or so. A lease's way may be
  // kNoWay.
  std::vector<Lease> overdue(unsigned most = 4096);

  // --- families (families.h). The router names the family; wakes and leases name its member.
  std::optional<MemberName> member(WayId way) const;               // nullopt: there is no such member any more
  WayId find_member(WayId family, std::string_view domain) const;  // kNoWay: it has none of that name
  // Its family has no connection left for somebody who waits: one that has nothing to do should end.
  bool is_wanted_elsewhere(WayId way) const;
  std::size_t members() const;

  // --- health. Of a family: as a whole; members that are down for less than an hour are forgiven when it goes down or
  // comes back, and one message of any member tries it.
  // Its ready messages take their next way that is up, else wait on this one; no attempt is counted. Then it goes on
  // trial: one connection with one message, and all when that was answered (or way_up says so). Each failure in a row
  // doubles the pause, up to ten minutes or for_how_long, whichever is more.
  void way_down(WayId way, Duration for_how_long, std::string reason);
  void way_up(WayId way);
  // All ways of this one's account. spent: its provider says that it has used up what it may, for now; the pause may
  // grow to that, and messages stay where their way says so (WayLimits::next_when_full).
  void account_down(WayId way, Duration for_how_long, std::string reason, std::optional<Duration> spent);

  // --- what accounts have used of their limits: the ledger (queue/ledger.h)
  // A lease is charged for a recipient of each class; how many more of its message's recipients may go now. For the
  // others there is room in *room_in.
  std::uint32_t charge_more(const Lease& lease, std::uint32_t recipients, Duration* room_in);
  void restore_ledger(std::string_view key, std::string_view note);
  std::vector<std::pair<std::string, std::string>> take_ledger();  // what has changed: key and note

  // Every 250 ms from one loop: moves due rows, brings ways back on trial, wakes.
  void tick();

  // When a message came, on the wall clock's scale of now: a clock that was set meanwhile makes it no older
  // (queue/arrivals.h). take_jump: by how much the wall clock has jumped since this was asked last, usually 0.
  WallTime arrived(QueueId id) const;
  Duration take_jump();

  // The largest message that some way out takes, as couriers have learnt it from the relays' SIZE (0: no bound is
  // known), and the one that each of them takes (0: of none a bound is known).
  void set_sizes(std::uint64_t largest, std::uint64_t smallest) {
    largest_.store(largest, std::memory_order_relaxed);
    smallest_.store(smallest, std::memory_order_relaxed);
  }
  std::uint64_t largest() const { return largest_.load(std::memory_order_relaxed); }
  std::uint64_t smallest() const { return smallest_.load(std::memory_order_relaxed); }

  Totals totals() const;                // all but `messages` count (message, class)
  std::vector<WayStatus> ways() const;  // of families' members those in trouble, 500 at most
  std::optional<WayStatus> way(WayId way) const;
  // For a class that goes by `route`, as the router gave it: a family's place is taken by its member, where it has one.
  std::vector<WayStatus> ways_of(const ClassKey& key, const Route& route) const;
  std::size_t memory() const;  // octets held for the schedule

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::atomic<std::uint64_t> largest_{0}, smallest_{0};
};

}  // namespace sidegate::queue
