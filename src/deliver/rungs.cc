#include "deliver/rungs.h"

#include <algorithm>

namespace sidegate::deliver {
namespace {

constexpr Duration kFirstLook = 10min, kLaterLooks = 1h;

}  // namespace

std::vector<Candidate> Rungs::in_order(std::vector<Candidate> all, SteadyTime now) {
  std::lock_guard lock(mutex_);
  if (good_.empty() || all.size() < 2) return all;
  auto at = std::ranges::find(all, good_, &Candidate::text);
  if (at == all.end() || at == all.begin()) return all;
  if (now >= look_at_) {
    look_at_ = now + kLaterLooks;
    return all;
  }
  std::rotate(all.begin(), at, at + 1);
  return all;
}

bool Rungs::worked(const Candidate& candidate, const Candidate& top, SteadyTime now) {
  std::lock_guard lock(mutex_);
  std::string text = candidate.text();
  const bool was_first = good_.empty();
  is_top_ = text == top.text();
  if (text == good_) return false;
  good_ = std::move(text);
  look_at_ = now + kFirstLook;
  return !was_first || !is_top_;
}

std::string Rungs::current() const {
  std::lock_guard lock(mutex_);
  return is_top_ ? std::string() : good_;
}

}  // namespace sidegate::deliver
