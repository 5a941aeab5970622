// The schedule: what the Scheduler's mutex guards. A single-threaded state machine; time comes in with set_now().
// Entries (schedule_entry.h) are waiting for their due time (timer_heap.h), ready on a way (ready_set.h), leased or
// held.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "queue/accounts.h"
#include "queue/arrivals.h"
#include "queue/class_table.h"
#include "queue/families.h"
#include "queue/flat_index.h"
#include "queue/lease.h"
#include "queue/ready_set.h"
#include "queue/schedule_entry.h"
#include "queue/settings.h"
#include "queue/timer_heap.h"
#include "queue/way_state.h"

namespace sidegate::queue {

// The wakes one operation causes; few, so usually without an allocation.
class WakeList {
 public:
  struct Call {
    unsigned loop;
    WayId way;
  };
  void push(Call call) { count_ < first_.size() ? void(first_[count_] = call) : rest_.push_back(call), ++count_; }
  template <typename Fn>
  void for_each(Fn fn) const {
    for (std::size_t i = 0; i < count_; ++i) fn(i < first_.size() ? first_[i] : rest_[i - first_.size()]);
  }
  bool empty() const { return count_ == 0; }

 private:
  std::array<Call, 4> first_;
  std::vector<Call> rest_;
  std::size_t count_ = 0;
};

class Schedule {
 public:
  Schedule(ScheduleSettings settings, unsigned loops);

  // Before every operation: both clocks now, and where its wakes go.
  void begin(std::int64_t steady_ms, WallTime wall, WakeList* wakes);

  void set_ways(std::vector<WayLimits> ways, Router router);
  ClassId intern(const ClassKey& key, bool* fresh);
  void restore_classes(const std::vector<ClassRow>& rows);

  void add(std::span<const DueRow> rows, unsigned loop);
  void remove(QueueId id);
  bool has_room() const { return messages_.size() < settings_.max_queued; }
  void retry_now(QueueId id);
  void hold(QueueId id, bool held);
  bool is_leased(QueueId id) const;

  bool take_slot(WayId way, unsigned loop);
  void slot_ready(WayId way, unsigned loop);
  void release_slot(WayId way, unsigned loop, bool stood);
  std::optional<Lease> lease(WayId way);
  std::vector<Lease> overdue(unsigned most);
  void idle(WayId way, unsigned loop, int by);
  void finish(const Lease& lease, std::span<const ClassResult> results, unsigned loop);

  // spent: the account has used up what it may; the pause may grow to that.
  void way_down(WayId way, Duration for_how_long, std::string reason, std::optional<Duration> spent = {});
  void account_down(WayId way, Duration for_how_long, std::string reason, std::optional<Duration> spent);
  void way_up(WayId way);

  // --- accounts (schedule_accounts.cc)
  std::uint32_t charge_more(const Lease& lease, std::uint32_t recipients, Duration* room_in);
  void restore_ledger(std::string_view key, std::string_view note);
  std::vector<std::pair<std::string, std::string>> take_ledger();

  // Makes at most `budget` due entries ready; true: there are more.
  bool move_due(unsigned budget);
  void tick();

  // By how much the wall clock has jumped since this was asked last.
  Duration take_jump() { return std::exchange(jump_, Duration(0)); }
  WallTime arrived(QueueId id) const { return arrivals_.of(id); }

  std::optional<Standing> standing(QueueId id) const;
  Totals totals() const;
  std::vector<WayStatus> ways() const;
  std::optional<WayStatus> way(WayId way) const;
  std::vector<WayStatus> ways_of(const ClassKey& key, const Route& route) const;
  std::optional<MemberName> member(WayId way) const;
  WayId find_member(WayId family, std::string_view domain) const { return families_.find(family, domain); }
  bool is_wanted_elsewhere(WayId way) const;
  std::size_t members() const { return families_.size(); }
  std::size_t memory() const;

 private:
  static constexpr unsigned kAnyLoop = ~0u;

  // --- entries (schedule.cc)
  std::int64_t steady(WallTime at) const;
  auto id_hash() const;
  std::uint32_t find(QueueId id) const;
  template <typename Fn>
  void for_each_sibling(std::uint32_t first, Fn fn);
  std::uint32_t insert(const DueRow& row);
  void update(std::uint32_t at, const DueRow& row);
  std::vector<std::uint32_t> entries_of(QueueId id);
  void erase(std::uint32_t at);
  void start(std::uint32_t at, bool held);
  void make_ready(std::uint32_t at, std::uint8_t rank);
  void make_waiting(std::uint32_t at);
  void make_held(std::uint32_t at);
  void detach(std::uint32_t at);
  bool follows_sibling(std::uint32_t at, WayId way) const;

  // --- leases (schedule_lease.cc)
  void take(std::uint32_t at, Lease& lease);
  Lease take_message(std::uint32_t first, WayId way, std::uint64_t most_classes = ~std::uint64_t{0});
  bool is_overdue(const ScheduleEntry& entry) const;
  void settle(std::uint32_t at, const Lease& lease, const ClassResult* result);
  std::optional<std::uint8_t> next_rank(const ClassTable::Class& cls, WayId after) const;
  void end_trial(WayId way, const Lease& lease, std::span<const ClassResult> results);

  // --- accounts (schedule_accounts.cc)
  SteadyTime steady_time() const { return SteadyTime(Duration(now_)); }
  void give_account(WayId way, const WayLimits& limits);
  bool is_counted(const WayState& way) const { return way.account != kNone && accounts_[way.account].counts; }
  Room room_of(const WayState& way) const;
  void charge(const WayState& way, Lease& lease);
  void settle_charge(const Lease& lease, std::span<const ClassResult> results);
  bool look_at_room(std::uint32_t account);
  void look_at_rooms();
  unsigned free_slots(const WayState& way) const;

  // --- ways (schedule_ways.cc)
  bool known(WayId way) const { return way < ways_.size() || (is_member(way) && families_.alive(way)); }
  WayState& state(WayId way) { return way < kFirstMember ? ways_[way] : families_.state(way); }
  const WayState& state(WayId way) const { return way < kFirstMember ? ways_[way] : families_.state(way); }
  // A member is no better than its family is as a whole.
  Health health(WayId way) const;
  bool up(WayId way) const { return health(way) == Health::kUp; }
  bool on_trial_already(WayId way) const;
  bool takes(WayId way) const;
  void give_settings(WayId way, const WayLimits& limits);
  WayId resolve(const ClassTable::Class& cls, std::uint8_t rank) const;
  void resolve_lanes();
  bool may_try(const Lane& lane, WayId way) const;
  std::uint32_t lane_to_try(WayId way) const;
  unsigned wanted(WayId way) const;
  void call(WayId way, unsigned loop, unsigned most = 1);
  void call_all(unsigned loop);
  void touch(WayId way);
  void call_touched(unsigned loop);
  void begin_trials();
  bool begin_trial(WayState& way);
  void touch_trials(const Lane& lane);
  WayStatus status_of(WayId way) const;

  // --- families (schedule_families.cc)
  static constexpr std::int64_t kOwnTrouble = 60 * 60 * 1000;  // a pause from this on is one member's own matter
  WayFamily* family_of(WayId way) { return is_member(way) ? families_.family(families_.state(way).family) : nullptr; }
  bool may_open(WayId way) const;
  bool take_member_slot(WayId way, bool wants);
  void call_in_line(WayId family, unsigned most);
  void wake_sleeper_of(WayFamily& family, WayId but);
  void call_members(WayId family, bool all);
  void call_family_trial(WayId family);
  void forgive_members(WayId family, std::int64_t shorter_than = kOwnTrouble);
  WayId member_to_try(const Lane& lane, WayId family) const;

  ScheduleSettings settings_;
  unsigned loops_;
  std::int64_t now_ = 0;
  WallTime wall_{};
  WakeList* wakes_ = nullptr;
  Arrivals arrivals_;
  Duration jump_{};
  QueueId newest_;  // that was added

  EntryArena entries_;
  FlatIndex messages_;  // queue id -> one of its entries
  TimerHeap timers_;
  Families families_;
  ClassTable classes_;
  ReadySet ready_;
  std::vector<WayState> ways_;
  Accounts accounts_;
  bool has_limits_ = false;  // of some way's account
  struct Touched {
    WayId way;
    unsigned times;
  };
  std::vector<Touched> touched_;           // by the operation under way: what became ready, to be called for at its end
  std::uint32_t overdue_at_ = 0;           // where the search goes on
  std::uint32_t try_at_ = 0;               // and the one for who tries a family
  unsigned next_loop_ = 0;                 // wakes without a preferred loop go round
  std::array<std::uint64_t, 4> counts_{};  // entries by EntryState
};

// fn(place) for each entry of the message; fn may change the entry's state, not erase it.
template <typename Fn>
void Schedule::for_each_sibling(std::uint32_t first, Fn fn) {
  if (first == kNone) return;
  for (std::uint32_t at = first;;) {
    const std::uint32_t next = entries_[at].sibling;
    fn(at);
    if (next == first) return;
    at = next;
  }
}

}  // namespace sidegate::queue
