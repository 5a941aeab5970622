#include "queue/families.h"

#include <algorithm>
#include <functional>

namespace sidegate::queue {

namespace {

constexpr std::string_view kRequired = " (REQUIRETLS)", kOptional = " (TLS-Required: No)";

}  // namespace

std::string member_name(std::string_view domain, mail::TlsDemand tls) {
  std::string name(domain);
  if (tls == mail::TlsDemand::kRequired) name += kRequired;
  if (tls == mail::TlsDemand::kOptional) name += kOptional;
  return name;
}

mail::TlsDemand demand_of(std::string& name) {
  for (auto [words, tls] :
       {std::pair(kRequired, mail::TlsDemand::kRequired), std::pair(kOptional, mail::TlsDemand::kOptional)}) {
    if (!name.ends_with(words)) continue;
    name.resize(name.size() - words.size());
    return tls;
  }
  return mail::TlsDemand::kUsual;
}

void Families::set(const std::vector<WayLimits>& ways) {
  for (auto& [id, family] : families_) family.limit = family.each = 0;  // a block that went: what is under way ends
  for (std::size_t i = 0; i < ways.size(); ++i) {
    if (ways[i].name.empty() || ways[i].each == 0) continue;
    WayFamily& family = families_[static_cast<WayId>(i)];
    family.limit = ways[i].connections;
    family.each = std::min(ways[i].each, ways[i].connections);
  }
  for (Member& one : members_) {
    if (one.id != kNoWay) one.state.connections.limit = families_[one.state.family].each;
  }
}

std::uint64_t Families::hash_of(WayId family, std::string_view domain) {
  return FlatIndex::mix(std::hash<std::string_view>{}(domain) + family);
}

WayId Families::find(WayId family, std::string_view domain) const {
  const std::uint32_t slot = by_name_.find(hash_of(family, domain), [&](std::uint32_t at) {
    return members_[at].state.family == family && members_[at].state.name == domain;
  });
  return slot == kNone ? kNoWay : members_[slot].id;
}

WayId Families::make(WayId family, std::string_view domain) {
  std::uint32_t slot = static_cast<std::uint32_t>(members_.size());
  // The slot that has been free the longest: an id that somebody remembers means nobody for as long as may be.
  if (!free_.empty()) {
    slot = free_.front();
    free_.pop_front();
  } else if (slot >= kMostMembers) {
    return kNoWay;
  } else {
    members_.emplace_back(loops_);
  }
  Member& one = members_[slot];
  const std::uint16_t generation = static_cast<std::uint16_t>((one.generation + 1) & 0x7FF);
  one = Member(loops_);
  one.generation = generation;
  one.id = kFirstMember | (static_cast<WayId>(generation) << 20) | slot;
  one.state.family = family;
  one.state.name = domain;
  one.state.connections.limit = families_[family].each;
  by_name_.insert(hash_of(family, domain), slot, hash_at());
  text_octets_ += domain.size();
  return one.id;
}

void Families::expand(Route& route, std::string_view domain) {
  if (families_.empty()) return;
  for (WayId& way : route) {
    if (!family(way)) continue;
    const WayId member = find(way, domain);
    way = member != kNoWay ? member : make(way, domain);
  }
  std::erase(route, kNoWay);
}

void Families::use(const Route& route) {
  for (WayId way : route) {
    if (is_member(way)) ++members_[slot_of(way)].routes;
  }
}

void Families::leave(const Route& route) {
  for (WayId way : route) {
    if (is_member(way)) --members_[slot_of(way)].routes;
  }
}

void Families::stir(WayId id) {
  Member& one = members_[slot_of(id)];
  if (std::exchange(one.restless, true)) return;
  restless_.push_back(id);
}

void Families::stand_in_line(WayId id) {
  Member& one = members_[slot_of(id)];
  if (!std::exchange(one.in_line, true)) families_[one.state.family].line.push_back(id);
}

WayId Families::next_in_line(WayFamily& family) {
  while (!family.line.empty()) {
    const WayId id = family.line.front();
    family.line.pop_front();
    if (!alive(id)) continue;
    members_[slot_of(id)].in_line = false;
    return id;
  }
  return kNoWay;
}

// One that is down is remembered until it would be tried again: what was learnt about it ("refuses our address", for a
// day) is worth its few hundred octets.
bool Families::is_unused(const Member& one, std::int64_t now) {
  const WayConnections& connections = one.state.connections;
  const bool remembered = !one.state.up() && one.state.again_at > now;
  return one.routes == 0 && !one.in_line && !remembered && connections.slots() == 0 && connections.active() == 0;
}

void Families::give_back(WayId id) {
  const std::uint32_t slot = slot_of(id);
  Member& one = members_[slot];
  by_name_.erase(hash_of(one.state.family, one.state.name), slot, hash_at());
  families_[one.state.family].sleepers.erase(id);
  text_octets_ -= one.state.name.size();
  const std::uint16_t generation = one.generation;
  one = Member(loops_);
  one.generation = generation;
  free_.push_back(slot);
}

std::size_t Families::memory() const {
  return members_.size() * sizeof(Member) + text_octets_ + free_.size() * sizeof(std::uint32_t) + by_name_.memory() +
         restless_.capacity() * sizeof(WayId);
}

}  // namespace sidegate::queue
