#include "deliver/members.h"

#include <chrono>

#include "deliver/way.h"
#include "queue/families.h"

namespace sidegate::deliver {

constexpr auto kLookedFor = std::chrono::hours(1);

std::shared_ptr<Way> Members::find_locked(queue::WayId id, SteadyTime now) {
  if (young_.size() >= kMost || now - begun_ >= kLookedFor) {
    old_ = std::exchange(young_, {});
    begun_ = now;
  }
  if (auto at = young_.find(id); at != young_.end()) return at->second;
  auto at = old_.find(id);
  if (at == old_.end()) return nullptr;
  auto way = std::move(at->second);
  old_.erase(at);
  young_.emplace(id, way);
  return way;
}

std::shared_ptr<Way> Members::find(queue::WayId id, SteadyTime now) {
  std::lock_guard lock(mutex_);
  return find_locked(id, now);
}

std::shared_ptr<Way> Members::get(queue::WayId id, const queue::MemberName& who, const std::shared_ptr<Way>& family,
                                  SteadyTime now) {
  std::lock_guard lock(mutex_);
  auto way = find_locked(id, now);
  if (way && way->member == who.domain) return way;
  way = std::make_shared<Way>();
  way->id = id;
  way->family = family;
  way->member = way->domain = who.domain;
  way->demand = queue::demand_of(way->domain);
  way->direct = family->direct;
  way->settings = family->settings;
  way->settings.host = way->domain;
  way->tls = family->tls;
  way->tls_error = family->tls_error;
  way->health.set_first_pause(way->settings.retry_after);
  young_[id] = way;
  return way;
}

std::size_t Members::size() const {
  std::lock_guard lock(mutex_);
  return young_.size() + old_.size();
}

}  // namespace sidegate::deliver
