// What is usual for a key: the average of the hours in which it did anything, learnt slowly, and what a person has let
// pass. Idle hours say nothing: who writes twice a week is not compared with silence.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/octets.h"

namespace sidegate::quota {

class Usual {
 public:
  void add(std::uint64_t n, SteadyTime now);
  double per_hour(SteadyTime now) const;
  // More than this within an hour is far over it: `factor` times the usual, but never less than `floor`, nor than twice
  // what was let pass.
  double far_over(std::uint32_t factor, std::uint64_t floor, SteadyTime now) const;

  // A person says that it is fine: for two hours nothing is far over, and the most that comes in one of them was let
  // pass from then on.
  void let_pass(std::uint64_t in_this_hour, SteadyTime now);
  bool lets_pass(SteadyTime now) const { return now < passes_until_; }

  void encode(OctetWriter& out, SteadyTime now) const;
  static Usual decode(OctetReader& in, SteadyTime now, std::chrono::nanoseconds away);

 private:
  void end_hour(SteadyTime now);

  SteadyTime hour_began_{}, passes_until_{};
  std::uint64_t in_hour_ = 0;
  std::uint64_t thousandths_ = 0;  // of the average
  std::uint64_t hours_ = 0;        // that it is the average of; up to kWeight
  std::uint64_t let_pass_ = 0;
};

}  // namespace sidegate::quota
