// How much of the submit socket one Unix user may take: connections at a time, and messages a minute (the drop
// directory counts too). One table for all loops; a mutex is held for one look-up.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/clock.h"

namespace sidegate::intake {

struct UserLimitSettings {  // 0: no limit
  std::uint32_t connections = 100;
  std::uint32_t messages_per_minute = 0;
};

class UserLimits {  // thread-safe
 public:
  // A connection that counts; gives its place back when it goes.
  class Place {
   public:
    Place() = default;
    Place(UserLimits* table, unsigned uid) : table_(table), uid_(uid) {}
    Place(Place&& other) noexcept { *this = std::move(other); }
    Place& operator=(Place&& other) noexcept {
      std::swap(table_, other.table_);
      std::swap(uid_, other.uid_);
      return *this;
    }
    ~Place() {
      if (table_) table_->leave(uid_);
    }

   private:
    UserLimits* table_ = nullptr;
    unsigned uid_ = 0;
  };

  void set(UserLimitSettings settings);
  bool enter(unsigned uid, Place* place);  // false: too many connections
  // Whether one more message may come now; it counts where it was taken.
  bool may_send(unsigned uid, SteadyTime now);
  void sent(unsigned uid, SteadyTime now);

 private:
  // Messages of the last minute, spread evenly: what was sent flows off at the allowed rate.
  struct Flow {
    double level = 0;
    SteadyTime at{};
  };
  void leave(unsigned uid);
  Flow flowed(unsigned uid, SteadyTime now) const;

  mutable std::mutex mutex_;
  UserLimitSettings settings_;
  std::unordered_map<unsigned, std::uint32_t> connections_;  // no user with 0
  std::unordered_map<unsigned, Flow> flows_;
};

}  // namespace sidegate::intake
