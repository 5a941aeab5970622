#include "base/queue_id.h"

#include <algorithm>

namespace sidegate {

namespace {

constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";  // Crockford: no I, L, O, U
constexpr std::size_t kLength = 13;                                       // 65 bits, the first of them 0
constexpr unsigned kTimeShift = 22, kNodeShift = 16;
constexpr std::uint64_t kCounterMask = 0xffff;

int digit_value(char c) {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  std::size_t at = kDigits.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

// The smallest id of this node that is above `last` and not before `now` (milliseconds).
std::uint64_t id_above(std::uint64_t last, std::uint64_t now, unsigned node) {
  std::uint64_t node_bits = std::uint64_t{node} << kNodeShift;
  std::uint64_t fresh = (now << kTimeShift) | node_bits;
  if (fresh > last) return fresh;
  std::uint64_t last_time = last >> kTimeShift;
  bool same_node = (last & ~(~std::uint64_t{0} << kTimeShift)) >> kNodeShift == node;
  if (same_node && (last & kCounterMask) != kCounterMask) return last + 1;
  std::uint64_t same_time = (last_time << kTimeShift) | node_bits;
  // The counter of this millisecond is used up, or the clock went back: borrow the next millisecond.
  return same_time > last ? same_time : ((last_time + 1) << kTimeShift) | node_bits;
}

}  // namespace

std::string QueueId::text() const {
  std::string out(kLength, '0');
  std::uint64_t rest = value;
  for (std::size_t i = kLength; i-- > 0; rest >>= 5) out[i] = kDigits[rest & 31];
  return out;
}

std::optional<QueueId> QueueId::parse(std::string_view text) {
  if (text.size() != kLength) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kLength; ++i) {
    int digit = digit_value(text[i]);
    if (digit < 0 || (i == 0 && digit > 15)) return std::nullopt;
    value = (value << 5) | static_cast<std::uint64_t>(digit);
  }
  if (value == 0) return std::nullopt;
  return QueueId{value};
}

void QueueIdSource::after(QueueId id) {
  std::uint64_t last = last_.load(std::memory_order_relaxed);
  while (last < id.value && !last_.compare_exchange_weak(last, id.value, std::memory_order_relaxed)) {
  }
}

QueueId QueueIdSource::next() {
  auto now = static_cast<std::uint64_t>(std::max<std::int64_t>(clock_.wall().time_since_epoch().count(), 1));
  std::uint64_t last = last_.load(std::memory_order_relaxed);
  for (;;) {
    std::uint64_t id = id_above(last, now, node_);
    if (last_.compare_exchange_weak(last, id, std::memory_order_relaxed)) return QueueId{id};
  }
}

}  // namespace sidegate
