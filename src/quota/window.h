// How much was counted within the last second, minute, hour or day: a ring of slots that the clock moves through.
//
// The window errs on the safe side: what was counted is seen for at least its length and at most one slot longer, so a
// limit on count() is never exceeded within any stretch of that length. Memory: at most slots + 1 numbers, none while
// nothing is counted. The steady clock, so that a jump of the wall clock gives nobody room and takes none.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/octets.h"

namespace sidegate::quota {

enum class Span : std::uint8_t { kSecond, kMinute, kHour, kDay };
inline constexpr unsigned kSpans = 4;
std::chrono::nanoseconds length(Span span);
unsigned slots(Span span);

class Window {
 public:
  explicit Window(Span span) : span_(span) {}

  Span span() const { return span_; }
  void add(std::uint64_t n, SteadyTime now);
  // What was counted at `when` is not; nothing happens where it is no longer seen.
  void take_back(std::uint64_t n, SteadyTime when);
  std::uint64_t count(SteadyTime now) const;
  bool empty(SteadyTime now) const { return count(now) == 0; }
  // How long until count() is at most `most`, if nothing is added meanwhile.
  std::chrono::nanoseconds until(std::uint64_t most, SteadyTime now) const;

  // Ages, not times: the row is read by a process with another steady clock. away: how long nobody counted.
  void encode(OctetWriter& out, SteadyTime now) const;
  static Window decode(OctetReader& in, Span span, SteadyTime now, std::chrono::nanoseconds away);

 private:
  std::chrono::nanoseconds slot() const { return length(span_) / slots(span_); }
  std::uint64_t passed(SteadyTime now) const;  // slots since counts_[0] began
  void move_to(SteadyTime now);

  Span span_;
  SteadyTime began_{};                 // counts_[0]
  std::vector<std::uint64_t> counts_;  // newest first
};

}  // namespace sidegate::quota
