#include "dns/address_cache.h"

#include <algorithm>

namespace sidegate::dns {

namespace {
constexpr auto kStaleMoment = std::chrono::seconds(15);
}

const AddressCache::Entry* AddressCache::fresh(const std::string& name, SteadyTime now) const {
  auto at = entries_.find(name);
  return at != entries_.end() && now < at->second.fresh_until ? &at->second : nullptr;
}

const AddressCache::Entry* AddressCache::last_good(const std::string& name, SteadyTime now) {
  auto at = entries_.find(name);
  if (at == entries_.end() || now >= at->second.good_until) return nullptr;
  at->second.stale = true;
  at->second.fresh_until = std::min<SteadyTime>(now + kStaleMoment, at->second.good_until);
  return &at->second;
}

void AddressCache::put(const std::string& name, std::vector<std::string> list, Duration fresh_for, SteadyTime now) {
  if (entries_.size() >= limit_ && !entries_.contains(name)) make_room(now);
  entries_[name] = Entry{std::move(list), false, now + fresh_for, now + std::max(keep_, fresh_for)};
}

// What is no longer good first, then whatever comes, an eighth of all: a table of names, not a store.
void AddressCache::make_room(SteadyTime now) {
  std::erase_if(entries_, [now](const auto& item) { return now >= item.second.good_until; });
  std::size_t keep = limit_ - limit_ / 8 - 1;
  while (entries_.size() > keep) entries_.erase(entries_.begin());
}

}  // namespace sidegate::dns
