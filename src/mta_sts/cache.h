// The policies that have been fetched, by domain, each for as long as it says (RFC 8461 section 3.3). Bounded: who has
// not been written to for the longest time goes first. No waiting, no clock and no lock of its own.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mta_sts/policy.h"

namespace sidegate::mta_sts {

// What says max_age 0 holds for the mail in hand all the same.
inline constexpr auto kLeastLife = std::chrono::minutes(1);

struct Entry {
  std::shared_ptr<const Policy> policy;
  std::string id;      // of the record when it was fetched
  WallTime fetched{};  // the last time that it was there
  WallTime used{};     // the last time that mail asked for it

  WallTime expires() const { return fetched + std::max<Duration>(policy->max_age, kLeastLife); }
  // RFC 8461 section 10.2: looked for again long before it expires, so that who can keep us from it must do so for
  // long.
  WallTime refresh_at() const;
};

class Cache {
 public:
  explicit Cache(std::size_t most_entries = 20'000, std::size_t most_octets = 16 << 20)
      : most_entries_(most_entries), most_octets_(most_octets) {}

  const Entry* find(const std::string& domain, WallTime now) const;  // nullptr: none, or it has expired
  void put(const std::string& domain, Entry entry);
  void touch(const std::string& domain, WallTime now);  // somebody uses it; noted once a day
  void drop(const std::string& domain);
  void drop_expired(WallTime now);
  // Those that are due to be fetched again and that somebody has used lately; at most n.
  std::vector<std::string> due(WallTime now, std::size_t n) const;

  // What has changed since the last call: rows to write, empty ones to remove.
  std::vector<std::pair<std::string, std::string>> take_changes();
  // A row as it was written. False: it cannot be read, or says what cannot be; it is not taken.
  bool restore(const std::string& domain, std::string_view row, WallTime now);
  std::size_t size() const { return entries_.size(); }
  std::size_t octets() const { return octets_; }

 private:
  void make_room();
  static std::size_t octets_of(const std::string& domain, const Entry& entry);

  const std::size_t most_entries_, most_octets_;
  std::map<std::string, Entry> entries_;
  std::size_t octets_ = 0;
  std::map<std::string, bool> changed_;
};

std::string encode(const Entry& entry);
std::optional<Entry> decode(std::string_view row);

}  // namespace sidegate::mta_sts
