// The scheduler: the one owner of due times, classes, slots, limits and fairness.
//
// A monitor, not a strand: every method takes one mutex for microseconds and never waits (a hand-off through a strand
// costs two thread wake-ups a message). Wakes are called after the mutex is left. It knows nothing of sockets or disks:
// it is given rows, it gives leases, it is told what became of them; the clock is a parameter.
//
// Memory: 48 octets a (message, class) and the timer's share; messages ready for a way wait on their class, a way waits
// as a whole when it is down.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "queue/records.h"
#include "queue/settings.h"

namespace sidegate::queue {

using WayId = std::uint16_t;   // index into the configured ways; stable while a way of that name exists

struct WayLimits {
  std::string name;
  unsigned connections = 10;
};

// One message for one way, all of its classes that go there now. Held until finish().
struct Lease {
  QueueId id;
  WayId way = 0;
  std::vector<ClassId> classes;
  std::uint16_t attempts = 0;   // made before
  std::uint64_t epoch = 0;
};

// What became of one class of a lease.
struct ClassResult {
  ClassId class_id = 0;
  enum class Next : std::uint8_t {
    kEnd,        // no recipient of it is left
    kAt,         // try again at `due`
    kNextWay,    // at once, by the next of its ways that is up; `due` if there is none
    kSameWay,    // at once or when the way is up again: the way's trouble, no attempt of the message
    kHold,       // until released
  } next = Next::kEnd;
  WallTime due{};
  bool counts = true;   // as an attempt
};

struct WayStatus {
  WayId id = 0;
  std::string name;
  bool up = true;
  std::string reason;                  // why it is down
  std::optional<WallTime> again_at;    // when it is tried next
  unsigned connections = 0;
  std::uint64_t ready = 0;             // messages waiting for it now
};
struct Totals {
  std::uint64_t messages = 0, ready = 0, waiting = 0, active = 0, held = 0;
};

class Scheduler {   // thread-safe
 public:
  // Called after the mutex is left, on the thread that caused it: loop `loop` should look at `way` (Courier::kick).
  using Wake = std::function<void(unsigned loop, WayId way)>;
  using Router = std::function<std::vector<WayId>(const ClassKey&)>;   // pure; ordered ways out

  Scheduler(ScheduleSettings settings, Clock& clock, unsigned loops);
  ~Scheduler();

  void set_wake(Wake wake);
  // At start and at every reload: classes are re-routed, messages are not touched.
  void set_ways(std::vector<WayLimits> ways, Router router);

  // --- classes. fresh: true when this call made it; the caller then commits an Intern with (or before) its first use.
  ClassId intern(const ClassKey& key, bool* fresh);
  void restore_classes(std::vector<ClassRow> rows);

  // --- messages in. loop: where the message was accepted, its connections are preferred.
  void add(std::span<const DueRow> rows, unsigned loop);
  void remove(QueueId id);                   // by the operator; a lease under way ends by itself (finish is then a no-op)
  bool has_room() const;                     // max_queued
  void retry_now(QueueId id);
  void hold(QueueId id, bool held);
  bool is_leased(QueueId id) const;

  // --- for couriers. A slot is a place in the way's connection limit.
  bool take_slot(WayId way, unsigned loop);      // true only while messages wait that no opening connection will take
  void slot_ready(WayId way, unsigned loop);     // the connection stands: its slot no longer counts as opening
  void release_slot(WayId way, unsigned loop);
  std::optional<Lease> lease(WayId way);         // round robin over senders, then their classes, in order of due time
  void idle(WayId way, unsigned loop, int by);   // +1/-1: warm connections on this loop without work
  void finish(const Lease& lease, std::span<const ClassResult> results, unsigned loop);

  // --- health
  void way_down(WayId way, Duration for_how_long, std::string reason);   // its ready messages wait on it; no attempt is counted
  void way_up(WayId way);

  // Every 250 ms from one loop: moves due rows, brings ways back on trial, wakes.
  void tick();

  Totals totals() const;
  std::vector<WayStatus> ways() const;
  std::size_t memory() const;   // octets held for the schedule

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sidegate::queue
