// How many connections there are, in all and from each address: the one table that all listeners and loops share. A
// mutex is held for one look-up, never across a wait.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "intake/networks.h"

namespace sidegate::intake {

struct AdmissionLimits {  // 0: no limit
  std::uint32_t in_all = 20'000;
  std::uint32_t per_address = 50;  // an IPv6 client is its /64
};

class Admission {  // thread-safe
 public:
  enum class Verdict : std::uint8_t { kWelcome, kTooManyFromAddress, kTooManyInAll };

  // A connection that counts; gives its place back when it goes.
  class Place {
   public:
    Place() = default;
    Place(Admission* table, bool counted, const AddressOctets& key) : table_(table), counted_(counted), key_(key) {}
    Place(Place&& other) noexcept { *this = std::move(other); }
    Place& operator=(Place&& other) noexcept {
      std::swap(table_, other.table_);
      std::swap(counted_, other.counted_);
      std::swap(key_, other.key_);
      return *this;
    }
    ~Place() {
      if (table_) table_->leave(counted_, key_);
    }

   private:
    Admission* table_ = nullptr;
    bool counted_ = false;  // by its address too
    AddressOctets key_{};
  };

  // trusted: who may relay without logging in. They are not counted by address, and the last tenth of the places is
  // theirs: the world cannot lock our own programs out.
  Verdict enter(const std::string& address, bool trusted, Place* place);
  void set_limits(AdmissionLimits limits);
  std::uint32_t connections() const;

 private:
  void leave(bool counted, const AddressOctets& key);

  mutable std::mutex mutex_;
  AdmissionLimits limits_;
  std::uint32_t in_all_ = 0;
  std::map<AddressOctets, std::uint32_t> by_address_;  // no address with 0
};

}  // namespace sidegate::intake
