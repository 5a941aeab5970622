#include "queue/matches.h"

#include "base/text.h"

namespace sidegate::queue {

bool address_matches(std::string_view address, std::string_view wanted) {
  if (wanted.empty()) return true;
  if (wanted == "<>") return address.empty();
  const std::string low = lower(address), low_wanted = lower(wanted);
  return wanted.starts_with('@') ? low.ends_with(low_wanted) : low.find(low_wanted) != std::string::npos;
}

bool matches(const Filter& filter, const Message& message) {
  if (!address_matches(message.envelope.reverse_path, filter.from)) return false;
  if (filter.to.empty()) return true;
  return std::ranges::any_of(message.envelope.recipients,
                             [&](const auto& r) { return address_matches(r.address, filter.to); });
}

}  // namespace sidegate::queue
