// The monitor around the schedule: one mutex, held for microseconds; wakes are called when it is left.
#include "queue/scheduler.h"

#include <mutex>
#include <type_traits>

#include "queue/schedule.h"

namespace sidegate::queue {

struct Scheduler::State {
  State(ScheduleSettings settings, Clock& time, unsigned count)
      : clock(time), loops(std::max(count, 1u)), schedule(settings, loops) {}

  // fn(schedule) under the mutex, then the wakes it caused. Without memory for the schedule itself, which all share and
  // which a half-made change would leave wrong, the process ends: as after any crash nothing is lost.
  template <typename Fn>
  auto run(Fn fn) noexcept {
    WakeList wakes;
    std::shared_ptr<const Wake> call;
    using Value = std::invoke_result_t<Fn, Schedule&>;
    if constexpr (std::is_void_v<Value>) {
      {
        const std::lock_guard lock(mutex);
        begin(&wakes);
        fn(schedule);
        call = wake;
      }
      deliver(wakes, call);
    } else {
      std::optional<Value> value;
      {
        const std::lock_guard lock(mutex);
        begin(&wakes);
        value.emplace(fn(schedule));
        call = wake;
      }
      deliver(wakes, call);
      return std::move(*value);
    }
  }

  void begin(WakeList* wakes) {
    const auto steady = std::chrono::duration_cast<Duration>(clock.steady().time_since_epoch());
    schedule.begin(steady.count(), clock.wall(), wakes);
  }
  static void deliver(const WakeList& wakes, const std::shared_ptr<const Wake>& call) {
    if (!call || !*call) return;
    try {
      wakes.for_each([&](WakeList::Call one) { (*call)(one.loop, one.way); });
    } catch (const std::bad_alloc&) {
      // Who is ready stays so, and the next tick calls again.
    }
  }

  Clock& clock;
  const unsigned loops;
  mutable std::mutex mutex;
  Schedule schedule;
  std::shared_ptr<const Wake> wake;
};

Scheduler::Scheduler(ScheduleSettings settings, Clock& clock, unsigned loops)
    : state_(std::make_unique<State>(settings, clock, loops)) {}
Scheduler::~Scheduler() = default;

void Scheduler::set_wake(Wake wake) {
  const std::lock_guard lock(state_->mutex);
  state_->wake = std::make_shared<const Wake>(std::move(wake));
}

void Scheduler::set_ways(std::vector<WayLimits> ways, Router router) {
  state_->run([&](Schedule& s) { s.set_ways(std::move(ways), std::move(router)); });
}

ClassId Scheduler::intern(const ClassKey& key, bool* fresh) {
  return state_->run([&](Schedule& s) { return s.intern(key, fresh); });
}
void Scheduler::restore_classes(std::vector<ClassRow> rows) {
  state_->run([&](Schedule& s) { s.restore_classes(rows); });
}

void Scheduler::add(std::span<const DueRow> rows, unsigned loop) {
  constexpr std::size_t kAtOnce = 1024;  // start-up adds pages: sessions must get their turn in between
  for (; !rows.empty(); rows = rows.subspan(std::min(kAtOnce, rows.size()))) {
    const auto some = rows.first(std::min(kAtOnce, rows.size()));
    state_->run([&](Schedule& s) { s.add(some, loop % state_->loops); });
  }
}
void Scheduler::remove(QueueId id) {
  state_->run([&](Schedule& s) { s.remove(id); });
}
bool Scheduler::has_room() const {
  const std::lock_guard lock(state_->mutex);
  return state_->schedule.has_room();
}
void Scheduler::retry_now(QueueId id) {
  state_->run([&](Schedule& s) { s.retry_now(id); });
}
void Scheduler::hold(QueueId id, bool held) {
  state_->run([&](Schedule& s) { s.hold(id, held); });
}
bool Scheduler::is_leased(QueueId id) const {
  const std::lock_guard lock(state_->mutex);
  return state_->schedule.is_leased(id);
}
std::optional<Standing> Scheduler::standing(QueueId id) const {
  const std::lock_guard lock(state_->mutex);
  return state_->schedule.standing(id);
}

bool Scheduler::take_slot(WayId way, unsigned loop) {
  return state_->run([&](Schedule& s) { return s.take_slot(way, loop % state_->loops); });
}
void Scheduler::slot_ready(WayId way, unsigned loop) {
  state_->run([&](Schedule& s) { s.slot_ready(way, loop % state_->loops); });
}
void Scheduler::release_slot(WayId way, unsigned loop, bool stood) {
  state_->run([&](Schedule& s) { s.release_slot(way, loop % state_->loops, stood); });
}
std::optional<Lease> Scheduler::lease(WayId way) {
  return state_->run([&](Schedule& s) { return s.lease(way); });
}
std::vector<Lease> Scheduler::overdue(unsigned most) {
  return state_->run([&](Schedule& s) { return s.overdue(most); });
}
void Scheduler::idle(WayId way, unsigned loop, int by) {
  state_->run([&](Schedule& s) { s.idle(way, loop % state_->loops, by); });
}
void Scheduler::finish(const Lease& lease, std::span<const ClassResult> results, unsigned loop) {
  state_->run([&](Schedule& s) { s.finish(lease, results, loop % state_->loops); });
}

void Scheduler::way_down(WayId way, Duration for_how_long, std::string reason) {
  state_->run([&](Schedule& s) { s.way_down(way, for_how_long, std::move(reason)); });
}
void Scheduler::way_up(WayId way) {
  state_->run([&](Schedule& s) { s.way_up(way); });
}

void Scheduler::account_down(WayId way, Duration for_how_long, std::string reason, std::optional<Duration> spent) {
  state_->run([&](Schedule& s) { s.account_down(way, for_how_long, std::move(reason), spent); });
}
std::uint32_t Scheduler::charge_more(const Lease& lease, std::uint32_t recipients, Duration* room_in) {
  return state_->run([&](Schedule& s) { return s.charge_more(lease, recipients, room_in); });
}
void Scheduler::restore_ledger(std::string_view key, std::string_view note) {
  state_->run([&](Schedule& s) { s.restore_ledger(key, note); });
}
std::vector<std::pair<std::string, std::string>> Scheduler::take_ledger() {
  return state_->run([](Schedule& s) { return s.take_ledger(); });
}

void Scheduler::tick() {
  // A million due at once are moved in portions: nobody waits for the mutex longer than for one of them.
  constexpr unsigned kAtOnce = 1000;
  for (bool more = true; more;) more = state_->run([](Schedule& s) { return s.move_due(kAtOnce); });
  state_->run([](Schedule& s) { s.tick(); });
}

WallTime Scheduler::arrived(QueueId id) const {
  return state_->run([&](Schedule& s) { return s.arrived(id); });
}
Duration Scheduler::take_jump() {
  return state_->run([](Schedule& s) { return s.take_jump(); });
}

Totals Scheduler::totals() const {
  const std::lock_guard lock(state_->mutex);
  return state_->schedule.totals();
}
std::vector<WayStatus> Scheduler::ways() const {
  return state_->run([](Schedule& s) { return s.ways(); });
}
std::optional<WayStatus> Scheduler::way(WayId way) const {
  return state_->run([&](Schedule& s) { return s.way(way); });
}
std::vector<WayStatus> Scheduler::ways_of(const ClassKey& key, const Route& route) const {
  return state_->run([&](Schedule& s) { return s.ways_of(key, route); });
}
std::optional<MemberName> Scheduler::member(WayId way) const {
  const std::lock_guard lock(state_->mutex);
  return state_->schedule.member(way);
}
WayId Scheduler::find_member(WayId family, std::string_view domain) const {
  const std::lock_guard lock(state_->mutex);
  return state_->schedule.find_member(family, domain);
}
bool Scheduler::is_wanted_elsewhere(WayId way) const {
  if (!is_member(way)) return false;
  const std::lock_guard lock(state_->mutex);
  return state_->schedule.is_wanted_elsewhere(way);
}
std::size_t Scheduler::members() const {
  const std::lock_guard lock(state_->mutex);
  return state_->schedule.members();
}
std::size_t Scheduler::memory() const {
  const std::lock_guard lock(state_->mutex);
  return state_->schedule.memory();
}

}  // namespace sidegate::queue
