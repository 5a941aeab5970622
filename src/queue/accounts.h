// The accounts that ways belong to, and what each has used lately of its limits: the ledger. Two ways with the same
// host and user share one. A part of the schedule, so under its mutex; it outlives restarts as notes in the store
// (queue/ledger.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "queue/lease.h"
#include "quota/row.h"

namespace sidegate::queue {

std::span<const quota::Kind> account_plan();  // what is counted of an account

struct Account {
  Account(std::string name, quota::Row r) : key(std::move(name)), row(std::move(r)) {}

  std::string key;
  quota::Row row;
  std::vector<WayId> ways;  // those there are now
  bool counts = false;      // one of them has limits
  bool changed = false;     // since it was written
};

// What a way's limits leave of its account.
struct Room {
  std::uint64_t messages = ~std::uint64_t{0}, recipients = ~std::uint64_t{0};
  std::chrono::nanoseconds until{0};  // when there is room for one again; 0: there is
  bool none() const { return messages == 0 || recipients == 0; }
};
Room room_in(const quota::Counters& counters, std::span<const quota::Limit> limits, SteadyTime now);

class Accounts {
 public:
  // The place of the account of that name; new ones begin empty.
  std::uint32_t place(const std::string& key);
  void clear_ways();
  Account& operator[](std::uint32_t at) { return all_[at]; }
  const Account& operator[](std::uint32_t at) const { return all_[at]; }
  std::size_t size() const { return all_.size(); }

  void restore(std::string_view key, std::string_view note, SteadyTime now, WallTime wall);
  // Notes of what has changed since this was asked last: key and text.
  std::vector<std::pair<std::string, std::string>> take_changed(SteadyTime now, WallTime wall);

  // What a lease takes, and what it gives back when nothing came of it.
  static void charge(Account& account, std::uint64_t messages, std::uint64_t recipients, SteadyTime now, WallTime wall);
  // sent: something was said to the peer, so the pace of seconds and minutes stays counted. taken: recipients that the
  // peer took.
  static void give_back(Account& account, std::uint64_t recipients, std::uint64_t taken, bool sent, SteadyTime when);

 private:
  std::vector<Account> all_;
};

}  // namespace sidegate::queue
