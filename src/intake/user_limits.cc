#include "intake/user_limits.h"

#include <algorithm>

namespace sidegate::intake {
namespace {

constexpr std::size_t kManyUsers = 1000;

double minutes(SteadyTime from, SteadyTime to) {
  return std::chrono::duration<double, std::ratio<60>>(to - from).count();
}

}  // namespace

void UserLimits::set(UserLimitSettings settings) {
  std::lock_guard lock(mutex_);
  settings_ = settings;
}

bool UserLimits::enter(unsigned uid, Place* place) {
  {
    std::lock_guard lock(mutex_);
    std::uint32_t& count = connections_[uid];
    if (settings_.connections != 0 && count >= settings_.connections) return false;
    ++count;
  }
  *place = Place(this, uid);
  return true;
}

void UserLimits::leave(unsigned uid) {
  std::lock_guard lock(mutex_);
  auto at = connections_.find(uid);
  if (at != connections_.end() && --at->second == 0) connections_.erase(at);
}

UserLimits::Flow UserLimits::flowed(unsigned uid, SteadyTime now) const {
  auto at = flows_.find(uid);
  if (at == flows_.end()) return {0, now};
  const double off = minutes(at->second.at, now) * settings_.messages_per_minute;
  return {std::max(0.0, at->second.level - off), now};
}

bool UserLimits::may_send(unsigned uid, SteadyTime now) {
  std::lock_guard lock(mutex_);
  return settings_.messages_per_minute == 0 || flowed(uid, now).level + 1 <= settings_.messages_per_minute;
}

void UserLimits::sent(unsigned uid, SteadyTime now) {
  std::lock_guard lock(mutex_);
  if (settings_.messages_per_minute == 0) return flows_.clear();
  if (flows_.size() > kManyUsers)
    std::erase_if(flows_, [&](const auto& one) { return flowed(one.first, now).level == 0; });
  Flow flow = flowed(uid, now);
  flow.level += 1;
  flows_[uid] = flow;
}

}  // namespace sidegate::intake
