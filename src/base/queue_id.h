// The queue id: names one message in the queue, in replies, log lines, files and commands.
//
// 64 bits: 42 of milliseconds since 1970, 6 of node, 16 of counter. Ids of one process only grow (also when the clock
// jumps back), so that keys in the store are in order of arrival. Written as 13 characters of Crockford base 32 without
// I, L, O and U, upper case; read in either case.
#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace sidegate {

struct QueueId {
  std::uint64_t value = 0;  // 0 is no message
  auto operator<=>(const QueueId&) const = default;
  explicit operator bool() const { return value != 0; }
  std::string text() const;
  WallTime time() const { return WallTime(Duration(value >> 22)); }
  static std::optional<QueueId> parse(std::string_view text);
};

class QueueIdSource {  // thread-safe
 public:
  explicit QueueIdSource(Clock& clock, unsigned node = 0) : clock_(clock), node_(node & 63) {}
  // Never returns an id at or below this one; start-up gives it the highest id in the store.
  void after(QueueId id);
  QueueId next();

 private:
  Clock& clock_;
  unsigned node_;
  std::atomic<std::uint64_t> last_{0};
};

}  // namespace sidegate

template <>
struct std::hash<sidegate::QueueId> {
  std::size_t operator()(sidegate::QueueId id) const noexcept {
    return std::hash<std::uint64_t>{}(id.value * 0x9E3779B97F4A7C15ull);
  }
};
