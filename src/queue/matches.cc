#include "queue/matches.h"

#include "base/text.h"

namespace sidegate::queue {
namespace {

bool address_matches(std::string_view wanted, std::string_view address) {
  if (wanted.empty()) return true;
  std::string low_wanted = lower(wanted), low = lower(address);
  return wanted.starts_with('@') ? low.ends_with(low_wanted) : low.find(low_wanted) != std::string::npos;
}

}  // namespace

bool matches(const Filter& filter, const Message& message) {
  if (!address_matches(filter.from, message.envelope.reverse_path)) return false;
  if (filter.to.empty()) return true;
  return std::ranges::any_of(message.envelope.recipients,
                             [&](const auto& r) { return address_matches(filter.to, r.address); });
}

}  // namespace sidegate::queue
