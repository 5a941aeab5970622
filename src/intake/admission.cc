#include "intake/admission.h"

namespace sidegate::intake {

Admission::Verdict Admission::enter(const std::string& address, bool trusted, Place* place) {
  auto octets = parse_address(address);
  bool counted = octets && !trusted;
  AddressOctets key = counted ? net::host_key(*octets) : AddressOctets{};
  {
    std::lock_guard lock(mutex_);
    std::uint32_t most = trusted ? limits_.in_all : limits_.in_all - limits_.in_all / 10;
    if (limits_.in_all != 0 && in_all_ >= most) return Verdict::kTooManyInAll;
    if (counted) {
      auto [at, first] = by_address_.try_emplace(key, 0);
      // At least one place an address where there is a limit at all, so a fresh row never stays at 0.
      if (limits_.per_address != 0 && at->second >= limits_.per_address) return Verdict::kTooManyFromAddress;
      ++at->second;
    }
    ++in_all_;
  }
  *place = Place(this, counted, key);
  return Verdict::kWelcome;
}

void Admission::leave(bool counted, const AddressOctets& key) {
  std::lock_guard lock(mutex_);
  --in_all_;
  if (!counted) return;
  auto at = by_address_.find(key);
  if (at != by_address_.end() && --at->second == 0) by_address_.erase(at);
}

void Admission::set_limits(AdmissionLimits limits) {
  std::lock_guard lock(mutex_);
  limits_ = limits;
}

std::uint32_t Admission::connections() const {
  std::lock_guard lock(mutex_);
  return in_all_;
}

}  // namespace sidegate::intake
