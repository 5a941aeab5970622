#include "queue/accounts.h"

#include <algorithm>

namespace sidegate::queue {
namespace {

using quota::Measure;
using quota::Span;
using std::chrono::nanoseconds;

bool is_pace(Span span) {
  return span == Span::kSecond || span == Span::kMinute;
}

}  // namespace

std::span<const quota::Kind> account_plan() {
  static constexpr quota::Kind kPlan[] = {
      {Measure::kMessages, Span::kSecond}, {Measure::kMessages, Span::kMinute},   {Measure::kMessages, Span::kHour},
      {Measure::kMessages, Span::kDay},    {Measure::kRecipients, Span::kMinute}, {Measure::kRecipients, Span::kHour},
      {Measure::kRecipients, Span::kDay},
  };
  return kPlan;
}

Room room_in(const quota::Counters& counters, std::span<const quota::Limit> limits, SteadyTime now) {
  Room room;
  for (const quota::Limit& limit : limits) {
    if (limit.most == 0) continue;
    const std::uint64_t used = counters.count(limit.kind, now);
    const std::uint64_t left = used < limit.most ? limit.most - used : 0;
    std::uint64_t& least = limit.kind.measure == Measure::kMessages ? room.messages : room.recipients;
    least = std::min(least, left);
    if (left > 0) continue;
    const quota::Limit one[] = {limit};
    if (const auto over = counters.over(one, limit.kind.measure, 1, now))
      room.until = std::max(room.until, over->room_in);
  }
  return room;
}

std::uint32_t Accounts::place(const std::string& key) {
  const auto at = std::ranges::find(all_, key, &Account::key);
  if (at != all_.end()) return static_cast<std::uint32_t>(at - all_.begin());
  all_.emplace_back(key, quota::Row(account_plan()));
  return static_cast<std::uint32_t>(all_.size() - 1);
}

void Accounts::clear_ways() {
  for (Account& account : all_) {
    account.ways.clear();
    account.counts = false;
  }
}

void Accounts::restore(std::string_view key, std::string_view note, SteadyTime now, WallTime wall) {
  auto row = quota::decode(note, account_plan(), now, wall);
  if (row) all_[place(std::string(key))].row = std::move(*row);
}

std::vector<std::pair<std::string, std::string>> Accounts::take_changed(SteadyTime now, WallTime wall) {
  std::vector<std::pair<std::string, std::string>> notes;
  for (Account& account : all_) {
    if (!std::exchange(account.changed, false)) continue;
    notes.emplace_back(account.key, quota::encode(account.row, now, wall));
  }
  return notes;
}

void Accounts::charge(Account& account, std::uint64_t messages, std::uint64_t recipients, SteadyTime now,
                      WallTime wall) {
  account.row.counters.add(Measure::kMessages, messages, now);
  account.row.counters.add(Measure::kRecipients, recipients, now);
  account.row.last_used = wall;
  account.changed = true;
}

void Accounts::give_back(Account& account, std::uint64_t recipients, std::uint64_t taken, bool sent, SteadyTime when) {
  for (const quota::Kind& kind : account_plan()) {
    if (sent && is_pace(kind.span)) continue;
    const std::uint64_t unused =
        kind.measure == Measure::kMessages ? (taken == 0 ? 1 : 0) : recipients - std::min(recipients, taken);
    if (unused > 0) account.row.counters.take_back(kind, unused, when);
  }
  account.changed = true;
}

}  // namespace sidegate::queue
