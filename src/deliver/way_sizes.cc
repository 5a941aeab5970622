// How large a message may be for the ways that are there: what relays say with SIZE (RFC 1870).
#include <algorithm>
#include <optional>
#include <span>

#include "deliver/way.h"

namespace sidegate::deliver {
namespace {

// The largest of what the ways take. 0: one of them takes any, or is not known; nullopt: there are none.
std::optional<std::uint64_t> most_of(const Ways& ways, std::span<const queue::WayId> ids) {
  std::optional<std::uint64_t> most;
  for (queue::WayId id : ids) {
    const Way& way = *ways.list[id];
    if (way.settings.protocol == Protocol::kFail) continue;
    // Each destination of direct delivery has a limit of its own, and what stays here has none.
    const std::uint64_t takes = way.settings.protocol == Protocol::kSmtp ? way.most_octets.load() : 0;
    if (takes == 0) return 0;
    most = std::max(most.value_or(0), takes);
  }
  return most;
}

}  // namespace

// Local mailboxes do not count: who sends to them is told of the limit that most of his mail meets.
std::uint64_t Ways::largest() const {
  using For = route::Rule::For;
  std::uint64_t largest = 0;
  for (const route::Rule& rule : table.rules()) {
    if (rule.whom == For::kStays || rule.whom == For::kMailboxes) continue;
    const auto most = most_of(*this, rule.ways);
    if (most == 0) return 0;
    largest = std::max(largest, most.value_or(0));
  }
  return largest;
}

std::uint64_t Ways::smallest() const {
  std::uint64_t smallest = 0;
  for (const auto& way : list) {
    const std::uint64_t takes = way->retired || way->settings.protocol != Protocol::kSmtp ? 0 : way->most_octets.load();
    if (takes != 0 && (smallest == 0 || takes < smallest)) smallest = takes;
  }
  return smallest;
}

std::uint64_t Ways::most_octets(const queue::ClassKey& key) const {
  return most_of(*this, table.ways(key)).value_or(0);
}

}  // namespace sidegate::deliver
