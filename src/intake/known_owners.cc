#include "intake/known_owners.h"

namespace sidegate::intake {

std::optional<bool> KnownOwners::find(const std::string& user, const std::string& address) const {
  std::lock_guard lock(mutex_);
  auto at = entries_.find(key(user, address));
  if (at == entries_.end() || clock_.steady() - at->second.at >= kGood) return std::nullopt;
  return at->second.owns;
}

void KnownOwners::learn(const std::string& user, const std::string& address, bool owns) {
  std::lock_guard lock(mutex_);
  if (entries_.size() >= most_) entries_.clear();
  entries_[key(user, address)] = {owns, clock_.steady()};
}

}  // namespace sidegate::intake
