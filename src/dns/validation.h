// Whether DNSSEC can be validated on this line: what was found, and how long that stands. A line that has just
// validated and now does not is in trouble, and its answers are waited for; one that has not for an hour cannot (a
// router's forwarder without DNSSEC), and what rests on it is done without. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.h"

namespace sidegate::dns {

enum class Validates : std::uint8_t { kYes, kNo, kNotNow };

class Validation {
 public:
  static constexpr Duration kGoodFor = std::chrono::minutes(10), kBadFor = std::chrono::minutes(2),
                            kRemembered = std::chrono::hours(1);

  // changes: of the name servers, as LookupThread counts them.
  bool is_fresh(SteadyTime now, unsigned changes) const { return asked_ && changes == changes_ && now < until_; }
  void found(bool good, std::string why, SteadyTime now, unsigned changes) {
    if (changes != changes_) good_until_ = SteadyTime::min();
    changes_ = changes;
    asked_ = true;
    good_ = good;
    why_ = good ? std::string() : std::move(why);
    until_ = now + (good ? kGoodFor : kBadFor);
    if (good) good_until_ = now + kRemembered;
  }
  Validates state(SteadyTime now) const {
    return good_ ? Validates::kYes : now < good_until_ ? Validates::kNotNow : Validates::kNo;
  }
  bool asked() const { return asked_; }
  const std::string& why() const { return why_; }

 private:
  bool asked_ = false, good_ = false;
  unsigned changes_ = 0;
  std::string why_;
  SteadyTime until_{}, good_until_ = SteadyTime::min();
};

}  // namespace sidegate::dns
