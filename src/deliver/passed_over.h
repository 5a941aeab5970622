// Hosts of one destination that have put mail off or refused us: another one on its list is asked before them, the next
// time (RFC 5321 section 5.1). Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"

namespace sidegate::deliver {

class PassedOver {
 public:
  void add(const std::string& host, SteadyTime until) {
    std::lock_guard lock(mutex_);
    if (hosts_.size() >= kMost) hosts_.clear();
    hosts_[host] = until;
  }
  bool has(const std::string& host, SteadyTime now) const {
    std::lock_guard lock(mutex_);
    const auto known = hosts_.find(host);
    return known != hosts_.end() && now < known->second;
  }

 private:
  static constexpr std::size_t kMost = 20;  // a list that changes each time fills no memory
  mutable std::mutex mutex_;
  std::map<std::string, SteadyTime> hosts_;
};

}  // namespace sidegate::deliver
