// How slowly a message's content may come. A bound on silence alone (RFC 5321 section 4.5.3.2.5) lets a client that
// sends an octet a minute hold its place for years; here the time that octets have taken is earned back by their
// number. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace sidegate::smtp {

class ContentPace {
 public:
  // silence: the longest wait for the next octets, and what is there to begin with. least: octets a second; 0: silence
  // alone is bounded.
  ContentPace(Duration silence, std::uint64_t least) : silence_(silence), left_(silence), least_(least) {}

  Duration left() const { return std::chrono::ceil<Duration>(left_); }
  // It has been slower than allowed: when the time is up, this is why.
  bool slow() const { return left_ < silence_; }
  // So many octets came after so long a wait. Time that we ourselves took is not the client's.
  void came(std::uint64_t octets, std::chrono::nanoseconds waited) {
    if (least_ == 0) return;
    constexpr std::uint64_t kSecond = 1'000'000'000;
    const std::chrono::nanoseconds earned(octets * kSecond / least_);
    left_ = std::min(std::max(left_ - waited, std::chrono::nanoseconds(0)) + earned, silence_);
  }

 private:
  std::chrono::nanoseconds silence_, left_;
  std::uint64_t least_;
};

}  // namespace sidegate::smtp
