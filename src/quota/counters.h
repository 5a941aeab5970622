// All windows of one key: what is counted (messages, recipients, octets) over which spans, and the limits on them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "quota/window.h"

namespace sidegate::quota {

enum class Measure : std::uint8_t { kMessages, kRecipients, kOctets };
inline constexpr unsigned kMeasures = 3;

struct Kind {
  Measure measure = Measure::kMessages;
  Span span = Span::kMinute;
  bool operator==(const Kind&) const = default;
};

struct Limit {
  Kind kind;
  std::uint64_t most = 0;  // 0: no limit
  bool operator==(const Limit&) const = default;
};

struct Over {  // a limit that would be exceeded
  Limit limit;
  std::chrono::nanoseconds room_in{0};  // when what was asked for would fit
  bool never = false;                   // it is more than the limit by itself
};

class Counters {
 public:
  // plan: the kinds that are counted; it outlives the counters.
  explicit Counters(std::span<const Kind> plan);

  void add(Measure measure, std::uint64_t n, SteadyTime now);
  void take_back(Measure measure, std::uint64_t n, SteadyTime when);
  void take_back(Kind kind, std::uint64_t n, SteadyTime when);  // of one window alone
  std::uint64_t count(Kind kind, SteadyTime now) const;         // 0 for what is not in the plan
  // The limit on `measure` that n more would exceed; of several the one that lasts longest.
  std::optional<Over> over(std::span<const Limit> limits, Measure measure, std::uint64_t n, SteadyTime now) const;
  bool empty(SteadyTime now) const;

  // Each window with its kind before it, so that a plan may change between versions: what is not in it is dropped.
  void encode(OctetWriter& out, SteadyTime now) const;
  // False: the octets are none of ours.
  bool decode(OctetReader& in, SteadyTime now, std::chrono::nanoseconds away);

 private:
  std::span<const Kind> plan_;
  std::vector<Window> windows_;  // as plan_
};

}  // namespace sidegate::quota
