// Accounts: what leases take of their limits, and whose messages go elsewhere or wait meanwhile.
#include <algorithm>

#include "queue/schedule.h"

namespace sidegate::queue {

void Schedule::give_account(WayId id, const WayLimits& limits) {
  WayState& way = ways_[id];
  way.account = limits.account.empty() ? kNone : accounts_.place(limits.account);
  way.limits = limits.limits;
  std::erase_if(way.limits, [](const quota::Limit& limit) { return limit.most == 0; });
  way.next_when_full = limits.next_when_full;
  way.full = false;
  if (way.account == kNone) {
    way.limits.clear();
    return;
  }
  accounts_[way.account].ways.push_back(id);
  accounts_[way.account].counts |= !way.limits.empty();
}

Room Schedule::room_of(const WayState& way) const {
  if (way.limits.empty()) return {};
  return room_in(accounts_[way.account].row.counters, way.limits, steady_time());
}

// Slots are the account's too: what one of its ways has open counts for the others.
unsigned Schedule::free_slots(const WayState& way) const {
  unsigned taken = way.connections.slots();
  if (way.account != kNone && accounts_[way.account].ways.size() > 1) {
    taken = 0;
    for (WayId id : accounts_[way.account].ways) taken += ways_[id].connections.slots();
  }
  return way.connections.limit > taken ? way.connections.limit - taken : 0;
}

void Schedule::charge(const WayState& way, Lease& lease) {
  lease.charged = static_cast<std::uint32_t>(lease.classes.size());
  lease.charged_at = steady_time();
  Accounts::charge(accounts_[way.account], 1, lease.charged, lease.charged_at, wall_);
  if (look_at_room(way.account)) resolve_lanes();
}

// How many recipients of a lease beyond those it is charged for may go now; the others wait `room_in`.
std::uint32_t Schedule::charge_more(const Lease& lease, std::uint32_t recipients, Duration* room_in) {
  *room_in = Duration(0);
  if (lease.charged == 0 || !known(lease.way) || !is_counted(state(lease.way))) return recipients;
  WayState& way = state(lease.way);
  const std::uint64_t room = room_of(way).recipients;
  const auto granted = static_cast<std::uint32_t>(std::min<std::uint64_t>(recipients, room));
  Accounts::charge(accounts_[way.account], 0, granted, lease.charged_at, wall_);
  if (granted < recipients) *room_in = std::chrono::ceil<Duration>(room_of(way).until);
  if (look_at_room(way.account)) resolve_lanes();
  call_touched(kAnyLoop);
  return granted;
}

void Schedule::settle_charge(const Lease& lease, std::span<const ClassResult> results) {
  const std::uint32_t at = state(lease.way).account;
  if (at == kNone) return;
  using Next = ClassResult::Next;
  std::uint64_t taken = 0;
  bool sent = false;
  for (const ClassResult& result : results) {
    taken += result.taken;
    sent |= result.taken > 0 || (result.next != Next::kSameWay && result.counts);
  }
  if (taken >= lease.charged) return;
  Accounts::give_back(accounts_[at], lease.charged, taken, sent, lease.charged_at);
  if (look_at_room(at)) resolve_lanes();
}

// Which of the account's ways have room. True: that has changed, so lanes may have to move.
bool Schedule::look_at_room(std::uint32_t at) {
  bool changed = false;
  for (WayId id : accounts_[at].ways) {
    WayState& way = ways_[id];
    const bool full = !way.limits.empty() && room_of(way).none();
    if (std::exchange(way.full, full) == full) continue;
    changed |= way.next_when_full;
    if (!full) touch(id);
  }
  return changed;
}

void Schedule::look_at_rooms() {
  bool changed = false;
  for (std::uint32_t at = 0; at < accounts_.size(); ++at) changed |= accounts_[at].counts && look_at_room(at);
  if (changed) resolve_lanes();
  touched_.clear();  // who has work is called by the tick
}

void Schedule::account_down(WayId id, Duration for_how_long, std::string reason, std::optional<Duration> spent) {
  if (!known(id)) return;
  std::vector<WayId> ways{id};
  if (state(id).account != kNone) ways = accounts_[state(id).account].ways;
  for (WayId way : ways) {
    way_down(way, for_how_long, reason, spent);
  }
}

void Schedule::restore_ledger(std::string_view key, std::string_view note) {
  accounts_.restore(key, note, steady_time(), wall_);
  look_at_rooms();
}

std::vector<std::pair<std::string, std::string>> Schedule::take_ledger() {
  return accounts_.take_changed(steady_time(), wall_);
}

}  // namespace sidegate::queue
