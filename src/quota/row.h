// All that is known of one key, and how it lies on disk (doc/queue.md, "Notes"). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "quota/counters.h"
#include "quota/usual.h"

namespace sidegate::quota {

struct Stop {  // nothing more until a person says so
  WallTime since{};
  bool by_itself = false;  // by the server, not by a person
  bool told = false;       // the postmaster knows
  std::string reason;      // a sentence, without its dot
  std::uint64_t sent = 0;  // by itself: the recipients within an hour that were too many
};

struct Row {
  explicit Row(std::span<const Kind> plan) : counters(plan) {}

  Counters counters;
  Usual usual;
  std::optional<Stop> stop;
  WallTime last_used{};
  bool program = false;  // a user of this machine, who sends without logging in
};

std::string encode(const Row& row, SteadyTime now, WallTime wall);
// now, wall: when it is read. A wall clock that stands before the time of writing: as if no time had passed.
Result<Row> decode(std::string_view text, std::span<const Kind> plan, SteadyTime now, WallTime wall);

}  // namespace sidegate::quota
