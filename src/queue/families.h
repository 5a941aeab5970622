// Ways that come and go: a family is one configured way that stands for many, one a destination (direct delivery: one a
// recipient domain). Its members are made when a class is routed to it and given back when no class is, which is an
// hour after the last use of the last one (class_table.h), and once what was learnt of them has run out. Under the
// scheduler's mutex.
//
// A member is a way like any other: slots, trial, back-off. What concerns all of them stands in the family: a limit of
// connections, and whether it is up as a whole.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "mail/envelope.h"
#include "queue/flat_index.h"
#include "queue/lease.h"
#include "queue/way_state.h"

namespace sidegate::queue {

// What the members of one family share.
struct WayFamily {
  unsigned limit = 0, each = 0;
  unsigned slots = 0, opening = 0;
  std::deque<WayId> line;              // members with work and no room for one more connection, in turn
  std::unordered_set<WayId> sleepers;  // members with a connection asleep
  bool has_room() const { return slots < limit; }
};

// What a destination is called with what is demanded of TLS (RFC 8689): such ones have connections and troubles of
// their own.
std::string member_name(std::string_view domain, mail::TlsDemand tls);
// And back; `name` is then the domain.
mail::TlsDemand demand_of(std::string& name);

class Families {
 public:
  explicit Families(unsigned loops) : loops_(loops) {}

  // An id names its slot, and how often that was given to somebody else: one that is remembered too long means nobody.
  static constexpr std::uint32_t kMostMembers = (1u << 20) - 1;
  static std::uint32_t slot_of(WayId id) { return id & kMostMembers; }

  void set(const std::vector<WayLimits>& ways);
  WayFamily* family(WayId id) {
    if (families_.empty()) return nullptr;
    const auto at = families_.find(id);
    return at == families_.end() ? nullptr : &at->second;
  }
  const WayFamily* family(WayId id) const { return const_cast<Families*>(this)->family(id); }
  std::map<WayId, WayFamily>& all() { return families_; }

  // Each family in the route becomes its member for this domain, made where there is none. Without room for one more
  // the family goes from the route.
  void expand(Route& route, std::string_view domain);
  WayId find(WayId family, std::string_view domain) const;  // kNoWay: there is no such member
  void use(const Route& route);                             // a route that classes have from now on
  void leave(const Route& route);                           // and one that none has any more

  bool alive(WayId id) const {
    const std::uint32_t slot = slot_of(id);
    return slot < members_.size() && members_[slot].id == id;
  }
  WayState& state(WayId id) { return members_[slot_of(id)].state; }
  const WayState& state(WayId id) const { return members_[slot_of(id)].state; }

  // Those with connections or in trouble: what a tick has to look at.
  void stir(WayId id);
  // fn(id) for each of them; those that have come to rest are taken off first.
  template <typename Fn>
  void for_each_restless(Fn fn) {
    std::erase_if(restless_, [this](WayId id) {
      if (!alive(id)) return true;
      Member& one = members_[slot_of(id)];
      one.restless = one.state.connections.slots() > 0 || one.state.connections.active() > 0 || !one.state.up();
      return !one.restless;
    });
    for (std::size_t i = 0; i < restless_.size(); ++i) fn(restless_[i]);
  }
  template <typename Fn>
  void for_each(Fn fn) const {
    for (const Member& one : members_) {
      if (one.id != kNoWay) fn(one.id, one.state);
    }
  }

  void stand_in_line(WayId id);
  WayId next_in_line(WayFamily& family);  // kNoWay: nobody stands there

  // Looks at a few members and gives those back that nobody needs. is_idle(id): nothing is ready for it.
  template <typename Fn>
  void sweep(std::int64_t now, unsigned how_many, Fn is_idle) {
    for (unsigned i = 0; i < how_many && !members_.empty(); ++i) {
      if (sweep_at_ >= members_.size()) sweep_at_ = 0;
      const Member& one = members_[sweep_at_++];
      if (one.id != kNoWay && is_unused(one, now) && is_idle(one.id)) give_back(one.id);
    }
  }

  std::size_t slots() const { return members_.size(); }  // some are free
  std::size_t size() const { return by_name_.size(); }
  std::size_t memory() const;

 private:
  struct Member {
    explicit Member(unsigned loops) : state(loops) {}
    WayId id = kNoWay;         // kNoWay: a free slot
    std::uint32_t routes = 0;  // that name it
    WayState state;
    std::uint16_t generation = 0;
    bool restless = false, in_line = false;
  };
  WayId make(WayId family, std::string_view domain);
  void give_back(WayId id);
  static bool is_unused(const Member& one, std::int64_t now);
  static std::uint64_t hash_of(WayId family, std::string_view domain);
  auto hash_at() const {
    return [this](std::uint32_t at) { return hash_of(members_[at].state.family, members_[at].state.name); };
  }

  unsigned loops_;
  std::map<WayId, WayFamily> families_;
  std::deque<Member> members_;  // by slot
  std::deque<std::uint32_t> free_;
  FlatIndex by_name_;
  std::vector<WayId> restless_;
  std::uint32_t sweep_at_ = 0;
  std::size_t text_octets_ = 0;
};

}  // namespace sidegate::queue
