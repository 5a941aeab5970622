// What was answered: for as long as it is fresh, and for as long as it is better than nothing.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"

namespace sidegate::dns {

// A relay that moves is followed, whatever its TTL says.
inline constexpr auto kLongestFresh = std::chrono::minutes(30);

class AddressCache {
 public:
  explicit AddressCache(Duration keep_last_good, std::size_t limit = 4096) : keep_(keep_last_good), limit_(limit) {}

  struct Entry {
    std::vector<std::string> list;
    bool stale = false;
    SteadyTime fresh_until, good_until;
  };

  const Entry* fresh(const std::string& name, SteadyTime now) const;  // nullptr: ask
  // After a temporary failure: the last good answer, which then counts as fresh for a moment, so that mail for a name
  // nobody answers for does not wait for the time-out once a message. nullptr: none, or too old.
  const Entry* last_good(const std::string& name, SteadyTime now);
  void put(const std::string& name, std::vector<std::string> list, Duration fresh_for, SteadyTime now);
  void remove(const std::string& name) { entries_.erase(name); }  // NXDOMAIN
  std::size_t size() const { return entries_.size(); }

 private:
  void make_room(SteadyTime now);

  Duration keep_;
  std::size_t limit_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace sidegate::dns
